"""Who is on call: rotations in layers, on the wall clock of the schedule's time zone, with holidays and overrides.

Hand-overs and hours are wall-clock times that become instants with the zone's offset of that very day. A time that does not
exist (the spring night) is taken with the offset before the change, one that exists twice (the autumn night) the first time,
as RFC 5545 has it; so a hand-over happens exactly once on both nights.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.protocol import RotationSettings, ScheduleSettings, Weekday

_WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch of time, UTC, `until` excluded, with one person on call (None: nobody)."""

    schedule: str
    person: str | None
    since: datetime
    until: datetime
    override: Override | None = None
    """Where the person is on call because somebody took or gave the shift."""


def on_call(
    schedule: ScheduleSettings,
    at: datetime,
    holidays: Container[date] = (),
    overrides: Sequence[Override] = (),
) -> str | None:
    """The id of the person on call at an instant, or None. An override wins, then the last layer that has somebody."""
    return _who(schedule, at, holidays, overrides)[0]


def changes(
    schedule: ScheduleSettings, since: datetime, until: datetime, overrides: Sequence[Override] = ()
) -> list[datetime]:
    """Every instant in [since, until) at which somebody else may be on call, in order, `since` first; UTC."""
    zone = ZoneInfo(schedule.time_zone)
    instants = {since.astimezone(UTC)}
    for layer in schedule.layers:
        for day in _days(since.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY):
            instants.update(_handovers(layer, zone, day))
            instants.update(_duty_hours(layer, zone, day))
    for override in overrides:
        if override.schedule == schedule.id:
            instants |= {override.since, override.until}
    return sorted(instant for instant in instants if since <= instant < until)


def shifts(
    schedule: ScheduleSettings,
    since: datetime,
    until: datetime,
    holidays: Container[date] = (),
    overrides: Sequence[Override] = (),
) -> list[Shift]:
    """Who is on call from `since` to `until`, without gaps between them; one person's neighbouring shifts are one."""
    found: list[Shift] = []
    edges = [*changes(schedule, since, until, overrides), until]
    for begin, end in pairwise(edges):
        person, override = _who(schedule, begin, holidays, overrides)
        last = found[-1] if found else None
        if last is not None and (last.person, last.override) == (person, override):
            found[-1] = Shift(schedule.id, person, last.since, end, override)
        else:
            found.append(Shift(schedule.id, person, begin, end, override))
    return found


def _who(
    schedule: ScheduleSettings, at: datetime, holidays: Container[date], overrides: Sequence[Override]
) -> tuple[str | None, Override | None]:
    in_force = [item for item in overrides if item.schedule == schedule.id and item.since <= at < item.until]
    if in_force:
        # Two people may have agreed on the same hours; the last word counts.
        last = max(in_force, key=lambda item: (item.at, item.id))
        return last.person, last
    zone = ZoneInfo(schedule.time_zone)
    for layer in reversed(schedule.layers):
        person = _on_duty(layer, zone, at, holidays)
        if person is not None:
            return person, None
    return None, None


def _on_duty(layer: RotationSettings, zone: ZoneInfo, at: datetime, holidays: Container[date]) -> str | None:
    today = at.astimezone(zone).date()
    # Hours that began yesterday may reach into today.
    if not any(_on_hours(layer, zone, day, at, holidays) for day in (today - _DAY, today)):
        return None
    # A hand-over that falls into a spring gap is an hour later on the wall clock; compare instants, never wall clocks.
    turn = max(number for day in (today - _DAY, today) for number, instant in _turns(layer, zone, day) if instant <= at)
    return layer.people[turn % len(layer.people)] if turn >= 0 else None


def _turns(layer: RotationSettings, zone: ZoneInfo, day: date) -> Iterator[tuple[int, datetime]]:
    """The turns of which a day sees the beginning or the middle: their number from `start` on, and an instant of theirs."""
    days = (day - layer.start).days
    length = layer.length
    if not isinstance(length, timedelta):
        yield (days if length == "day" else days // 7), _instant(day, layer.at, zone)
        return
    a_day = _DAY // length
    first = datetime.combine(day, layer.at)
    for slot in range(a_day):
        wall = first + slot * length
        yield days * a_day + slot, wall.replace(tzinfo=zone).astimezone(UTC)


def _handovers(layer: RotationSettings, zone: ZoneInfo, day: date) -> list[datetime]:
    return [instant for _, instant in _turns(layer, zone, day)]


def _on_hours(layer: RotationSettings, zone: ZoneInfo, day: date, at: datetime, holidays: Container[date]) -> bool:
    begin, until = _duty_hours(layer, zone, day)
    return begin <= at < until and _on_day(layer, day, holidays)


def _on_day(layer: RotationSettings, day: date, holidays: Container[date]) -> bool:
    on_weekday = _WEEKDAYS[day.weekday()] in layer.weekdays
    match layer.holidays:
        case "as_usual":
            return on_weekday
        case "off":
            return on_weekday and day not in holidays
        case "also":
            return on_weekday or day in holidays
        case "only":
            return day in holidays


def _duty_hours(layer: RotationSettings, zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    hours = layer.hours
    last_day = day if hours.begin < hours.until else day + _DAY
    return _instant(day, hours.begin, zone), _instant(last_day, hours.until, zone)


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * _DAY
