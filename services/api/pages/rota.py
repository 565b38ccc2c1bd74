"""The picture of who is on call in a week: a band a schedule, on that schedule's own clock, and the same as a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory
from services.alert.protocol.schedules import Shift
from services.api.pages.wording import Wording

DAYS = 7
WIDTH = 1008.0
"""Of the picture, in its own units."""
_CHARACTER = 9.5
"""About the width of a letter of a name."""
_COLOURS = 6
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """One shift as a bar: where it begins and how wide it is; `colour` is the person's, None where nobody is on call."""

    x: float
    width: float
    label: str
    colour: int | None
    exchanged: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One shift in words."""

    when: str
    who: str
    colour: int | None
    """The person's, as in the picture; None where nobody is on call."""
    exchanged: bool
    override: str | None
    """The exchange that can still be taken back."""


@dataclass(frozen=True, slots=True)
class Band:
    """One schedule's week."""

    schedule: str
    zone: str
    now: str | None
    days: Sequence[tuple[float, str]]
    """Where each day begins, and how it is called."""
    marker: float | None
    """Where this moment is."""
    bars: Sequence[Bar]
    lines: Sequence[Line]


def monday_of(day: date) -> date:
    """The Monday of the week of a day."""
    return day - timedelta(days=day.weekday())


def bands(directory: Directory, week: date, now: datetime, wording: Wording) -> list[Band]:
    """Every schedule in the week that begins on the Monday `week`."""
    people = {person: number % _COLOURS for number, person in enumerate(sorted(directory.people))}
    return [_band(directory, schedule, week, now, wording, people) for schedule in directory.schedules]


def _band(  # noqa: PLR0917 - all of one picture
    directory: Directory, schedule: str, week: date, now: datetime, wording: Wording, people: dict[str, int]
) -> Band:
    zone = ZoneInfo(directory.schedules[schedule].time_zone)
    midnights = [datetime.combine(week + number * _DAY, time(0), zone).astimezone(UTC) for number in range(DAYS + 1)]
    since, until = midnights[0], midnights[-1]

    def place(at: datetime) -> float:
        return round((at - since) / (until - since) * WIDTH, 1)

    shifts = directory.shifts(schedule, since, until)
    lines = [_line(shift, directory, zone, now, wording, people) for shift in shifts]
    person = directory.on_call(schedule, now)
    return Band(
        schedule=schedule,
        zone=zone.key,
        now=_name(directory, person) if person else None,
        days=[
            (place(at), f"{wording.say(f'weekday.{number}')} {(week + number * _DAY).day}")
            for number, at in enumerate(midnights[:-1])
        ],
        marker=place(now) if since <= now < until else None,
        bars=[_bar(shift, directory, place, people) for shift in shifts],
        lines=lines,
    )


def _bar(shift: Shift, directory: Directory, place: Callable[[datetime], float], people: dict[str, int]) -> Bar:
    x, end = place(shift.since), place(shift.until)
    name = _name(directory, shift.person) if shift.person else "–"
    fits = int((end - x - 12) / _CHARACTER)
    label = name if len(name) <= fits else name.split(" ")[0] if len(name.split(" ")[0]) <= fits else ""
    return Bar(
        x=x,
        width=max(1.0, round(end - x, 1)),
        label=label,
        colour=people.get(shift.person) if shift.person else None,
        exchanged=shift.override is not None,
    )


def _line(  # noqa: PLR0917 - all of one line
    shift: Shift, directory: Directory, zone: ZoneInfo, now: datetime, wording: Wording, people: dict[str, int]
) -> Line:
    def wall(at: datetime) -> str:
        return f"{wording.say(f'weekday.{at.weekday()}')} {at.day} {at:%H:%M}"

    begins, ends = shift.since.astimezone(zone), shift.until.astimezone(zone)
    can_be_taken_back = shift.override is not None and shift.until > now
    return Line(
        when=f"{wall(begins)} – {f'{ends:%H:%M}' if begins.date() == ends.date() else wall(ends)}",
        who=_name(directory, shift.person) if shift.person else wording.say("rota.nobody"),
        colour=people.get(shift.person) if shift.person is not None else None,
        exchanged=shift.override is not None,
        override=str(shift.override.id) if shift.override is not None and can_be_taken_back else None,
    )


def _name(directory: Directory, person: str) -> str:
    known = directory.people.get(person)
    return known.name if known is not None else person
