"""Mentions and records for tests, made in a line; each test says only what matters to it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.bus.port import Record
from tocsin.contracts import topics
from tocsin.contracts.codec import Encoded, encode_classified, encode_removal, encode_tick
from tocsin.contracts.events import (
    Author,
    ClassifiedMention,
    LabelQuality,
    ModelName,
    Removal,
    RemovalReason,
    Risk,
    Sentiment,
    SentimentScores,
    Tick,
    mention_id,
)

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
_offsets = itertools.count()


def identifier(name: str = "1") -> uuid.UUID:
    """The id of the mention that `classified` makes of the same name."""
    return mention_id("bluesky", name)


def classified(
    name: str = "1",
    *,
    brand: str = "acme",
    brands: Sequence[str] | None = None,
    revision: int = 1,
    labels: LabelQuality = LabelQuality.MODEL,
    negative: float = 0.9,
    at: datetime = NOON,
    author: str | None = "ann",
    **fields: Any,
) -> ClassifiedMention:
    """A classified mention of `brand`; `negative` is its probability, the rest is neutral."""
    labelled = labels is not LabelQuality.NONE
    scores = SentimentScores(negative=negative, neutral=round(1 - negative, 6), positive=0.0)
    return ClassifiedMention.model_validate(
        {
            "source": "bluesky",
            "native_id": name,
            "text": f"What {name} says in version {revision}",
            "published_at": at,
            "received_at": at + timedelta(seconds=30),
            "revision": revision,
            "language": "en",
            "author": Author(id=author, name=author and author.title(), followers=10),
            "brands": tuple(brands or (brand,)),
            "mention_id": identifier(name),
            "brand": brand,
            "labels": labels,
            "sentiment": Sentiment(label=scores.label, scores=scores) if labelled else None,
            "risk": Risk(score=0.2) if labelled else None,
            "toxicity": 0.1 if labelled else None,
            "embedding": "AQID" if labelled else None,
            "model": ModelName(name="tocsin-e5", revision="1") if labelled else None,
            **fields,
        }
    )


def classified_record(*arguments: Any, **fields: Any) -> Record:
    """`classified` as it comes from the bus."""
    return record(topics.CLASSIFIED, encode_classified(classified(*arguments, **fields), source="test", at=NOON))


def removal_record(
    name: str = "1", *, revision: int = 1, why: RemovalReason = RemovalReason.DELETED, at: datetime = NOON
) -> Record:
    """A removal as it comes from the bus."""
    removal = Removal(id=identifier(name), revision=revision, why=why)
    return record(topics.REMOVALS, encode_removal(removal, source="test", at=at), at=at)


def tick_record(at: datetime, *, partition: int = 0, mentions_partition: int = 0) -> Record:
    """A tick as it comes from a partition of `classified`."""
    encoded = encode_tick(Tick(at=at, partition=mentions_partition), source="test", at=at)
    return record(topics.CLASSIFIED, encoded, partition=partition, at=at)


def record(topic: str, event: Encoded, *, partition: int = 0, at: datetime = NOON) -> Record:
    """An event as it comes from the bus."""
    return Record(topic, partition, next(_offsets), event.key, event.value, event.headers, at)
