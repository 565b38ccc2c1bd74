"""Replays classified mentions in their own order through `Judge`, as a live run would have judged them.

Where a line does not say when it was received, it is believed to have come when it was published, but never before the line
ahead of it: what stands late in the file came late.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alert.detection.observations import HarmfulRates, observe
from services.alert.detection.replaying import Heard, Replay
from services.alert.detection.state import BrandProfile, Judgement
from tocsin.contracts.events import ClassifiedMention, LabelQuality, Mention, Sentiment, SentimentScores
from tocsin.contracts.settings.detection import DetectionSettings

LEAP = timedelta(days=1)
"""A line that jumps further ahead than this is believed only when the next one stands by it; else its date is wrong."""
EXACT = HarmfulRates(risk_threshold=1.0, relevance_threshold=0.0, toxicity_threshold=1.0)
"""The rates of human labels: no errors to correct."""


def gold_record(mention: Mention, brand: str) -> ClassifiedMention:
    """A mention of a file with its human `sentiment` in the place of the classifier's; harmful is negative alone.

    Raises `ValueError` for a mention without a human label.
    """
    label = mention.sentiment
    if label is None:
        raise ValueError("the line has no sentiment; --gold-sentiment needs a human label on each line")
    scores = {name: float(name == label.value) for name in ("negative", "neutral", "positive")}
    body = mention.model_dump(exclude={"sentiment"})
    return ClassifiedMention(
        **body,
        mention_id=mention.id,
        brand=brand,
        labels=LabelQuality.MODEL,
        sentiment=Sentiment(label=label, scores=SentimentScores(**scores)),
    )


def run_backtest(
    mentions: Iterable[ClassifiedMention],
    settings: DetectionSettings,
    rates: HarmfulRates,
    brands: Mapping[str, BrandProfile] | None = None,
) -> Iterator[dict[str, Any]]:
    """One JSON-ready object for each change of a brand's level, in order of time.

    `mentions`: classified records in the file's order, one a brand. `rates`: the classifier's (`EXACT` for `gold_record`).
    `brands`: what is configured; any other brand is judged in UTC. Results do not depend on how the mentions are cut into
    batches, and a mention that is repeated counts once.
    """
    for judgement in replay(mentions, settings, rates, brands):
        if judgement.event is not None:
            yield to_json(judgement)


def to_json(judgement: Judgement) -> dict[str, Any]:
    """A judgement that changed the level, as `tocsin backtest` writes it."""
    return {
        "at": judgement.at.isoformat(),
        "event": judgement.event.value if judgement.event else None,
        "brand": judgement.brand,
        "level": judgement.level.value,
        "score": judgement.score,
        "reasons": [reason.en for reason in judgement.reasons],
        "evidence": {**judgement.evidence, "reasons_fr": [reason.fr for reason in judgement.reasons]},
    }


def replay(
    mentions: Iterable[ClassifiedMention],
    settings: DetectionSettings,
    rates: HarmfulRates,
    brands: Mapping[str, BrandProfile] | None = None,
) -> Iterator[Judgement]:
    """Every judgement of every brand; instants at which there is nothing to judge (no mention in a day, level green) are left out."""
    running = Replay(settings, rates, brands)
    for item in heard(mentions):
        yield from running.take(item)


def heard(mentions: Iterable[ClassifiedMention]) -> Generator[Heard, None, None]:
    """The mentions of a file, each with the instant at which it came; never back in time."""
    for mention, received in _received(mentions):
        yield Heard(
            brand=mention.brand,
            observation=observe(mention),
            received=received,
            version=mention.version,
            outlet=mention.outlet,
        )


def _received(mentions: Iterable[ClassifiedMention]) -> Iterator[tuple[ClassifiedMention, datetime]]:
    """Each mention with the instant at which it came; never back in time."""
    clock: datetime | None = None
    held: ClassifiedMention | None = None
    for mention in mentions:
        came = mention.received_at or mention.published_at
        if held is not None:
            # The clock moves to a leap only if the next line is there too.
            believed = came >= held.published_at - LEAP
            clock = held.published_at if believed or clock is None else clock
            yield held, clock
            held = None
        if clock is not None and mention.received_at is None and came - clock > LEAP:
            held = mention
            continue
        clock = came if clock is None else max(clock, came)
        yield mention, clock
    if held is not None:
        yield held, held.published_at
