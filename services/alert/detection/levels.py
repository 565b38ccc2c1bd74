"""From signals to a level: the gate with its second evaluation, rising at once, falling only after calm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alert.detection.state import MOST_INTERVALS, BrandState, EventKind, Interval
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings

_PATIENCE = 3
"""A first pass is forgotten when no second came within so many times the wait between the two."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What one evaluation saw, as far as levels care."""

    passes: bool = False
    """A window opens the gate (or, cold, the absolute defaults do)."""
    at_once: bool = False
    """And no second evaluation is needed."""
    calm: bool = True
    """Nothing holds a level up any more."""
    notice: bool = False
    """Worth a yellow notice."""
    z: float = 0.0
    """The highest of the windows that pass."""
    grave: bool = False
    """Press, or safety or legal risk by several: orange is red."""
    passed_by: timedelta | None = None
    """The shortest window that passes."""
    floor: Level = Level.GREEN
    """What a watch rule that rang holds the level at."""


def next_state(
    state: BrandState, instant: datetime, signals: Signals, settings: DetectionSettings, *, may_fall: bool
) -> tuple[BrandState, EventKind | None]:
    """The state after an evaluation, and what happened to the level.

    `may_fall` is False where the stream is not known to be complete up to `instant`: nothing is closed on missing data.
    """
    wait = settings.gate.confirmed_after
    pending = state.pending_since
    if pending is not None and not signals.passes and instant - pending > _PATIENCE * wait:
        pending = None
    if signals.passes and pending is None:
        pending = instant
    confirmed = signals.passes and (signals.at_once or (pending is not None and instant - pending >= wait))
    due = _due(state, instant, signals, settings, confirmed=confirmed)
    level, calm_since, calm_level = _settle(state, instant, due, settings, may_fall=may_fall)
    changes: dict[str, object] = {
        "level": level,
        "pending_since": pending if not level.serious else None,
        "calm_since": calm_since,
        "calm_level": calm_level,
        "judged": instant,
    }
    if level != state.level:
        changes["since"] = instant
    changes |= _alert(state, instant, level, signals, settings)
    return state.model_copy(update=changes), _event(state.level, level)


def _due(
    state: BrandState, instant: datetime, signals: Signals, settings: DetectionSettings, *, confirmed: bool
) -> Level:
    serious = state.level.serious
    due = Level.YELLOW if signals.notice else Level.GREEN
    if confirmed or (serious and not signals.calm):
        due = Level.ORANGE
    if signals.passes and (serious or confirmed):
        known_for = instant - state.serious_since if serious and state.serious_since else timedelta(0)
        twice = serious and known_for >= settings.gate.confirmed_after
        if signals.grave or (twice and signals.z >= settings.levels.red_z):
            due = Level.RED
    if serious and not signals.calm:
        due = max(due, state.level)
    return max(due, signals.floor)


def _settle(
    state: BrandState, instant: datetime, due: Level, settings: DetectionSettings, *, may_fall: bool
) -> tuple[Level, datetime | None, Level]:
    if due >= state.level:
        return due, None, Level.GREEN
    since = state.calm_since or instant
    highest = max(due, state.calm_level) if state.calm_since else due
    if may_fall and instant - since >= settings.levels.falls_after:
        return highest, None, Level.GREEN
    return state.level, since, highest


def _alert(
    state: BrandState, instant: datetime, level: Level, signals: Signals, settings: DetectionSettings
) -> dict[str, object]:
    began = level.serious and (not state.level.serious or (state.onset is None and signals.passes))
    if began:
        length = signals.passed_by or timedelta(hours=1)
        return {
            # A watch rule may have made it serious before.
            "serious_since": state.serious_since or instant,
            "opened_by": signals.passed_by,
            "onset": min(state.pending_since or instant, instant) - length,
        }
    if level.serious and signals.passed_by is not None:
        return {"opened_by": min(signals.passed_by, state.opened_by or signals.passed_by)}
    if state.level.serious and not level.serious:
        mask = present_mask(state, instant, settings)
        masks = (*state.masks, mask) if mask else state.masks
        return {"serious_since": None, "opened_by": None, "onset": None, "masks": masks[-MOST_INTERVALS:]}
    return {}


def present_mask(state: BrandState, instant: datetime, settings: DetectionSettings) -> Interval | None:
    """The stretch that the present alert keeps out of the baseline; None where there is no alert."""
    if state.onset is None:
        return None
    return Interval(start=state.onset, end=min(instant, state.onset + settings.baseline.longest_mask))


def _event(before: Level, after: Level) -> EventKind | None:
    if before == after:
        return None
    if before is Level.GREEN:
        return EventKind.OPENED
    if after is Level.GREEN:
        return EventKind.CLOSED
    return EventKind.RAISED if after > before else EventKind.LOWERED
