"""The last day's mentions in columns, so that a window is counted with two binary searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.blocks import (
    CRISIS,
    FIRST,
    FIRST_HARMFUL,
    FIRST_TOXIC,
    HARMFUL,
    ROW,
    HourBlock,
    bits_of,
)
from services.alert.detection.observations import HarmfulRates
from services.alert.detection.state import Interval
from tocsin.contracts.events import RiskKind

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WindowCount:
    """What a window holds; counts of authors are distinct within each clock hour, `distinct_harmful` within the window."""

    start: datetime
    end: datetime
    mentions: int
    authors: float
    """V."""
    harmful: float
    """N̂: corrected, and no author beyond the largest share that one may carry."""
    observed_harmful: float
    """N as the classifier says, with the same cap."""
    distinct_harmful: int
    crisis: float
    """Authors with a crisis word, distinct within each clock hour."""
    distinct_crisis: int
    """The same, distinct within the window."""
    harmful_crisis: int
    """Those of them with a harmful mention in it."""
    toxic: float
    followers: float


@dataclass(frozen=True, slots=True)
class View:
    """The mentions of one window that count, by time, in columns (see `blocks.ROW`)."""

    names: Sequence[str]
    """The ids of all mentions of the last day; those of these are at `places`."""
    places: Integers
    rows: NDArray[Any]
    languages: Sequence[str]
    sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    def id(self, place: int) -> str:
        """The id of the mention at this place of the view."""
        return self.names[int(self.places[place])]

    def has(self, flag: int) -> Mask:
        """Which have one of these flags."""
        return (self.rows["flags"] & flag) > 0

    def speaks_of(self, kinds: Iterable[RiskKind]) -> Mask:
        """Which are of one of these kinds of risk."""
        return (self.rows["kinds"] & bits_of(kinds)) > 0

    def authors(self, which: Mask) -> int:
        """Distinct authors among them."""
        return len(np.unique(self.rows["author"][which]))

    def only(self, which: Mask) -> View:
        """These alone."""
        chosen = np.flatnonzero(which)
        return View(self.names, self.places[chosen], self.rows[chosen], self.languages, self.sources)


class Columns:
    """The mentions of the last day up to an instant, ready to be counted."""

    def __init__(
        self,
        blocks: Sequence[HourBlock],
        start: datetime,
        end: datetime,
        masks: Sequence[Interval] = (),
        *,
        rates: HarmfulRates,
    ) -> None:
        """`blocks` in order of time; only mentions in (`start`, `end`] and outside `masks` (alerts that are over) count."""
        self.start, self.end = start, end
        self._names = [item for block in blocks for item in block.ids]
        self._languages, self._sources, self._rows = _join(blocks)
        self._seconds = self._rows["seconds"].copy()
        keep = (self._seconds > start.timestamp()) & (self._seconds <= end.timestamp())
        for mask in masks:
            keep &= ~((self._seconds > mask.start.timestamp()) & (self._seconds <= mask.end.timestamp()))
        self._keep = keep
        self._views: dict[tuple[int, int], View] = {}
        """Looked at before: a window that passes is asked for again and again."""
        flags = np.where(keep, self._rows["flags"], 0)
        first, self._harmful_flags = (flags & FIRST) > 0, (flags & FIRST_HARMFUL) > 0
        used = [rates.of(language) for language in self._languages] or [rates.default]
        fpr = np.array([rate.fpr for rate in used])[self._rows["language"]]
        spread = np.array([rate.tpr - rate.fpr for rate in used])[self._rows["language"]]
        self._crisis = (flags & CRISIS) > 0
        self._mentions = _running(keep)
        self._first = _running(first)
        self._harmful = _running(self._harmful_flags)
        # N̂ = Σ (harmful − fpr·first)/(tpr − fpr), with the rates of each mention's language.
        self._corrected = _running((self._harmful_flags - fpr * first) / spread)
        self._toxic = _running((flags & FIRST_TOXIC) > 0)
        self._followers = _running(np.where(first, np.maximum(self._rows["followers"], 0), 0))

    @property
    def harmful_total(self) -> float:
        """Harmful author-hours between start and end."""
        return float(self._harmful[-1])

    @property
    def author_total(self) -> float:
        """Author-hours between start and end."""
        return float(self._first[-1])

    def view(self, start: datetime, end: datetime) -> View:
        """The mentions in (`start`, `end`] that count."""
        span = low, high = self._span(start, end)
        if span not in self._views:
            places = low + np.flatnonzero(self._keep[low:high])
            self._views[span] = View(self._names, places, self._rows[places], self._languages, self._sources)
        return self._views[span]

    def count(self, end: datetime, length: timedelta, author_share: float) -> WindowCount:
        """Count the window of `length` that ends at `end`; no author carries more than `author_share` of N (but at least 1)."""
        low, high = self._span(end - length, end)
        observed = float(self._harmful[high] - self._harmful[low])
        authors = float(self._first[high] - self._first[low])
        corrected = float(self._corrected[high] - self._corrected[low])
        distinct, excess = self._carried(low, high, observed, author_share)
        crisis, distinct_crisis, harmful_crisis = self._worded(low, high)
        capped = observed - excess
        # What one author said too often is taken off in the measure that the correction gave it.
        weight = corrected / observed if observed else 0.0
        return WindowCount(
            start=end - length,
            end=end,
            mentions=int(self._mentions[high] - self._mentions[low]),
            authors=authors,
            harmful=min(max(0.0, corrected - excess * max(0.0, weight)), authors),
            observed_harmful=capped,
            distinct_harmful=distinct,
            crisis=crisis,
            distinct_crisis=distinct_crisis,
            harmful_crisis=harmful_crisis,
            toxic=float(self._toxic[high] - self._toxic[low]),
            followers=float(self._followers[high] - self._followers[low]),
        )

    def _carried(self, low: int, high: int, observed: float, author_share: float) -> tuple[int, float]:
        if observed == 0:
            return 0, 0.0
        harmful = self._harmful_flags[low:high]
        posts = np.unique(self._rows["author"][low:high][harmful], return_counts=True)[1]
        most = max(1.0, author_share * observed)
        return len(posts), float(np.maximum(posts - most, 0.0).sum())

    def _worded(self, low: int, high: int) -> tuple[float, int, int]:
        """Author-hours with a crisis word, the authors of them, and those among these who are harmful in the window."""
        spoken = low + np.flatnonzero(self._crisis[low:high])
        if not len(spoken):
            return 0.0, 0, 0
        authors = self._rows["author"][spoken]
        hours = (self._seconds[spoken] // 3600).astype(np.int64)
        distinct = np.unique(authors)
        harmful = np.unique(self._rows["author"][low:high][self._harmful_flags[low:high]])
        return (
            float(len(np.unique(np.stack((authors, hours)), axis=1).T)),
            len(distinct),
            len(np.intersect1d(distinct, harmful)),
        )

    def _span(self, start: datetime, end: datetime) -> tuple[int, int]:
        low, high = np.searchsorted(self._seconds, (start.timestamp(), end.timestamp()), side="right")
        return int(low), int(high)


def harmful_of(view: View) -> View:
    """The harmful ones; all, where none is."""
    harmful = view.has(HARMFUL)
    return view.only(harmful) if harmful.any() else view


def _join(blocks: Sequence[HourBlock]) -> tuple[list[str], list[str], NDArray[Any]]:
    """The rows of all blocks, with languages and sources numbered as in the two lists."""
    languages: dict[str, int] = {}
    sources: dict[str, int] = {}
    # Filled in place: putting arrays of many fields together otherwise takes longer than all that follows.
    joined = np.empty(sum(len(block.rows) for block in blocks), dtype=ROW)
    begin = 0
    for block in blocks:
        end = begin + len(block.rows)
        joined[begin:end] = block.rows
        if begin < end:
            for name, words, known in (
                ("language", block.languages, languages),
                ("source", block.sources, sources),
            ):
                numbers = [known.setdefault(word, len(known)) for word in words]
                if numbers != list(range(len(numbers))):
                    joined[name][begin:end] = np.array(numbers, dtype=np.uint16)[block.rows[name]]
        begin = end
    return list(languages), list(sources), joined


def _running(column: NDArray[Any]) -> Floats:
    return np.concatenate(([0.0], np.cumsum(column, dtype=np.float64)))
