"""A causal anomaly detector for any series of counts: `tocsin detect`.

The same idea as the judge's, without authors and tone: the mean of the latest quarter of an hour, on a square-root scale (which
makes the variance of a Poisson count constant: Anscombe 1948), in standard deviations of the 12 days before. One setting for
every series; neither its level nor its unit matters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite, isnan, sqrt

THRESHOLD = 7.0
"""Standard deviations from which an alert begins. Higher: fewer false ones, and later."""
LATEST = timedelta(minutes=15)
"""What is averaged before it is compared; never less than `LEAST_LATEST` rows."""
LEAST_LATEST = 3
MEMORY = timedelta(days=12)
QUIET = timedelta(hours=24)
"""After an alert there is no other for this long: it is the same story."""
WARM_UP = timedelta(days=1)
"""Before so much was seen there is no score, nor with fewer than `LEAST_ROWS`."""
LEAST_ROWS = 60
_LEAST_DEVIATION = 0.5
"""Of a single row on the square-root scale, where a Poisson count has 1: a series of zeros must not make one a wonder."""
_SUM_AGAIN = 4096
"""Rows after which running sums are added up anew, so that rounding errors do not add up."""
_GAPS = 101
_SHOWN = 60
"""Characters of a bad value that are told."""


class BadSeries(ValueError):
    """The series cannot be read; the message names the line (the header is line 1) and says how to mend it."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A row of the input with its score (0–1; 0.5 is where an alert begins) and 1 only where an alert begins."""

    timestamp: str
    value: str
    score: float
    alert: int


def detect_rows(rows: Iterable[tuple[str, str]]) -> Iterator[ScoredRow]:
    """Score each `(timestamp, value)` of a series by the rows before it; one row out for one in, texts unchanged.

    Timestamps: ISO 8601, ascending (equal ones are fine), all with an offset or all without (then UTC). Gaps are fine. An empty
    value or NaN scores 0 and teaches nothing. Raises `BadSeries` for what cannot be read, a negative or infinite value,
    time that runs backwards, offsets on some rows only, and when there is no row at all.
    """
    return detect_lines((number, timestamp, value) for number, (timestamp, value) in enumerate(rows, start=2))


def detect_lines(lines: Iterable[tuple[int, str, str]]) -> Iterator[ScoredRow]:
    """As `detect_rows`, with the number of the line that each row ends on, for what is told of a bad one."""
    detector = SeriesDetector()
    previous: datetime | None = None
    aware: bool | None = None
    for line, timestamp, text in lines:
        at = _read_timestamp(timestamp, line)
        if aware is None:
            aware = at.tzinfo is not None
        elif aware != (at.tzinfo is not None):
            raise BadSeries(
                f"line {line}: {timestamp!r} {'has no' if aware else 'has an'} offset, unlike the rows before; "
                "write the offset on every row or on none"
            )
        at = at.astimezone(UTC) if aware else at.replace(tzinfo=UTC)
        if previous is not None and at < previous:
            raise BadSeries(
                f"line {line}: {timestamp!r} is before the row above it; sort the file by time, "
                "and write offsets where the clock was put back"
            )
        previous = at
        score, alert = detector.add(at, _read_value(text, line))
        yield ScoredRow(timestamp, text, score, alert)
    if previous is None:
        raise BadSeries("there is no row below the header; the file must hold timestamp,value rows")


def _read_timestamp(text: str, line: int) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadSeries(
            f"line {line}: {text[:_SHOWN]!r} is no timestamp; write it like 2026-01-31T09:00:00+00:00"
        ) from None


def _read_value(text: str, line: int) -> float | None:
    if not text.strip():
        return None
    try:
        # Python takes 1_000 for a number.
        value = float(text.replace("_", "no number"))
    except ValueError:
        raise BadSeries(f"line {line}: {text[:_SHOWN]!r} is no number; leave it empty where it is not known") from None
    if isnan(value):
        return None
    if value < 0 or not isfinite(value):
        raise BadSeries(f"line {line}: {text[:_SHOWN]!r} is no count; counts are 0 or more, and finite")
    return value


class SeriesDetector:
    """Takes rows in order of time; its memory is bounded by the rows of `MEMORY`."""

    def __init__(self) -> None:
        self._past: deque[tuple[datetime, float]] = deque()
        self._sum = self._squares = 0.0
        self._added = 0
        self._latest: deque[float] = deque()
        self._entering: deque[tuple[datetime, float]] = deque()
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._first: datetime | None = None
        self._previous: datetime | None = None
        self._alerted: datetime | None = None

    def add(self, at: datetime, value: float | None) -> tuple[float, int]:
        """The score of a row and 1 where an alert begins; `None` is a missing value."""
        width = self._width(at)
        if value is None:
            return 0.0, 0
        self._first = self._first or at
        self._latest.append(value)
        while len(self._latest) > width:
            self._latest.popleft()
        level = 2 * sqrt(sum(self._latest) / len(self._latest) + 0.375)
        self._learn(at, width)
        deviations = self._deviations(at, level, len(self._latest))
        self._entering.append((at, level))
        alert = deviations > THRESHOLD and (self._alerted is None or at - self._alerted >= QUIET)
        if alert:
            self._alerted = at
        return round(deviations / (deviations + THRESHOLD), 6) if deviations > 0 else 0.0, int(alert)

    def _width(self, at: datetime) -> int:
        """How many rows the latest stretch has, by the usual distance of the rows seen so far."""
        if self._previous is not None and at > self._previous:
            gap = (at - self._previous).total_seconds()
            self._gaps.append(gap)
            usual = sorted(self._gaps)[len(self._gaps) // 2]
            if gap > LEAST_LATEST * usual:
                # What lies beyond a gap is not the latest any more.
                self._latest.clear()
        self._previous = at
        if not self._gaps:
            return LEAST_LATEST
        return max(LEAST_LATEST, round(LATEST.total_seconds() / sorted(self._gaps)[len(self._gaps) // 2]))

    def _learn(self, at: datetime, width: int) -> None:
        """Let rows into the memory once they share no value with the latest stretch, and out when they are too old."""
        while len(self._entering) >= width:
            entry = self._entering.popleft()
            self._past.append(entry)
            self._sum += entry[1]
            self._squares += entry[1] ** 2
            self._added += 1
        while self._past and at - self._past[0][0] > MEMORY:
            _, level = self._past.popleft()
            self._sum -= level
            self._squares -= level**2
        if self._added >= _SUM_AGAIN:
            self._added = 0
            self._sum = sum(level for _, level in self._past)
            self._squares = sum(level**2 for _, level in self._past)

    def _deviations(self, at: datetime, level: float, rows: int) -> float:
        size = len(self._past)
        if size < LEAST_ROWS or self._first is None or at - self._first < WARM_UP:
            return 0.0
        mean = self._sum / size
        deviation = sqrt(max(0.0, self._squares / size - mean**2))
        return (level - mean) / max(deviation, _LEAST_DEVIATION / sqrt(rows))
