"""The brand's own normal: what a window would hold if nothing were the matter.

The expected count of an hour is the mean of the same hour (± 1 h) of other days in the brand's time zone, drawn towards the
same hour of the *week* as its samples grow. A window's prediction is that of a Gamma-Poisson (Gelman et al., Bayesian Data
Analysis, ch. 2): variance φ·μ·(1 + 1/samples), with φ ≥ 1 from the brand's own calm residuals over windows of that length.
The plug-in mean, which forgets that μ is estimated, rings falsely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.observations import HOUR, HarmfulRates, HourCount, start_of_hour
from services.alert.detection.state import Interval
from tocsin.contracts.settings.detection import DetectionSettings

Floats = NDArray[np.float64]
_DAY, _WEEK = 24, 168
_AUTHORS, _HARMFUL, _CRISIS = 0, 1, 2
_NEIGHBOUR = 0.5
"""Weight of the hours before and after, beside the hour itself."""
_KERNEL_SAMPLES = (1 + 2 * _NEIGHBOUR) ** 2 / (1 + 2 * _NEIGHBOUR**2)
"""How many independent samples such a weighted mean of three is worth."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The prediction for a window: of what one counts there (authors, or harmful ones)."""

    mean: float
    variance: float

    def plus(self, more: float) -> Expected:
        """With so many more expected, as widely spread."""
        return self if self.mean <= 0 else Expected(self.mean + more, self.variance * (1 + more / self.mean))


@dataclass(frozen=True, slots=True)
class Series:
    """Hourly counts without gaps; `start` is the first hour."""

    start: datetime
    authors: Floats
    harmful: Floats
    """As the classifier says; its errors are on both sides of every comparison."""
    mistaken: Floats
    """How many of the authors it would call harmful by mistake if none were: Σ fpr of each author's language."""
    toxic: Floats
    crisis: Floats
    followers: Floats
    with_followers: Floats

    def index(self, hour: datetime) -> int:
        """The place of an hour; may lie outside."""
        return int((hour - self.start) / HOUR)


def series_of(history: Sequence[HourCount], start: datetime, end: datetime, rates: HarmfulRates) -> Series:
    """The hours from `start` up to `end` (excluded), 0 where history has no row."""
    size = max(0, int((end - start) / HOUR))
    columns = [np.zeros(size) for _ in range(7)]
    origin = start.timestamp()
    for count in history:
        index = int((count.hour.timestamp() - origin) // 3600)
        if 0 <= index < size:
            values = (
                count.authors, count.harmful, _mistaken(count, rates), count.toxic,
                count.crisis, count.followers, count.with_followers,
            )  # fmt: skip
            for column, value in zip(columns, values, strict=True):
                column[index] = value
    return Series(start, *columns)


def _mistaken(count: HourCount, rates: HarmfulRates) -> float:
    return sum(rates.of(language).fpr * pair.authors for language, pair in count.languages.items())


@lru_cache(maxsize=1 << 14)
def _week_slot(hour: int, zone: ZoneInfo) -> int:
    """The local hour of the week, 0 on Monday at midnight, of an hour in seconds since 1970."""
    local = datetime.fromtimestamp(hour, zone)
    return local.weekday() * _DAY + local.hour


class _Profile:
    """Expected count by local hour of the week, with the samples it rests on."""

    def __init__(
        self, counts: Floats, weights: Floats, week_slots: NDArray[np.int64], pooled: float, floor: float
    ) -> None:
        day_mean, day_samples = _smoothed(counts, weights, week_slots % _DAY, _DAY, fallback=floor)
        self.mean = np.tile(day_mean, 7)
        self.samples = np.tile(day_samples, 7)
        if np.isfinite(pooled):
            week_mean, week_samples = _smoothed(counts, weights, week_slots, _WEEK, fallback=floor)
            of_week = week_samples / (pooled + week_samples)
            of_day = 1 - of_week
            spread = of_day**2 / self.samples + 2 * of_day * of_week / self.samples
            spread += np.where(week_samples > 0, of_week**2 / np.maximum(week_samples, 1e-9), 0.0)
            self.mean = of_day * self.mean + of_week * week_mean
            self.samples = 1 / spread
        self.mean = np.maximum(self.mean, floor)


def _smoothed(
    counts: Floats, weights: Floats, slots: NDArray[np.int64], size: int, fallback: float
) -> tuple[Floats, Floats]:
    total = np.bincount(slots, counts * weights, size)
    samples = np.bincount(slots, weights, size)
    around_total = total + _NEIGHBOUR * (np.roll(total, 1) + np.roll(total, -1))
    around_samples = samples + _NEIGHBOUR * (np.roll(samples, 1) + np.roll(samples, -1))
    everything = counts @ weights / weights.sum() if weights.sum() > 0 else fallback
    mean = np.where(around_samples > 0, around_total / np.maximum(around_samples, 1e-9), everything)
    # An hour that was always masked is known from its neighbours at best: half a sample.
    return mean, np.maximum(around_samples / (1 + 2 * _NEIGHBOUR), 0.5 if size == _DAY else 0.0)


class Baseline:
    """What is normal for one brand, learned from its hours before a moment."""

    def __init__(
        self,
        learned: Series,
        weights: Floats,
        zone: ZoneInfo,
        widening: float,
        settings: DetectionSettings,
    ) -> None:
        """Use `learn`. `weights`: 0 for hours that do not teach."""
        self.settings = settings
        self.days = float(weights.sum()) / _DAY
        """Days of history that teach."""
        self._zone = zone
        self._widening = widening
        self._ahead: dict[int, _Ahead] = {}
        first = int(learned.start.timestamp())
        slots = np.array([_week_slot(first + 3600 * index, zone) for index in range(len(weights))], dtype=np.int64)
        pooled = settings.baseline.pooled_samples if self.days * _DAY * HOUR >= settings.baseline.week_after else np.inf
        floor = 0.5 / (weights.sum() + 1)
        self._counts = (learned.authors, learned.harmful, learned.crisis)
        self._pooled, self._floor = pooled, floor
        self._slots = slots
        self._learned: dict[int, _Fitted] = {}
        self._weights = weights
        authors, harmful = float(learned.authors @ weights), float(learned.harmful @ weights)
        self._dispersions: dict[tuple[int, int], float] = {}
        self.share = (harmful + 2) / (authors + 4)
        """s₀: the brand's own share of harmful authors, as the classifier says."""
        self.mistaken_share = float(learned.mistaken @ weights) / max(authors, 1.0)
        """How many of this brand's calm authors the classifier calls harmful by mistake (its fpr in their languages)."""
        self.toxic_share = (float(learned.toxic @ weights) + 1) / (harmful + 4)
        self.crisis_share = (float(learned.crisis @ weights) + 0.5) / (authors + 4)
        self.daily_followers = _daily_median(learned.followers * weights) if learned.with_followers.any() else None
        """Followers of a usual day's authors, added up; None where the source gives none."""

    def expect_authors(self, start: datetime, end: datetime, gone: Sequence[Interval] = ()) -> Expected:
        """V's prediction for (`start`, `end`], without the stretches in `gone`."""
        return self._expect(_AUTHORS, start, end, gone)

    def expect_harmful(self, start: datetime, end: datetime, gone: Sequence[Interval] = ()) -> Expected:
        """N's prediction for (`start`, `end`], without the stretches in `gone`."""
        return self._expect(_HARMFUL, start, end, gone)

    def expect_crisis(self, start: datetime, end: datetime, gone: Sequence[Interval] = ()) -> Expected:
        """The prediction of authors with a crisis word for (`start`, `end`], without the stretches in `gone`."""
        return self._expect(_CRISIS, start, end, gone)

    def _fit(self, which: int) -> _Fitted:
        """What is normal of one of the counts, learned when it is first asked for."""
        fitted = self._learned.get(which)
        if fitted is None:
            profile = _Profile(self._counts[which], self._weights, self._slots, self._pooled, self._floor)
            mean = profile.mean[self._slots]
            fitted = _Fitted(profile, (self._counts[which] - mean) * self._weights, mean * self._weights)
            self._learned[which] = fitted
        return fitted

    def _expect(self, which: int, start: datetime, end: datetime, gone: Sequence[Interval]) -> Expected:
        mean = weighted = seconds = 0.0
        ahead = self._ahead.get(which)
        low, high = start.timestamp(), end.timestamp()
        if ahead is None or not ahead.first <= low <= high <= ahead.last:
            ahead = self._ahead[which] = _Ahead(self._fit(which).profile, self._zone, low, high)
        for begin, finish in _without(low, high, gone):
            more_mean, more_weighted = ahead.between(begin, finish)
            mean, weighted, seconds = mean + more_mean, weighted + more_weighted, seconds + finish - begin
        if mean <= 0:
            return Expected(0.0, 0.0)
        samples = weighted / mean * (1 + (_KERNEL_SAMPLES - 1) / max(1.0, seconds / 3600))
        length = max(1, round((end - start) / HOUR))
        return Expected(mean, self.dispersion(which, length) * mean * (1 + 1 / samples))

    def dispersion(self, which: int, length: int) -> float:
        """φ of windows of `length` hours (`which`: 0 authors, 1 harmful ones, 2 those with a crisis word), at least 1.

        A weighted mean of a guess for a brand that nobody knows yet (Poisson times a daily level that swings by
        `prior_variation`) and of Σ(residual²)/Σ(fitted) over all calm windows of that length.
        """
        known = self._dispersions.get((which, length))
        if known is not None:
            return known
        baseline = self.settings.baseline
        fit = self._fit(which)
        per_hour = float(fit.fitted.sum()) / max(float(self._weights.sum()), 1.0)
        guess = 1 + baseline.prior_variation**2 * per_hour * length
        whole = (
            np.convolve(self._weights, np.ones(length), "valid") >= length - 0.5
            if len(self._weights) >= length
            else None
        )
        measured, days = guess, 0.0
        if whole is not None and whole.any():
            residuals = np.convolve(fit.residuals, np.ones(length), "valid")[whole]
            fitted = np.convolve(fit.fitted, np.ones(length), "valid")[whole]
            samples = max(1.5, self.days * (1 + (_KERNEL_SAMPLES - 1) / length))
            measured = float(residuals @ residuals) / max(float(fitted.sum()), 1e-9) / (1 - 1 / samples)
            days = self.days
        phi = (baseline.prior_days * guess + days * measured) / (baseline.prior_days + days)
        self._dispersions[which, length] = max(1.0, phi) * self._widening
        return self._dispersions[which, length]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What one count is by the hour of the week, and how the past lay around it."""

    profile: _Profile
    residuals: Floats
    fitted: Floats


class _Ahead:
    """Running sums of a profile over the hours around a window, so that every window of an hour costs two look-ups."""

    def __init__(self, profile: _Profile, zone: ZoneInfo, low: float, high: float) -> None:
        # A day more on each side: the other windows of this hour will ask for it.
        self.first = int(low // 3600) * 3600 - _DAY * 3600
        self.last = int(high // 3600) * 3600 + _DAY * 3600
        slots = [_week_slot(hour, zone) for hour in range(self.first, self.last, 3600)]
        means = profile.mean[slots]
        self._means = np.concatenate(([0.0], np.cumsum(means))).tolist()
        self._weighted = np.concatenate(([0.0], np.cumsum(means * profile.samples[slots]))).tolist()

    def between(self, low: float, high: float) -> tuple[float, float]:
        """Σ mean and Σ mean·samples between two moments (seconds since 1970), parts of hours by their share."""
        return (
            self._until(self._means, high) - self._until(self._means, low),
            self._until(self._weighted, high) - self._until(self._weighted, low),
        )

    def _until(self, sums: list[float], at: float) -> float:
        hours = (at - self.first) / 3600
        index = min(int(hours), len(sums) - 2)
        return sums[index] + (hours - index) * (sums[index + 1] - sums[index])


def _without(low: float, high: float, gone: Sequence[Interval]) -> list[tuple[float, float]]:
    """What is left of a stretch when `gone` is taken out."""
    left = [(low, high)]
    for stretch in gone:
        start, end = stretch.start.timestamp(), stretch.end.timestamp()
        if start < high and end > low:
            cut = [((begin, min(finish, start)), (max(begin, end), finish)) for begin, finish in left]
            left = [piece for pair in cut for piece in pair if piece[0] < piece[1]]
    return left


def _daily_median(followers: Floats) -> float | None:
    days = len(followers) // _DAY
    if days == 0:
        return None
    return max(1.0, float(np.median(followers[: days * _DAY].reshape(days, _DAY).sum(axis=1))))


def learn(
    history: Sequence[HourCount],
    *,
    instant: datetime,
    known_since: datetime,
    zone: str,
    masked: Sequence[Interval],
    broken_at: datetime | None,
    rates: HarmfulRates,
    settings: DetectionSettings,
) -> Baseline:
    """The baseline at `instant`. It changes once an hour: two instants of one hour with the same history give the same one.

    `known_since` is the brand's first hour ever, `masked` what teaches nothing (alerts, silences), `broken_at` the latest
    change of query, sources or neural network: what lies before it weighs a quarter, and the band is wider until as much has been seen
    since as a brand needs to be known at all.
    """
    now = start_of_hour(instant)
    guarded = now - settings.baseline.guard
    start = max(start_of_hour(known_since), guarded - settings.baseline.memory)
    learned = series_of(history, start, max(start, guarded), rates)
    weights = np.ones(len(learned.authors))
    for stretch in masked:
        first = max(0, learned.index(start_of_hour(stretch.start)))
        last = max(0, learned.index(start_of_hour(stretch.end)) + 1)
        weights[first:last] = 0
    widening = 1.0
    if broken_at is not None:
        weights[: max(0, learned.index(start_of_hour(broken_at)))] *= 0.25
        if now - broken_at < settings.baseline.cold:
            widening = 2.0
    return Baseline(learned, weights, ZoneInfo(zone), widening, settings)
