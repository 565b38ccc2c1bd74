"""The monthly statement: how long each person was on call, and when, for those who pay for it or watch over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory

NIGHT_BEGINS, NIGHT_ENDS = time(21), time(6)
"""On the person's own clock."""
_DAY = timedelta(days=1)
_NOTHING = timedelta(0)

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class OnCallTime:
    """A person's time on call in a month. An hour on two schedules at once counts once; night, weekend and holiday overlap."""

    person: str
    schedules: tuple[str, ...]
    total: timedelta
    night: timedelta
    weekend: timedelta
    holiday: timedelta
    """On the days off of the schedule that the person was on call for."""
    exchanged: timedelta
    """Of the total, what was taken from somebody else or given by them."""


def month_of(month: date, zone: ZoneInfo) -> Stretch:
    """The instants at which a month begins and ends on a clock; `month` is any day of it."""
    first = month.replace(day=1)
    following = (first + 31 * _DAY).replace(day=1)
    return _midnight(first, zone), _midnight(following, zone)


def on_call_time(directory: Directory, person: str, month: date) -> OnCallTime:
    """How long a person of the directory was on call in a month of their own clock.

    It follows the rotations as they are written now, with the overrides of that month in `directory`.
    """
    zone = ZoneInfo(directory.people[person].time_zone)
    since, until = month_of(month, zone)
    stretches: list[Stretch] = []
    exchanged: list[Stretch] = []
    off: list[Stretch] = []
    schedules: list[str] = []
    for schedule in directory.schedules.values():
        mine = [shift for shift in directory.shifts(schedule.id, since, until) if shift.person == person]
        stretches += [(shift.since, shift.until) for shift in mine]
        exchanged += [(shift.since, shift.until) for shift in mine if shift.override is not None]
        schedules += [schedule.id] if mine else []
        days_off = directory.holidays.get(schedule.id, ())
        its_zone = ZoneInfo(schedule.time_zone)
        holidays = [
            (_midnight(day, its_zone), _midnight(day + _DAY, its_zone))
            for day in _days(since, until, its_zone)
            if day in days_off
        ]
        off += [both for shift in mine for both in _overlaps([(shift.since, shift.until)], holidays)]
    merged = _merged(stretches)
    nights = [
        (_at(day, NIGHT_BEGINS, zone), _at(day + _DAY, NIGHT_ENDS, zone)) for day in _days(since - _DAY, until, zone)
    ]
    weekends = [
        (_midnight(day, zone), _midnight(day + _DAY, zone)) for day in _days(since, until, zone) if day.weekday() >= 5
    ]
    return OnCallTime(
        person=person,
        schedules=tuple(schedules),
        total=_length(merged),
        night=_length(_overlaps(merged, nights)),
        weekend=_length(_overlaps(merged, weekends)),
        holiday=_length(_merged(off)),
        exchanged=_length(_merged(exchanged)),
    )


def _merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for since, until in sorted(stretches):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(until, merged[-1][1]))
        else:
            merged.append((since, until))
    return merged


def _overlaps(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    found = [(max(a, c), min(b, d)) for a, b in left for c, d in right]
    return [(since, until) for since, until in found if since < until]


def _length(stretches: Sequence[Stretch]) -> timedelta:
    return sum((until - since for since, until in stretches), _NOTHING)


def _days(since: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _at(day, time(0), zone)


def _at(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)
