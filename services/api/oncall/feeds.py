"""A schedule, or one person's shifts, as a calendar that phones and mail programs subscribe to (RFC 5545)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from icalendar import Calendar, Event, vDuration

from services.alert.protocol.directory import Directory
from services.alert.protocol.schedules import Shift
from tocsin.storage.oncall import Feed

BACK = timedelta(days=14)
AHEAD = timedelta(days=91)
"""What a feed shows of the past and the future."""
REFRESH = timedelta(hours=1)
_WORDS = {
    "fr": {
        "name": "Astreinte",
        "shift": "Astreinte {schedule} : {person}",
        "nobody": "Astreinte {schedule} : personne",
    },
    "en": {"name": "On call", "shift": "On call {schedule}: {person}", "nobody": "On call {schedule}: nobody"},
}


def calendar_of(feed: Feed, directory: Directory, now: datetime, language: str) -> bytes:
    """The feed as a calendar: one event a shift, with a stable id, in UTC."""
    words = _WORDS[language]
    calendar = Calendar()
    calendar.add("prodid", "-//Tocsin//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{words['name']} · {_title(feed, directory)}")
    calendar["refresh-interval"] = vDuration(REFRESH, params={"VALUE": "DURATION"})
    calendar["x-published-ttl"] = vDuration(REFRESH)
    for shift in _shifts(feed, directory, now):
        calendar.add_component(_event(shift, directory, now, words))
    written: bytes = calendar.to_ical()
    return written


def _title(feed: Feed, directory: Directory) -> str:
    if feed.person is not None:
        return directory.people[feed.person].name if feed.person in directory.people else feed.person
    return feed.schedule or ""


def _shifts(feed: Feed, directory: Directory, now: datetime) -> list[Shift]:
    # From a Monday to a Monday, so that shifts at the edges keep their ids for a week.
    monday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    since, until = monday - BACK, monday + AHEAD
    wanted = [feed.schedule] if feed.schedule is not None else list(directory.schedules)
    found = [
        shift
        for schedule in wanted
        if schedule in directory.schedules
        for shift in directory.shifts(schedule, since, until)
    ]
    if feed.person is not None:
        return [shift for shift in found if shift.person == feed.person]
    return found


def _event(shift: Shift, directory: Directory, now: datetime, words: dict[str, str]) -> Event:
    person = directory.people.get(shift.person or "")
    event = Event()
    # The same shift has the same id whenever it is asked for, so that a client changes it and does not add it again.
    event.add("uid", f"{uuid5(NAMESPACE_URL, f'{shift.schedule}/{shift.person}/{shift.since.isoformat()}')}@tocsin")
    event.add("dtstamp", now)
    event.add("dtstart", shift.since)
    event.add("dtend", shift.until)
    phrase = words["shift"] if person is not None else words["nobody"]
    event.add("summary", phrase.format(schedule=shift.schedule, person=person.name if person else ""))
    event.add("transp", "TRANSPARENT")
    return event
