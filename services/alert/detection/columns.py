"""The last day's mentions in columns, so that a window is counted with two binary searches.

A mention is *first* when no earlier one of its author stands in the same clock hour (UTC). Windows count first mentions, as
`HourCount` does, so a window and its baseline count the same thing; a window's very first hour may miss an author who wrote
just before it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.observations import HarmfulRates, Observation
from services.alert.detection.state import Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HourBlock:
    """One clock hour of mentions that may wake somebody, by time; one value a mention in each column."""

    observations: tuple[Observation, ...]
    seconds: Floats
    """Event time, seconds since 1970."""
    author: Integers
    """A hash of the author, good within this process."""
    first: Floats
    """1 where it is its author's first of the hour."""
    harmful: Floats
    """1 where it is its author's first harmful one of the hour."""
    corrected: Floats
    """What it adds to N̂ = Σ (harmful − fpr·first)/(tpr − fpr), with the rates of its language."""
    toxic: Floats
    """1 where it is its author's first harmful and toxic one of the hour."""
    followers: Floats
    """The author's followers on the first mention, 0 on the others and where unknown."""


def build_block(observations: Iterable[Observation], rates: HarmfulRates) -> HourBlock:
    """The columns of one clock hour, whatever the order in which its mentions came."""
    kept = sorted(
        ((item.at.timestamp(), item.mention_id, item) for item in observations if item.wakes and item.counts(rates)),
        key=itemgetter(0, 1),
    )
    first, harmful, corrected, toxic, followers = (np.zeros(len(kept)) for _ in range(5))
    authors = np.zeros(len(kept), dtype=np.int64)
    seen: set[str] = set()
    seen_harmful: set[str] = set()
    seen_toxic: set[str] = set()
    # Looked up once: this loop sees each mention of a day at each evaluation.
    risky, toxic_from, by_language, usual = (
        rates.risk_threshold,
        rates.toxicity_threshold,
        rates.by_language,
        rates.default,
    )
    for index, (_, _, item) in enumerate(kept):
        author = item.author or f"?{item.mention_id}"
        authors[index] = hash(author)
        rate = rates.of(item.language) if by_language else usual
        added = 0.0
        if author not in seen:
            seen.add(author)
            first[index] = 1
            followers[index] = item.followers or 0
            added -= rate.fpr
        if item.negative or item.risk >= risky:
            if author not in seen_harmful:
                seen_harmful.add(author)
                harmful[index] = 1
                added += 1
            if item.toxicity >= toxic_from and author not in seen_toxic:
                seen_toxic.add(author)
                toxic[index] = 1
        if added:
            corrected[index] = added / (rate.tpr - rate.fpr)
    seconds = np.array([at for at, _, _ in kept], dtype=np.float64)
    return HourBlock(tuple(item for _, _, item in kept), seconds, authors, first, harmful, corrected, toxic, followers)


def blocks_of(observations: Iterable[Observation], rates: HarmfulRates) -> dict[datetime, HourBlock]:
    """Blocks by the start of their hour."""
    hours: dict[int, list[Observation]] = {}
    for observation in observations:
        hours.setdefault(int(observation.at.timestamp() // 3600), []).append(observation)
    return {datetime.fromtimestamp(hour * 3600, UTC): build_block(items, rates) for hour, items in hours.items()}


@dataclass(frozen=True, slots=True)
class WindowCount:
    """What a window holds; counts of authors are distinct within each clock hour, `distinct_harmful` within the window."""

    start: datetime
    end: datetime
    authors: float
    """V."""
    harmful: float
    """N̂: corrected, and no author beyond the largest share that one may carry."""
    observed_harmful: float
    """N as the classifier says, with the same cap."""
    distinct_harmful: int
    toxic: float
    followers: float


class Columns:
    """The mentions of the last day up to an instant, ready to be counted."""

    def __init__(
        self, blocks: Sequence[HourBlock], start: datetime, end: datetime, masks: Sequence[Interval] = ()
    ) -> None:
        """`blocks` in order of time; only mentions in (`start`, `end`] and outside `masks` (alerts that are over) count."""
        self.start, self.end = start, end
        self._blocks = blocks
        self._seconds = _join(blocks, lambda block: block.seconds)
        keep = (self._seconds > start.timestamp()) & (self._seconds <= end.timestamp())
        for mask in masks:
            keep &= ~((self._seconds > mask.start.timestamp()) & (self._seconds <= mask.end.timestamp()))
        self._keep = keep
        self._author = np.concatenate([block.author for block in blocks]) if blocks else np.zeros(0, dtype=np.int64)
        self._first = _running(_join(blocks, lambda block: block.first) * keep)
        self._harmful_flags = _join(blocks, lambda block: block.harmful) * keep
        self._harmful = _running(self._harmful_flags)
        self._corrected = _running(_join(blocks, lambda block: block.corrected) * keep)
        self._toxic = _running(_join(blocks, lambda block: block.toxic) * keep)
        self._followers = _running(_join(blocks, lambda block: block.followers) * keep)

    @property
    def harmful_total(self) -> float:
        """Harmful author-hours between start and end."""
        return float(self._harmful[-1])

    @property
    def author_total(self) -> float:
        """Author-hours between start and end."""
        return float(self._first[-1])

    def observations(self, start: datetime, end: datetime) -> list[Observation]:
        """The mentions in (`start`, `end`] that count, by time."""
        low, high = self._span(start, end)
        flat = [item for block in self._blocks for item in block.observations]
        return [flat[index] for index in range(low, high) if self._keep[index]]

    def count(self, end: datetime, length: timedelta, author_share: float) -> WindowCount:
        """Count the window of `length` that ends at `end`; no author carries more than `author_share` of N (but at least 1)."""
        low, high = self._span(end - length, end)
        observed = float(self._harmful[high] - self._harmful[low])
        authors = float(self._first[high] - self._first[low])
        corrected = float(self._corrected[high] - self._corrected[low])
        distinct, excess = self._carried(low, high, observed, author_share)
        capped = observed - excess
        # What one author said too often is taken off in the measure that the correction gave it.
        weight = corrected / observed if observed else 0.0
        return WindowCount(
            start=end - length,
            end=end,
            authors=authors,
            harmful=min(max(0.0, corrected - excess * max(0.0, weight)), authors),
            observed_harmful=capped,
            distinct_harmful=distinct,
            toxic=float(self._toxic[high] - self._toxic[low]),
            followers=float(self._followers[high] - self._followers[low]),
        )

    def _carried(self, low: int, high: int, observed: float, author_share: float) -> tuple[int, float]:
        if observed == 0:
            return 0, 0.0
        harmful = self._harmful_flags[low:high] > 0
        posts = np.unique(self._author[low:high][harmful], return_counts=True)[1]
        most = max(1.0, author_share * observed)
        return len(posts), float(np.maximum(posts - most, 0.0).sum())

    def _span(self, start: datetime, end: datetime) -> tuple[int, int]:
        low, high = np.searchsorted(self._seconds, (start.timestamp(), end.timestamp()), side="right")
        return int(low), int(high)


def _join(blocks: Sequence[HourBlock], column: Callable[[HourBlock], Floats]) -> Floats:
    return np.concatenate([column(block) for block in blocks]) if blocks else np.zeros(0)


def _running(column: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(column)))
