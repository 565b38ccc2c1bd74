"""What is added up over mentions: figures of an hour, of five minutes, of a span; pure.

docs/figures.md defines every figure with its unit.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tocsin.contracts.events import AuthorRole, SentimentLabel
from tocsin.storage import distinct
from tocsin.storage.thresholds import Thresholds

if TYPE_CHECKING:
    from tocsin.storage.counts import ObservedRow

SLOT = timedelta(minutes=5)
_SLOTS = 12
"""Of an hour."""
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
    counted_authors: int | None = None
    """How many there are, where all of it was counted together beforehand; the two others are empty then."""

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
        self.take(other.numbers, other.all_authors)

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
        if self.counted_authors is not None:
            return self.counted_authors
        return distinct.count(self.all_authors)

    @property
    def all_authors(self) -> list[bytes]:
        """All of them packed, in as many parts as there are."""
        return [*self.packed_authors, *([distinct.pack(self.digests)] if self.digests else [])]


@dataclass(frozen=True, slots=True)
class HourTally:
    """One hour of one value of a split, as it is kept."""

    numbers: Numbers
    authors: bytes
    """As `tocsin.storage.distinct` packs them."""
    slots: list[list[Any]]
    """`[slot, numbers…, authors]` for each five minutes (0–11) with a mention."""


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
    return _VALUES[split](row)


def _primary_language(row: ObservedRow) -> tuple[str]:
    return ((row.language or "und").replace("_", "-").split("-", 1)[0].lower(),)


_VALUES: dict[Split | None, Callable[[ObservedRow], Iterable[str]]] = {
    None: lambda _row: ("",),
    Split.SENTIMENT: lambda row: (row.sentiment or "unlabelled",),
    Split.SOURCE: lambda row: (row.source,),
    Split.SOURCE_KIND: lambda row: (row.source_kind,),
    Split.RISK_KIND: lambda row: dict.fromkeys(row.risk_kinds) if row.risk_kinds else ("none",),
    Split.LANGUAGE: _primary_language,
}


def tally_hours(
    rows: Iterable[ObservedRow], thresholds: Thresholds
) -> Mapping[datetime, Mapping[tuple[str, str], HourTally]]:
    """Tallies by hour (its start), and by split and value: the whole and every split at once.

    In columns: an hour of a large brand is counted again every five minutes, and nine in ten of its mentions are the same.
    """
    counted = [row for row in rows if counts(row, thresholds)]
    if not counted:
        return {}
    numbers = np.array([numbers_of(row, thresholds) for row in counted], dtype=np.float64)
    authors = np.fromiter((author_of(row) for row in counted), dtype=np.uint64, count=len(counted))
    seconds = np.fromiter((row.at.timestamp() for row in counted), dtype=np.float64, count=len(counted))
    whole_hours, hour = np.unique(seconds // 3600, return_inverse=True)
    slots = (seconds % 3600 // SLOT.total_seconds()).astype(np.int64)
    starts = [datetime.fromtimestamp(number * 3600, UTC) for number in whole_hours.tolist()]
    found: dict[datetime, dict[tuple[str, str], HourTally]] = {start: {} for start in starts}
    for split, values in _VALUES.items():
        names: dict[str, int] = {}
        pairs = [
            (place, names.setdefault(value, len(names))) for place, row in enumerate(counted) for value in values(row)
        ]
        places, members = np.array(pairs, dtype=np.int64).T
        groups, group = np.unique(members * len(starts) + hour[places], return_inverse=True)
        tallies = _tally_groups(group, slots[places], numbers[places], authors[places])
        spelled = list(names)
        for number, tally in zip(groups.tolist(), tallies, strict=True):
            member, which = divmod(number, len(starts))
            found[starts[which]]["" if split is None else split.value, spelled[member]] = tally
    return found


def _tally_groups(
    groups: NDArray[np.int64], slots: NDArray[np.int64], numbers: NDArray[np.float64], authors: NDArray[np.uint64]
) -> list[HourTally]:
    """One tally a group (0, 1, …), of mentions in any order, each of one group."""
    by_slot, added, packed = _added_up(groups * _SLOTS + slots, numbers, authors)
    kept: list[list[list[Any]]] = [[] for _ in range(int(groups.max()) + 1)]
    for place, sums, known in zip(by_slot, added, packed, strict=True):
        kept[place // _SLOTS].append([place % _SLOTS, *sums, _as_text(known)])
    _, added, packed = _added_up(groups, numbers, authors)
    return [HourTally(*item) for item in zip(added, packed, kept, strict=True)]


def _added_up(
    keys: NDArray[np.int64], numbers: NDArray[np.float64], authors: NDArray[np.uint64]
) -> tuple[list[int], list[Numbers], list[bytes]]:
    """The keys in order, each once; what the mentions of each add up to, and their packed authors."""
    order = np.lexsort((authors, keys))
    keys, authors = keys[order], authors[order]
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    # Floats are exact up to 2⁵³, and beyond it the columns of the database are no better.
    sums = np.add.reduceat(numbers[order], begins, axis=0).tolist()
    added: list[Numbers] = [(*map(int, one[:5]), one[5], int(one[6]), one[7], int(one[8])) for one in sums]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = (np.diff(keys) != 0) | (authors[1:] != authors[:-1])
    ends = np.cumsum(first)[np.append(begins[1:], len(keys)) - 1].tolist()
    known = authors[first]
    packed = [distinct.pack_sorted(known[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
    return keys[begins].tolist(), added, packed


@lru_cache(maxsize=4096)
def _as_text(packed: bytes) -> str:
    # The five minutes that are over, and splits of which a brand has one value, have the same authors again and again.
    return base64.b85encode(packed).decode()


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
