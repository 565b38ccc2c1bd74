"""What people corrected: whole stories found, exclusions proposed, and labels given out as training data."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tocsin.folding import Folded
from tocsin.storage.link_parts import links_of, without
from tocsin.storage.tables.figures import MentionStoryTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable

STORY_REACH = timedelta(hours=72)
"""How far before and after a mention others can be of its story."""
SIMILAR = 0.8
"""Cosine of two embeddings from which on they tell the same story; the same text always does."""
_LARGEST_STORY = 5_000
_LOOKED_AT = 50_000
_IN_THE_STORY = 0.6
_ELSEWHERE = 0.01


@dataclass(frozen=True, slots=True)
class CorrectedLabel:
    """One corrected mention of one brand, as training data. Labels that nobody corrected are the network's own."""

    mention_id: uuid.UUID
    brand: str
    published_at: datetime
    text: str
    language: str | None
    correction: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A word that tells a wrong story from what the brand's mentions else say: how many of each it is in, of how many."""

    term: str
    in_story: int
    story: int
    elsewhere: int
    others: int


def story_of(session: Session, brand: str, mention_id: uuid.UUID) -> list[uuid.UUID]:
    """The mentions of a brand that tell the same as this one, itself first; empty where it has no labels for the brand.

    The same story by the evaluator's word, the same text, or an embedding with a cosine of at least `SIMILAR`, published within
    three days.
    """
    found = session.execute(_columns().where(MentionTable.id == mention_id, MentionBrandTable.brand == brand)).first()
    if found is None:
        return []
    near = session.execute(
        _columns()
        .where(
            MentionBrandTable.brand == brand,
            MentionBrandTable.published_at >= found.published_at - STORY_REACH,
            MentionBrandTable.published_at <= found.published_at + STORY_REACH,
            MentionTable.id != mention_id,
        )
        .order_by(MentionBrandTable.published_at.desc())
        .limit(_LOOKED_AT)
    ).all()
    story = select(MentionStoryTable.story).where(
        MentionStoryTable.mention_id == mention_id, MentionStoryTable.brand == brand
    )
    told = set(
        session.scalars(
            select(MentionStoryTable.mention_id).where(
                MentionStoryTable.brand == brand, MentionStoryTable.story == story.scalar_subquery()
            )
        )
    )
    same = [row.id for row in near if row.id in told or (found.copy_key and row.copy_key == found.copy_key)]
    with_embedding = [row for row in near if row.embedding and found.embedding]
    if with_embedding:
        vectors = np.frombuffer(b"".join(row.embedding for row in with_embedding), np.int8).astype(np.float32)
        vectors = vectors.reshape(len(with_embedding), -1)
        wanted = np.frombuffer(found.embedding, np.int8).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted)
        cosines = np.divide(vectors @ wanted, norms, out=np.zeros(len(vectors), np.float32), where=norms > 0)
        same += [row.id for row, cosine in zip(with_embedding, cosines, strict=True) if cosine >= SIMILAR]
    return [mention_id, *dict.fromkeys(same)][:_LARGEST_STORY]


def propose_exclusions(
    session: Session, brand: str, story: Collection[uuid.UUID], *, names: Iterable[str], now: datetime, limit: int = 3
) -> list[Exclusion]:
    """Words that most of a story has and hardly anything else about the brand in the last week does, the best first.

    They are proposals: `brands[].exclude` keeps out whatever has one of them, so a person decides. Words of `names`, the brand's
    own, would keep out everything; parts of links are no words. Of equals a longer word comes first: it says more.
    """
    own = {word for name in names for word in _words(name)}
    rows = session.execute(
        select(MentionTable.id, MentionTable.text)
        .join(MentionBrandTable, LABELS_OF_MENTION)
        .where(
            MentionBrandTable.brand == brand,
            MentionTable.text.is_not(None),
            MentionBrandTable.published_at >= now - timedelta(days=7),
        )
        .limit(_LOOKED_AT)
    ).all()
    wrong = set(story)
    inside = [_words(row.text) for row in rows if row.id in wrong]
    outside = [_words(row.text) for row in rows if row.id not in wrong]
    in_story = Counter(word for words in inside for word in words)
    elsewhere = Counter(word for words in outside for word in words)
    proposals = [
        Exclusion(word, count, len(inside), elsewhere[word], len(outside))
        for word, count in in_story.items()
        if count >= _IN_THE_STORY * len(inside)
        and elsewhere[word] <= _ELSEWHERE * len(outside)
        and len(word) > 3
        and word not in own
    ]
    return sorted(proposals, key=lambda item: (-item.in_story, item.elsewhere, -len(item.term), item.term))[:limit]


def labels(
    session: Session,
    brands: Sequence[str] | None = None,
    *,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int | None = None,
) -> Iterator[CorrectedLabel]:
    """Corrections whose text is still there, in the order of publication; of one brand: from behind the place `after` on."""
    wanted = (
        select(
            MentionTable.id,
            MentionBrandTable.brand,
            MentionBrandTable.published_at,
            MentionTable.text,
            MentionTable.language,
            MentionBrandTable.correction,
        )
        .join(MentionBrandTable, LABELS_OF_MENTION)
        .where(MentionBrandTable.correction.is_not(None), MentionTable.state == MentionState.LIVE)
        .order_by(MentionBrandTable.published_at, MentionTable.id)
        .limit(limit)
    )
    if after is not None:
        at, identifier = MentionBrandTable.published_at, MentionBrandTable.mention_id
        wanted = wanted.where(at >= after[0], or_(at > after[0], identifier > after[1]))
    if brands is not None:
        wanted = wanted.where(MentionBrandTable.brand.in_(brands))
    for row in session.execute(wanted.execution_options(yield_per=500)):
        yield CorrectedLabel(row.id, row.brand, row.published_at, row.text, row.language, row.correction)


def _columns() -> Any:
    return select(
        MentionTable.id, MentionTable.copy_key, MentionBrandTable.published_at, MentionBrandTable.embedding
    ).join(MentionBrandTable, LABELS_OF_MENTION)


def _words(text: str) -> set[str]:
    return {word.text for word in Folded.of(without(text, links_of(text))).words()}
