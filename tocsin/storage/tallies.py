"""What is added up over mentions: figures of an hour, of five minutes, of a span; pure.

docs/figures.md defines every figure with its unit.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tocsin.contracts.events import AuthorRole, SentimentLabel
from tocsin.storage import distinct
from tocsin.storage.thresholds import Thresholds

if TYPE_CHECKING:
    from tocsin.storage.counts import ObservedRow

SLOT = timedelta(minutes=5)
NUMBERS = (
    "mentions", "negative", "neutral", "positive", "harmful", "engagement", "with_engagement", "reach", "with_reach",
)  # fmt: skip
"""The names of `Tally.numbers`, in their order."""

Numbers = tuple[int, int, int, int, int, float, int, float, int]
"""`NUMBERS` of one mention or of many."""


class Split(StrEnum):
    """By what figures are told apart."""

    SENTIMENT = "sentiment"
    SOURCE = "source"
    LANGUAGE = "language"
    """Primary tag: `pt` for `pt-BR`; `und` where the language is unknown."""
    SOURCE_KIND = "source_kind"
    RISK_KIND = "risk_kind"
    """`none` without any; a mention of several kinds counts in each, so the parts may add up to more than the whole."""


@dataclass(slots=True)
class Tally:
    """Sums over mentions that count, and who wrote them."""

    mentions: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    harmful: int = 0
    engagement: float = 0.0
    with_engagement: int = 0
    """Mentions whose source gives it."""
    reach: float = 0.0
    with_reach: int = 0
    packed_authors: list[bytes] = field(default_factory=list)
    """As `tocsin.storage.distinct` packs them."""
    digests: set[int] = field(default_factory=set)
    """Authors of rows that were counted one by one."""

    def add(self, row: ObservedRow, thresholds: Thresholds) -> None:
        """Count one mention that `counts`."""
        self.take(numbers_of(row, thresholds), ())
        self.digests.add(author_of(row))

    def take(self, numbers: Sequence[Any], packed: Iterable[bytes]) -> None:
        """Add the numbers and the packed authors of others."""
        self.mentions += numbers[0]
        self.negative += numbers[1]
        self.neutral += numbers[2]
        self.positive += numbers[3]
        self.harmful += numbers[4]
        self.engagement += numbers[5]
        self.with_engagement += numbers[6]
        self.reach += numbers[7]
        self.with_reach += numbers[8]
        self.packed_authors.extend(packed)

    def unite(self, other: Tally) -> None:
        """Add all of another, whose mentions are others."""
        own = [distinct.pack(other.digests)] if other.digests else []
        self.take(other.numbers, [*other.packed_authors, *own])

    @property
    def numbers(self) -> Numbers:
        """The sums, in the order in which they are kept."""
        return (
            self.mentions, self.negative, self.neutral, self.positive, self.harmful,
            self.engagement, self.with_engagement, self.reach, self.with_reach,
        )  # fmt: skip

    @property
    def authors(self) -> int:
        """Different authors; exact, or within 1.6 % (standard error) where an hour had more than 1,024."""
        return distinct.count([*self.packed_authors, *([distinct.pack(self.digests)] if self.digests else [])])


@dataclass(slots=True)
class HourTally:
    """One hour (or less) of one value of a split, by its five minutes."""

    slots: dict[int, Tally] = field(default_factory=dict)

    def add(self, slot: int, numbers: Numbers, author: int) -> None:
        """Count one mention of these five minutes (0–11) of the hour."""
        tally = self.slots.get(slot)
        if tally is None:
            tally = self.slots[slot] = Tally()
        tally.take(numbers, ())
        tally.digests.add(author)

    def whole(self) -> Tally:
        """All of the hour."""
        found = Tally()
        for tally in self.slots.values():
            found.take(tally.numbers, ())
            found.digests |= tally.digests
        return found

    def slots_to_json(self) -> list[list[Any]]:
        """`[slot, numbers…, authors]` for each five minutes with a mention."""
        return [
            [slot, *tally.numbers, base64.b85encode(distinct.pack(tally.digests)).decode()]
            for slot, tally in sorted(self.slots.items())
        ]


def slots_from_json(stored: Iterable[Sequence[Any]]) -> Iterable[tuple[int, Sequence[Any], bytes]]:
    """The inverse: slot, numbers, packed authors."""
    for slot, *numbers, authors in stored:
        yield slot, numbers, base64.b85decode(authors)


def counts(row: ObservedRow, thresholds: Thresholds) -> bool:
    """Whether a mention is in the figures: about the brand, and not the brand's own."""
    return row.relevance >= thresholds.relevance and row.role != AuthorRole.OWN


def numbers_of(row: ObservedRow, thresholds: Thresholds) -> Numbers:
    """What one mention that `counts` adds."""
    negative = row.sentiment == SentimentLabel.NEGATIVE
    harmful = negative or (row.risk is not None and row.risk >= thresholds.risk)
    seen = row.followers if row.views is None else row.views
    return (
        1,
        int(negative),
        int(row.sentiment == SentimentLabel.NEUTRAL),
        int(row.sentiment == SentimentLabel.POSITIVE),
        int(harmful),
        row.engagement if row.has_engagement else 0,
        int(row.has_engagement),
        0 if seen is None else seen,
        int(seen is not None),
    )


def author_of(row: ObservedRow) -> int:
    """The digest of who wrote a mention; one without an author is somebody by itself."""
    return distinct.digest(row.author_key or f"?{row.mention_id}")


def values_of(row: ObservedRow, split: Split | None) -> Iterable[str]:
    """The values of a split that a mention has, at least one, each once; the empty one without a split."""
    match split:
        case None:
            return ("",)
        case Split.SENTIMENT:
            return (row.sentiment or "unlabelled",)
        case Split.SOURCE:
            return (row.source,)
        case Split.SOURCE_KIND:
            return (row.source_kind,)
        case Split.RISK_KIND:
            return dict.fromkeys(row.risk_kinds) or ("none",)
        case Split.LANGUAGE:
            return ((row.language or "und").replace("_", "-").split("-", 1)[0].lower(),)


def tally_hours(
    rows: Iterable[ObservedRow], thresholds: Thresholds
) -> Mapping[datetime, Mapping[tuple[str, str], HourTally]]:
    """Tallies by hour (its start), and by split and value: the whole and every split at once."""
    hours: dict[datetime, dict[tuple[str, str], HourTally]] = {}
    for row in rows:
        if not counts(row, thresholds):
            continue
        values = hours.setdefault(row.at.replace(minute=0, second=0, microsecond=0), {})
        slot, numbers, author = row.at.minute // 5, numbers_of(row, thresholds), author_of(row)
        for split in (None, *Split):
            for value in values_of(row, split):
                key = ("" if split is None else split.value, value)
                tally = values.get(key)
                if tally is None:
                    tally = values[key] = HourTally()
                tally.add(slot, numbers, author)
    return hours


Spans = list[dict[str, Tally]]
"""For each span, tallies by value of a split."""


def add_rows(
    spans: Spans, edges: Sequence[datetime], rows: Iterable[ObservedRow], split: Split | None, thresholds: Thresholds
) -> None:
    """Count rows, one by one, into the spans between `edges` that they are in."""
    for row in rows:
        position = bisect_right(edges, row.at) - 1
        if 0 <= position < len(spans) and counts(row, thresholds):
            for value in values_of(row, split):
                spans[position].setdefault(value, Tally()).add(row, thresholds)
