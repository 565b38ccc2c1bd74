"""Who is on call: rotations in layers, on the wall clock of the schedule's time zone.

Hand-overs and hours are wall-clock times that become instants with the zone's offset of that very day. A time that does not
exist (the spring night) is taken with the offset before the change, one that exists twice (the autumn night) the first time,
as RFC 5545 has it; so a hand-over happens exactly once on both nights.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from tocsin.contracts.settings.protocol import RotationSettings, ScheduleSettings, Weekday

_WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_DAY = timedelta(days=1)


def on_call(schedule: ScheduleSettings, at: datetime) -> str | None:
    """The id of the person on call at an instant, or None. A later layer wins where it has somebody."""
    zone = ZoneInfo(schedule.time_zone)
    for layer in reversed(schedule.layers):
        person = _on_duty(layer, zone, at)
        if person is not None:
            return person
    return None


def changes(schedule: ScheduleSettings, since: datetime, until: datetime) -> list[datetime]:
    """Every instant in [since, until) at which somebody else may be on call, in order, `since` first; UTC."""
    zone = ZoneInfo(schedule.time_zone)
    instants = {since.astimezone(UTC)}
    for layer in schedule.layers:
        for day in _days(since.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY):
            instants.add(_instant(day, layer.at, zone))
            instants.update(_duty_hours(layer, zone, day))
    return sorted(instant for instant in instants if since <= instant < until)


def _on_duty(layer: RotationSettings, zone: ZoneInfo, at: datetime) -> str | None:
    today = at.astimezone(zone).date()
    # Hours that began yesterday may reach into today.
    if not any(_on_hours(layer, zone, day, at) for day in (today - _DAY, today)):
        return None
    # A hand-over that falls into a spring gap is an hour later on the wall clock; compare instants, never wall clocks.
    last_handover = today if _instant(today, layer.at, zone) <= at else today - _DAY
    days = (last_handover - layer.start).days
    if days < 0:
        return None
    turn = days if layer.length == "day" else days // 7
    return layer.people[turn % len(layer.people)]


def _on_hours(layer: RotationSettings, zone: ZoneInfo, day: date, at: datetime) -> bool:
    begin, until = _duty_hours(layer, zone, day)
    return begin <= at < until and _WEEKDAYS[day.weekday()] in layer.weekdays


def _duty_hours(layer: RotationSettings, zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    hours = layer.hours
    last_day = day if hours.begin < hours.until else day + _DAY
    return _instant(day, hours.begin, zone), _instant(last_day, hours.until, zone)


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * _DAY
