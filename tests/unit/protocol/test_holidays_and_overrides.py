"""Holidays in layers, rotations by the hour, and shifts that people take and give."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alert.protocol.coverage import Severity, find_gaps
from services.alert.protocol.directory import Directory
from services.alert.protocol.schedules import changes, on_call, shifts
from tests.team import CHANNELS, PEOPLE, steps
from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.protocol import (
    HolidaySettings,
    LevelPolicy,
    PolicySettings,
    RotationSettings,
    ScheduleSettings,
)
from tocsin.holiday_calendars import calendars_of, unknown_holidays

PARIS = ZoneInfo("Europe/Paris")
EASTER_MONDAY = date(2026, 4, 6)
CLOCK_CHANGES = {
    "Europe/Paris": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 10, 25)),  # has none: those of Paris, which people there think of
}


def layer(*people: str, **written: object) -> RotationSettings:
    return RotationSettings.model_validate({"people": people, "start": "2026-01-05", "at": "00:00", **written})


def schedule(*layers: RotationSettings, zone: str = "Europe/Paris", **days_off: object) -> ScheduleSettings:
    holidays = HolidaySettings.model_validate(days_off or {"country": "FR"})
    return ScheduleSettings(id="s", time_zone=zone, holidays=holidays, layers=layers)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=PARIS)


def override(person: str, since: datetime, until: datetime, number: int = 1, **more: object) -> Override:
    written = {"id": UUID(int=number), "schedule": "s", "by": "person:lea", "at": since - timedelta(days=1), **more}
    return Override.model_validate({**written, "person": person, "since": since, "until": until})


WORKING_HOURS = {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "hours": {"begin": "09:00", "until": "18:00"}}


def test_a_working_layer_is_off_on_public_holidays_and_the_layer_below_is_on_duty() -> None:
    written = schedule(layer("night"), layer("office", holidays="off", **WORKING_HOURS))
    days_off = calendars_of([written])["s"]
    for day, hour, person in (
        (EASTER_MONDAY, 10, "night"),
        (EASTER_MONDAY + timedelta(days=1), 10, "office"),
        (EASTER_MONDAY + timedelta(days=1), 8, "night"),
        (date(2026, 12, 25), 10, "night"),
        (date(2027, 5, 14), 10, "office"),
        (date(2027, 7, 14), 10, "night"),
    ):
        assert on_call(written, at(day, hour), days_off) == person


def test_a_weekend_layer_may_be_on_duty_on_holidays_too_and_one_on_holidays_only() -> None:
    weekend = schedule(layer("weekend", weekdays=["sat", "sun"], holidays="also"))
    only = schedule(layer("feast", holidays="only"))
    days_off = calendars_of([weekend])["s"]
    assert [on_call(weekend, at(date(2026, 4, day), 12), days_off) for day in (3, 4, 5, 6, 7)] == [
        None,
        "weekend",
        "weekend",
        "weekend",
        None,
    ]
    assert [on_call(only, at(date(2026, 4, day), 12), days_off) for day in (5, 6, 7)] == [None, "feast", None]


def test_a_team_adds_days_off_and_works_on_some_holidays() -> None:
    written = schedule(layer("office", holidays="off"), country="FR", extra=["2026-12-24"], but_not=["2026-05-08"])
    days_off = calendars_of([written])["s"]
    assert [day in days_off for day in (date(2026, 12, 24), date(2026, 5, 8), date(2026, 5, 1))] == [True, False, True]


def test_parts_of_a_country_have_holidays_of_their_own() -> None:
    bavaria = schedule(layer("x", holidays="off"), country="DE", subdivision="BY")
    berlin = schedule(layer("x", holidays="off"), country="DE", subdivision="BE")
    epiphany = date(2026, 1, 6)
    assert epiphany in calendars_of([bavaria])["s"]
    assert epiphany not in calendars_of([berlin])["s"]
    assert unknown_holidays("DE", "BY") is None
    assert "ISO 3166" in str(unknown_holidays("XX", None))
    assert "no part" in str(unknown_holidays("DE", "ZZ"))


def test_holidays_that_nobody_wrote_down_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="write which"):
        ScheduleSettings(id="s", layers=(layer("x", holidays="off"),))


@pytest.mark.parametrize("zone", CLOCK_CHANGES)
@pytest.mark.parametrize("which", [0, 1])
def test_a_rotation_of_twelve_hours_changes_at_its_wall_clock_in_the_nights_of_the_clock_change(
    zone: str, which: int
) -> None:
    written = schedule(layer("day", "night", at="08:00", length="12 h"), zone=zone)
    noon = datetime.combine(CLOCK_CHANGES[zone][which], time(12), ZoneInfo(zone)).astimezone(UTC) - timedelta(days=1)
    found = shifts(written, noon, noon + timedelta(days=2))
    local = [(shift.person, shift.since.astimezone(ZoneInfo(zone)).strftime("%H:%M")) for shift in found[1:]]
    assert local == [("night", "20:00"), ("day", "08:00"), ("night", "20:00"), ("day", "08:00")]
    lengths = {(shift.until - shift.since) / timedelta(hours=1) for shift in found if shift.person == "night"}
    expected = {"Asia/Kolkata": {12.0}}.get(zone, {12.0, 11.0 if which == 0 else 13.0})
    assert lengths == expected


@pytest.mark.parametrize("length", ["5 h", "30 min", "25 h", "month"])
def test_a_rotation_by_the_hour_divides_the_day(length: str) -> None:
    with pytest.raises(ValueError, match="day"):
        layer("x", length=length)


def test_an_override_wins_over_every_layer_and_the_last_word_over_an_earlier_one() -> None:
    written = schedule(layer("lea"))
    evening, midnight = at(date(2026, 3, 10), 20), at(date(2026, 3, 11), 0)
    given_to_sam = override("sam", evening, midnight)
    then_to_ines = override("ines", evening + timedelta(hours=1), midnight, number=2, at=evening)
    agreed = [then_to_ines, given_to_sam]
    found = shifts(written, evening - timedelta(hours=1), midnight + timedelta(hours=1), (), agreed)
    assert [(shift.person, shift.override and shift.override.id.int) for shift in found] == [
        ("lea", None),
        ("sam", 1),
        ("ines", 2),
        ("lea", None),
    ]
    assert found[2].until == midnight


def test_an_override_of_another_schedule_or_of_somebody_who_has_left_changes_nothing() -> None:
    written = schedule(layer("lea"))
    noon = at(date(2026, 3, 10), 12)
    foreign = override("sam", noon, noon + timedelta(hours=1), schedule="other")
    assert on_call(written, noon, (), [foreign]) == "lea"
    gone = override("nobody-any-more", noon, noon + timedelta(hours=1))
    directory = Directory(people={person.id: person for person in PEOPLE}, schedules={"s": written})
    assert directory.with_overrides([gone]).on_call("s", noon) == "lea"


def test_a_gap_that_only_a_holiday_makes_is_found_and_an_override_closes_it() -> None:
    written = schedule(layer("lea", holidays="off"))
    directory = Directory(
        people={person.id: person for person in PEOPLE},
        channels={channel.id: channel for channel in CHANNELS},
        schedules={"s": written},
        holidays=calendars_of([written]),
    )
    policies = [PolicySettings(id="p", orange=LevelPolicy(steps=steps((0, ["schedule:s"]))))]
    now = at(date(2026, 3, 20), 12)
    errors = [item for item in find_gaps(policies, directory, now) if item.severity is Severity.ERROR]
    assert [(gap.since, gap.until) for gap in errors[0].gaps] == [
        (at(EASTER_MONDAY, 0), at(EASTER_MONDAY + timedelta(days=1), 0))
    ]
    taken = override("sam", at(EASTER_MONDAY, 0), at(EASTER_MONDAY + timedelta(days=1), 0))
    assert find_gaps(policies, directory.with_overrides([taken]), now) == []


@given(
    zone=st.sampled_from(list(CLOCK_CHANGES)),
    which=st.integers(0, 1),
    length=st.sampled_from(["day", "1 h", "3 h", "8 h", "12 h"]),
    hour=st.integers(0, 23),
    begins=st.integers(0, 47),
    lasts=st.integers(1, 30),
)
def test_shifts_follow_each_other_without_gap_and_say_what_on_call_says(
    zone: str, which: int, length: str, hour: int, begins: int, lasts: int
) -> None:
    written = schedule(
        layer("a", "b", "c", at=f"{hour:02}:30", length=length),
        layer("d", holidays="off", **WORKING_HOURS),
        zone=zone,
        country="US",
    )
    days_off = calendars_of([written])["s"]
    since = datetime.combine(CLOCK_CHANGES[zone][which], time(), UTC) - timedelta(days=1)
    agreed = [override("e", since + timedelta(hours=begins), since + timedelta(hours=begins + lasts))]
    until = since + timedelta(days=3)
    found = shifts(written, since, until, days_off, agreed)
    assert (found[0].since, found[-1].until) == (since, until)
    for left, right in pairwise(found):
        assert left.until == right.since
        assert (left.person, left.override) != (right.person, right.override)
    for shift in found:
        for moment in (shift.since, shift.since + (shift.until - shift.since) / 2, shift.until - timedelta(seconds=1)):
            assert on_call(written, moment, days_off, agreed) == shift.person
    assert {shift.since for shift in found} <= set(changes(written, since, until, agreed))
