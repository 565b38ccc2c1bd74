"""The monthly statement: hours on call, at night, on weekends and holidays, counted on the person's own clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory
from services.alert.protocol.statement import on_call_time
from tests.team import PEOPLE
from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.protocol import HolidaySettings, RotationSettings, ScheduleSettings
from tocsin.holiday_calendars import calendars_of

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def directory(*schedules: ScheduleSettings, **more: object) -> Directory:
    return Directory(
        people={person.id: person for person in PEOPLE},
        schedules={schedule.id: schedule for schedule in schedules},
        holidays=calendars_of(schedules),
        **more,  # type: ignore[arg-type]
    )


def schedule(name: str, *people: str, **written: object) -> ScheduleSettings:
    layer = RotationSettings.model_validate({"people": people, "start": "2026-01-01", "at": "00:00", **written})
    return ScheduleSettings(id=name, time_zone="Europe/Paris", holidays=HolidaySettings(country="FR"), layers=(layer,))


def test_a_whole_month_has_the_hours_that_its_clock_says() -> None:
    march = on_call_time(directory(schedule("s", "lea")), "lea", date(2026, 3, 15))
    assert march.total == (31 * 24 - 1) * HOUR  # the clocks go forward
    assert march.weekend == (9 * 24 - 1) * HOUR  # four Saturdays, five Sundays, the last an hour short
    assert march.night == (31 * 9 - 1) * HOUR
    october = on_call_time(directory(schedule("s", "lea")), "lea", date(2026, 10, 1))
    assert october.total == (31 * 24 + 1) * HOUR


def test_hours_on_two_schedules_at_once_count_once() -> None:
    both = on_call_time(directory(schedule("s", "lea"), schedule("t", "lea", "sam")), "lea", date(2026, 4, 1))
    assert both.total == 30 * 24 * HOUR
    assert both.schedules == ("s", "t")


def test_holidays_are_those_of_the_schedule() -> None:
    may = on_call_time(directory(schedule("s", "lea")), "lea", date(2026, 5, 1))
    assert may.holiday == 4 * 24 * HOUR  # 1 and 8 May, Ascension, Whit Monday


def test_what_was_exchanged_is_counted_for_whoever_was_there() -> None:
    taken = Override(
        id=UUID(int=1),
        schedule="s",
        person="sam",
        since=datetime(2026, 4, 4, 20, tzinfo=PARIS),
        until=datetime(2026, 4, 5, 8, tzinfo=PARIS),
        by="person:sam",
        at=datetime(2026, 4, 1, tzinfo=PARIS),
    )
    there = directory(schedule("s", "lea")).with_overrides([taken])
    sam, lea = (on_call_time(there, person, date(2026, 4, 1)) for person in ("sam", "lea"))
    assert (sam.total, sam.exchanged, sam.weekend) == (12 * HOUR, 12 * HOUR, 12 * HOUR)
    # Sam's clock is that of London, an hour behind: 19:00 to 07:00 there.
    assert sam.night == 9 * HOUR
    assert lea.total == (30 * 24 - 12) * HOUR


def test_somebody_who_is_never_on_call_has_no_hours() -> None:
    assert on_call_time(replace(directory(schedule("s", "lea"))), "ines", date(2026, 4, 1)).total == timedelta(0)
