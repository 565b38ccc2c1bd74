"""The gate, rising at once, and falling after calm."""

from __future__ import annotations

from datetime import timedelta

from services.alert.detection.levels import Signals, next_state, present_mask
from services.alert.detection.state import MOST_INTERVALS, BrandState
from tests.unit.detection.given import HOUR, NOW, SETTINGS
from tocsin.contracts.incidents import Level

PASSES = Signals(passes=True, calm=False, z=4.5, notice=True, passed_by=HOUR)
AT_ONCE = Signals(passes=True, at_once=True, calm=False, z=7.5, notice=True, passed_by=HOUR)
CALM = Signals()
UNDECIDED = Signals(calm=False)
MINUTES = timedelta(minutes=1)


def run(*steps: tuple[int, Signals], may_fall: bool = True) -> tuple[BrandState, list[str]]:
    """The state after signals at so many minutes, and the events on the way."""
    state, told = BrandState(), []
    for minute, signals in steps:
        state, event = next_state(state, NOW + minute * MINUTES, signals, SETTINGS, may_fall=may_fall)
        if event:
            told.append(f"{minute}: {event} {state.level}")
    return state, told


def test_orange_waits_for_a_second_evaluation() -> None:
    assert run((0, PASSES), (5, PASSES), (10, PASSES), (15, PASSES))[1] == ["0: opened yellow", "15: raised orange"]


def test_a_pass_that_is_not_confirmed_in_time_is_forgotten() -> None:
    later = [(minute, CALM) for minute in range(5, 60, 5)]
    assert run((0, PASSES), *later, (60, PASSES), (65, PASSES))[0].level is not Level.ORANGE


def test_what_is_very_surprising_waits_for_nothing() -> None:
    assert run((0, AT_ONCE))[1] == ["0: opened orange"]


def test_red_needs_orange_twice_and_a_high_quantile_or_press_or_grave_kinds() -> None:
    assert run((0, AT_ONCE), (5, AT_ONCE), (15, AT_ONCE))[1] == ["0: opened orange", "15: raised red"]
    grave = Signals(passes=True, at_once=True, calm=False, grave=True, passed_by=HOUR)
    assert run((0, grave))[1] == ["0: opened red"]


def test_a_level_falls_only_after_calm_has_lasted() -> None:
    hours = [(minute, CALM) for minute in range(5, 200, 5)]
    assert run((0, AT_ONCE), *hours)[1] == ["0: opened orange", "185: closed green"]


def test_calm_that_is_interrupted_begins_anew() -> None:
    first = [(minute, CALM) for minute in range(5, 100, 5)]
    second = [(minute, CALM) for minute in range(105, 250, 5)]
    assert run((0, AT_ONCE), *first, (100, UNDECIDED), *second)[0].level is Level.ORANGE


def test_nothing_falls_while_the_stream_is_incomplete() -> None:
    hours = [(minute, CALM) for minute in range(5, 600, 5)]
    assert run((0, AT_ONCE), *hours, may_fall=False)[0].level is Level.ORANGE


def test_an_alert_that_is_over_is_masked_from_its_onset() -> None:
    state, _ = run((0, AT_ONCE), *[(minute, CALM) for minute in range(5, 200, 5)])
    (mask,) = state.masks
    assert (mask.start, mask.end) == (NOW - HOUR, NOW + 185 * MINUTES)


def test_a_very_long_alert_becomes_the_new_normal() -> None:
    state, _ = run((0, AT_ONCE), (10_000, PASSES))
    mask = present_mask(state, NOW + 10_000 * MINUTES, SETTINGS)
    assert mask is not None
    assert mask.end - mask.start == SETTINGS.baseline.longest_mask


def test_a_state_survives_json() -> None:
    state, _ = run((0, AT_ONCE), *[(minute, CALM) for minute in range(5, 200, 5)], (300, PASSES))
    assert BrandState.model_validate_json(state.model_dump_json()) == state


def test_a_state_is_small_however_much_a_brand_went_through() -> None:
    state = BrandState(judged=NOW)
    for day in range(400):
        at = NOW + day * 24 * HOUR
        state, _ = next_state(state, at, AT_ONCE, SETTINGS, may_fall=True)
        for hour in (1, 5, 9):
            state, _ = next_state(state, at + hour * HOUR, CALM, SETTINGS, may_fall=True)
    assert len(state.masks) == MOST_INTERVALS
    silent = state.model_copy(update={"silences": state.masks})
    assert len(silent.model_dump_json()) <= 15_000
