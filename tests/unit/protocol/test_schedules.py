"""Who is on call, above all in the two nights in which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alert.protocol.schedules import changes, on_call
from tocsin.contracts.settings.protocol import HoursSettings, RotationSettings, ScheduleSettings, Weekday

PARIS = ZoneInfo("Europe/Paris")
EVERY_DAY: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPRING = date(2026, 3, 29)  # 02:00 becomes 03:00
AUTUMN = date(2026, 10, 25)  # 03:00 becomes 02:00


def schedule(*layers: RotationSettings, zone: str = "Europe/Paris") -> ScheduleSettings:
    return ScheduleSettings(id="s", time_zone=zone, layers=layers)


def daily(at: time, *people: str, start: date = date(2026, 1, 1)) -> RotationSettings:
    return RotationSettings(people=people, start=start, at=at, length="day")


def hours(
    begin: int, until: int, *people: str, weekdays: tuple[Weekday, ...] = EVERY_DAY, length: str = "day"
) -> RotationSettings:
    return RotationSettings.model_validate(
        {
            "people": people,
            "start": date(2026, 1, 1),
            "at": "00:00",
            "length": length,
            "weekdays": weekdays,
            "hours": HoursSettings(begin=time(begin), until=time(until)),
        }
    )


def handovers(written: ScheduleSettings, day: date) -> list[tuple[str, str | None]]:
    """(UTC time, who) at each minute of the night at which somebody else takes over."""
    start = datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC) - timedelta(hours=1)
    found, known = [], on_call(written, start)
    for minute in range(8 * 60):
        at = start + timedelta(minutes=minute)
        now = on_call(written, at)
        if now != known:
            found.append((f"{at:%H:%M}", now))
            known = now
    return found


@pytest.mark.parametrize(
    ("day", "at", "expected"),
    [
        (SPRING, time(2, 30), "01:30"),  # does not exist: an hour later on the wall clock, 03:30
        (SPRING, time(3, 0), "01:00"),
        (SPRING, time(1, 59), "00:59"),
        (AUTUMN, time(2, 30), "00:30"),  # exists twice: the first time
        (AUTUMN, time(3, 0), "02:00"),
        (AUTUMN, time(1, 0), "23:00"),
    ],
)
def test_a_handover_happens_exactly_once_in_the_nights_of_the_clock_change(day: date, at: time, expected: str) -> None:
    assert [minute for minute, _ in handovers(schedule(daily(at, "lea", "sam")), day)] == [expected]


@pytest.mark.parametrize(("day", "length"), [(SPRING, 8), (AUTUMN, 10)])
def test_a_night_shift_is_an_hour_shorter_in_spring_and_longer_in_autumn(day: date, length: int) -> None:
    night = schedule(hours(21, 6, "lea"))
    evening = datetime(day.year, day.month, day.day, 12, tzinfo=PARIS) - timedelta(days=1)
    minutes = [evening.astimezone(UTC) + timedelta(minutes=minute) for minute in range(24 * 60)]
    assert sum(on_call(night, at) == "lea" for at in minutes) == length * 60


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("around", [date(2026, 3, 8), SPRING, AUTUMN, date(2026, 11, 1)])
def test_day_and_night_shifts_together_leave_no_minute_and_change_at_their_wall_clock(zone: str, around: date) -> None:
    shifts = schedule(hours(8, 20, "day"), hours(20, 8, "night"), zone=zone)
    start = datetime(around.year, around.month, around.day, tzinfo=UTC) - timedelta(days=1)
    for minute in range(0, 3 * 24 * 60, 10):
        at = start + timedelta(minutes=minute)
        wall = at.astimezone(ZoneInfo(zone)).time()
        assert on_call(shifts, at) == ("day" if time(8) <= wall < time(20) else "night")


def test_people_take_turns_by_the_week_from_monday_nine_o_clock() -> None:
    weekly = schedule(RotationSettings(people=("lea", "sam", "ines"), start=date(2026, 3, 2), at=time(9)))
    nine = datetime(2026, 3, 2, 9, tzinfo=PARIS)
    assert on_call(weekly, nine - timedelta(seconds=1)) is None
    turns = [on_call(weekly, datetime(2026, 3, 2, 9, tzinfo=PARIS) + timedelta(weeks=week)) for week in range(4)]
    assert turns == ["lea", "sam", "ines", "lea"]
    assert on_call(weekly, nine + timedelta(weeks=1, seconds=-1)) == "lea"


def test_a_later_layer_wins_where_it_has_somebody() -> None:
    written = schedule(daily(time(0), "base"), hours(18, 22, "evening", weekdays=("sat",)))
    saturday = datetime(2026, 3, 7, 19, tzinfo=PARIS)
    assert on_call(written, saturday) == "evening"
    assert on_call(written, saturday + timedelta(days=1)) == "base"
    assert on_call(written, saturday + timedelta(hours=3)) == "base"


def test_hours_over_midnight_belong_to_the_day_they_began_on() -> None:
    friday_night = schedule(hours(22, 6, "lea", weekdays=("fri",)))
    assert on_call(friday_night, datetime(2026, 3, 7, 5, 59, tzinfo=PARIS)) == "lea"
    assert on_call(friday_night, datetime(2026, 3, 7, 6, 0, tzinfo=PARIS)) is None
    assert on_call(friday_night, datetime(2026, 3, 7, 22, 0, tzinfo=PARIS)) is None


@given(
    begin=st.integers(0, 23),
    until=st.integers(0, 23),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
    weekdays=st.sets(st.sampled_from(EVERY_DAY), min_size=1),
    minute=st.integers(0, 365 * 24 * 60),
)
def test_nothing_changes_between_two_instants_that_are_named_as_changes(
    begin: int, until: int, zone: str, weekdays: set[Weekday], minute: int
) -> None:
    written = schedule(daily(time(3, 30), "a", "b"), hours(begin, until, "c", "d", weekdays=tuple(weekdays)), zone=zone)
    since = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(minutes=minute)
    until_instant = since + timedelta(days=2)
    edges = [*changes(written, since, until_instant), until_instant]
    assert edges[0] == since
    for left, right in pairwise(edges):
        middle = left + (right - left) / 2
        assert on_call(written, left) == on_call(written, middle) == on_call(written, right - timedelta(seconds=1))


def test_a_time_of_day_without_quotes_is_what_was_meant() -> None:
    # YAML reads an unquoted 22:00 as 1320.
    layer = RotationSettings.model_validate({"people": ["lea"], "start": "2026-01-05", "at": 1320})
    assert layer.at == time(22, 0)
    with pytest.raises(ValueError, match="no time of day"):
        RotationSettings.model_validate({"people": ["lea"], "start": "2026-01-05", "at": 22})
    with pytest.raises(ValueError, match="wall clock"):
        RotationSettings.model_validate({"people": ["lea"], "start": "2026-01-05", "at": "09:00+02:00"})
