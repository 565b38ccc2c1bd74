"""A source that falls silent: an alarm of its own, measured against the source's own habit.

A source is silent when nothing is so improbable as nothing: −log10 P(X = 0) over the time since its last mention, with X
negative binomial around the source's own mean for those hours of the day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from services.alert.detection.blocks import HourBlock
from services.alert.detection.observations import HOUR, HourCount, start_of_hour
from services.alert.detection.state import MOST_INTERVALS, BrandState, Interval, SilentSource
from services.alert.detection.surprise import silence_surprise
from tocsin.contracts.settings.detection import DetectionSettings

_MUCH = 0.2
"""A source that carries this share of the mentions makes an hour of silence worthless to the baseline."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How a source usually speaks about a brand."""

    by_hour: tuple[float, ...]
    """Mean mentions in each of the 24 hours (UTC)."""
    dispersion: float
    longest_gap: timedelta
    share: float
    """Of the brand's mentions."""
    last_hour: datetime
    """Start of its last clock hour with a mention, imported and late ones too."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The state after looking at the sources, and what changed."""

    state: BrandState
    newly_silent: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


def learn_habits(
    history: Sequence[HourCount], instant: datetime, state: BrandState, settings: DetectionSettings
) -> dict[str, Habit]:
    """The habit of each source over the memory, without the hours in which it was known to be silent."""
    end = start_of_hour(instant)
    if state.known_since is None or end - state.known_since < settings.baseline.cold:
        return {}
    start = max(start_of_hour(state.known_since), end - settings.baseline.memory)
    size = int((end - start) / HOUR)
    hours: dict[str, np.ndarray] = {}
    for count in history:
        index = int((count.hour - start) / HOUR)
        if 0 <= index < size:
            for source, mentions in count.sources.items():
                hours.setdefault(source, np.zeros(size))[index] = mentions
    use = np.ones(size, dtype=bool)
    for stretch in state.silences:
        low, high = int((start_of_hour(stretch.start) - start) / HOUR), int((stretch.end - start) / HOUR) + 1
        use[max(0, low) : max(0, high)] = False
    total = sum(float(counts.sum()) for counts in hours.values())
    clock = (start.hour + np.arange(size)) % 24
    habits = {}
    for source, counts in sorted(hours.items()):
        # The present silence, if this is one, must not teach that silence is usual.
        spoken = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
        if spoken:
            last_hour = start + (spoken - 1) * HOUR
            habits[source] = _habit(counts[:spoken], use[:spoken], clock[:spoken], total, last_hour)
    return habits


def _habit(counts: np.ndarray, use: np.ndarray, clock: np.ndarray, total: float, last_hour: datetime) -> Habit:
    number = np.bincount(clock, use, 24)
    mean = np.bincount(clock, counts * use, 24) / np.maximum(number, 1)
    fitted = mean[clock]
    residual = float((((counts - fitted) * use) ** 2).sum()) / max(float((fitted * use).sum()), 1e-9)
    longest = run = 0
    for count, used in zip(counts, use, strict=True):
        run = run + 1 if used and count == 0 else 0
        longest = max(longest, run)
    # An empty clock hour between two mentions is a gap of up to two hours.
    share = float(counts.sum()) / max(total, 1.0)
    return Habit(tuple(mean.tolist()), max(1.0, residual), (longest + 1) * HOUR, share, last_hour)


def watch_sources(
    state: BrandState,
    instant: datetime,
    blocks: Sequence[HourBlock],
    habits: Mapping[str, Habit],
    settings: DetectionSettings,
    *,
    muted: Collection[str] = (),
) -> Watched:
    """Which sources are silent at `instant`; `blocks` are those of the last day, by time. `muted` ones are not looked at."""
    if not habits:
        return Watched(state)
    silence = settings.silence
    already = {item.source: item for item in state.silent}
    silent: list[SilentSource] = []
    over: list[Interval] = []
    newly: list[str] = []
    back: list[str] = []
    for source, habit in habits.items():
        if source in muted:
            continue
        last, at_latest = _last_heard(source, habit, blocks, instant)
        gap = instant - at_latest
        if source in already:
            if last > already[source].since:
                back.append(source)
                if habit.share >= _MUCH:
                    over.append(Interval(start=already[source].since, end=last))
            else:
                silent.append(already[source])
            continue
        if gap < silence.at_least or gap < silence.times_longest * habit.longest_gap:
            continue
        mean = _expected_since(at_latest, instant, habit)
        surprise = silence_surprise(mean, habit.dispersion * mean)
        if surprise >= silence.surprise:
            newly.append(source)
            silent.append(SilentSource(source=source, since=last, expected=round(mean, 1), surprise=round(surprise, 2)))
    if not (newly or back):
        return Watched(state)
    changed = state.model_copy(update={"silent": tuple(silent), "silences": (*state.silences, *over)[-MOST_INTERVALS:]})
    return Watched(changed, tuple(newly), tuple(back))


def _last_heard(source: str, habit: Habit, blocks: Sequence[HourBlock], instant: datetime) -> tuple[datetime, datetime]:
    """When the source was last heard, and the latest that it may have been.

    The same within the last day; by the clock hour for what is longer ago, and for what was imported and wakes nobody.
    """
    for block in reversed(blocks):
        if source in block.sources:
            heard = (block.rows["source"] == block.sources.index(source)) & (
                block.rows["seconds"] <= instant.timestamp()
            )
            if heard.any():
                at = datetime.fromtimestamp(float(block.rows["seconds"][heard][-1]), UTC)
                return at, at
    return habit.last_hour, habit.last_hour + HOUR


def _expected_since(last: datetime, instant: datetime, habit: Habit) -> float:
    mean, hour = 0.0, start_of_hour(last)
    while hour < instant:
        part = (min(instant, hour + HOUR) - max(last, hour)) / HOUR
        mean += habit.by_hour[hour.hour] * part
        hour += HOUR
    return mean
