"""Clocks: injected, scaled, and standing still."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.clock import ManualClock, ScaledClock, SystemClock

START = datetime(2026, 3, 14, 20, 40, tzinfo=UTC)


def test_a_scaled_clock_begins_where_it_is_told_and_runs_ahead() -> None:
    clock = ScaledClock(START, speed=1_000_000)
    assert clock.now() >= START
    # An event that nobody sets: the wait is over when the scaled time has passed.
    assert not clock.wait(threading.Event(), 60)
    assert clock.now() >= START + timedelta(seconds=60)


def test_a_scaled_clock_never_jumps_when_its_speed_changes() -> None:
    clock = ScaledClock(START, speed=3600)
    before = clock.now()
    clock.change_speed(1)
    assert before <= clock.now() < before + timedelta(minutes=30)


def test_a_scaled_clock_refuses_a_start_without_offset_and_a_speed_of_nothing() -> None:
    with pytest.raises(ValueError, match="needs an offset"):
        ScaledClock(START.replace(tzinfo=None), 1)
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(START, 0)


def test_a_manual_clock_moves_only_when_it_is_moved_and_can_jump_back() -> None:
    clock = ManualClock(START)
    assert clock.now() == START
    clock.move(90)
    assert clock.now() == START + timedelta(seconds=90)
    clock.move(-3600)
    assert clock.now() == START - timedelta(seconds=3510)


def test_who_waits_on_a_manual_clock_goes_on_when_it_is_moved() -> None:
    clock = ManualClock(START)
    done = threading.Event()
    waiting = threading.Thread(target=lambda: (clock.wait(threading.Event(), 60), done.set()))
    waiting.start()
    while not done.is_set():
        clock.move(10)
    waiting.join()
    assert clock.now() >= START + timedelta(seconds=60)


def test_the_system_clock_is_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
