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
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.observations import HOUR, HarmfulRates, HourCount, start_of_hour
from services.alert.detection.state import Interval
from tocsin.contracts.settings.detection import DetectionSettings

Floats = NDArray[np.float64]
_DAY, _WEEK = 24, 168
_NEIGHBOUR = 0.5
"""Weight of the hours before and after, beside the hour itself."""
_KERNEL_SAMPLES = (1 + 2 * _NEIGHBOUR) ** 2 / (1 + 2 * _NEIGHBOUR**2)
"""How many independent samples such a weighted mean of three is worth."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The prediction for a window: of what one counts there (authors, or harmful ones)."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Series:
    """Hourly counts without gaps; `start` is the first hour."""

    start: datetime
    authors: Floats
    harmful: Floats
    """Corrected; may be a little below 0 in an hour."""
    observed_harmful: Floats
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
                count.authors, _corrected(count, rates), count.harmful, count.toxic,
                count.crisis, count.followers, count.with_followers,
            )  # fmt: skip
            for column, value in zip(columns, values, strict=True):
                column[index] = value
    return Series(start, *columns)


def _corrected(count: HourCount, rates: HarmfulRates) -> float:
    total = 0.0
    for language, pair in count.languages.items():
        rate = rates.of(language)
        total += (pair.harmful - rate.fpr * pair.authors) / (rate.tpr - rate.fpr)
    return total


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
        self._slots: dict[int, int] = {}
        hours = int(learned.start.timestamp()) + 3600 * np.arange(len(weights))
        slots = np.array([self._slot(int(hour)) for hour in hours], dtype=np.int64)
        pooled = settings.baseline.pooled_samples if self.days * _DAY * HOUR >= settings.baseline.week_after else np.inf
        floor = 0.5 / (weights.sum() + 1)
        self._profiles = (
            _Profile(learned.authors, weights, slots, pooled, floor),
            _Profile(learned.harmful, weights, slots, pooled, floor),
        )
        self._residuals = tuple(
            (counts - profile.mean[slots]) * weights
            for counts, profile in zip((learned.authors, learned.harmful), self._profiles, strict=True)
        )
        self._fitted = tuple(profile.mean[slots] * weights for profile in self._profiles)
        self._weights = weights
        # Correcting for a classifier's errors spreads the counts even when the truth is Poisson.
        authors, observed = learned.authors @ weights, learned.observed_harmful @ weights
        corrected = max(float(learned.harmful @ weights), floor)
        self._own_spread = (1.0, max(1.0, float(observed) / corrected))
        self._dispersions: dict[tuple[int, int], float] = {}
        self.share = (max(float(learned.harmful @ weights), 0.0) + 2) / (float(authors) + 4)
        """s₀: the brand's own share of harmful authors."""
        harmful = float(observed)
        self.toxic_share = (float(learned.toxic @ weights) + 1) / (harmful + 4)
        self.crisis_share = (float(learned.crisis @ weights) + 0.5) / (float(authors) + 4)
        self.daily_followers = _daily_median(learned.followers * weights) if learned.with_followers.any() else None
        """Followers of a usual day's authors, added up; None where the source gives none."""

    def _slot(self, hour: int) -> int:
        slot = self._slots.get(hour)
        if slot is None:
            local = datetime.fromtimestamp(hour, self._zone)
            slot = self._slots[hour] = local.weekday() * _DAY + local.hour
        return slot

    def expect_authors(self, start: datetime, end: datetime, gone: Sequence[Interval] = ()) -> Expected:
        """V's prediction for (`start`, `end`], without the stretches in `gone`."""
        return self._expect(0, start, end, gone)

    def expect_harmful(self, start: datetime, end: datetime, gone: Sequence[Interval] = ()) -> Expected:
        """N̂'s prediction for (`start`, `end`], without the stretches in `gone`."""
        return self._expect(1, start, end, gone)

    def _expect(self, which: int, start: datetime, end: datetime, gone: Sequence[Interval]) -> Expected:
        profile = self._profiles[which]
        low, high = start.timestamp(), end.timestamp()
        hour = int(low // 3600) * 3600
        slots, parts = [], []
        while hour < high:
            slots.append(self._slot(hour))
            parts.append(
                _part(max(low, hour), min(high, hour + 3600), gone) if gone else min(high, hour + 3600) - max(low, hour)
            )
            hour += 3600
        share = np.array(parts) / 3600
        hours = float(share.sum())
        means = profile.mean[slots] * share
        mean = float(means.sum())
        if mean <= 0:
            return Expected(0.0, 0.0)
        samples = float(means @ profile.samples[slots]) / mean * (1 + (_KERNEL_SAMPLES - 1) / max(1.0, hours))
        length = max(1, round((end - start) / HOUR))
        return Expected(mean, self.dispersion(which, length) * mean * (1 + 1 / samples))

    def dispersion(self, which: int, length: int) -> float:
        """φ of windows of `length` hours (`which`: 0 authors, 1 harmful ones), at least 1.

        A weighted mean of a guess for a brand that nobody knows yet (Poisson times a daily level that swings by
        `prior_variation`) and of Σ(residual²)/Σ(fitted) over all calm windows of that length.
        """
        known = self._dispersions.get((which, length))
        if known is not None:
            return known
        baseline = self.settings.baseline
        own = self._own_spread[which]
        per_hour = float(self._fitted[which].sum()) / max(float(self._weights.sum()), 1.0)
        guess = own + baseline.prior_variation**2 * per_hour * length
        whole = (
            np.convolve(self._weights, np.ones(length), "valid") >= length - 0.5
            if len(self._weights) >= length
            else None
        )
        measured, days = guess, 0.0
        if whole is not None and whole.any():
            residuals = np.convolve(self._residuals[which], np.ones(length), "valid")[whole]
            fitted = np.convolve(self._fitted[which], np.ones(length), "valid")[whole]
            samples = max(1.5, self.days * (1 + (_KERNEL_SAMPLES - 1) / length))
            measured = float(residuals @ residuals) / max(float(fitted.sum()), 1e-9) / (1 - 1 / samples)
            days = self.days
        phi = (baseline.prior_days * guess + days * measured) / (baseline.prior_days + days)
        self._dispersions[which, length] = max(1.0, phi) * self._widening
        return self._dispersions[which, length]


def _part(low: float, high: float, gone: Sequence[Interval]) -> float:
    rest = high - low
    for stretch in gone:
        rest -= max(0.0, min(high, stretch.end.timestamp()) - max(low, stretch.start.timestamp()))
    return max(0.0, rest)


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
        if instant - broken_at < settings.baseline.cold:
            widening = 2.0
    return Baseline(learned, weights, ZoneInfo(zone), widening, settings)
