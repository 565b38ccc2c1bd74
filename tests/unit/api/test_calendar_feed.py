"""Calendar feeds: as RFC 5545 wants them, read back by a parser, with ids that stay."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from icalendar import Calendar

from services.api.oncall.feeds import calendar_of
from tests.team import DIRECTORY, START
from tocsin.storage.oncall import Feed


def feed(schedule: str | None = None, person: str | None = None) -> Feed:
    return Feed(uuid4(), schedule, person, "person:lea", START)


def events(written: bytes) -> list[dict[str, object]]:
    calendar = Calendar.from_ical(written)
    return [
        {
            "uid": str(item["uid"]),
            "since": item.decoded("dtstart"),
            "until": item.decoded("dtend"),
            "summary": str(item["summary"]),
        }
        for item in calendar.walk("VEVENT")
    ]


def test_it_reads_back_as_the_shifts_that_the_schedule_has() -> None:
    found = events(calendar_of(feed("evenings"), DIRECTORY, START, "en"))
    since, until = found[0]["since"], found[-1]["until"]
    assert isinstance(since, datetime)
    assert isinstance(until, datetime)
    expected = DIRECTORY.shifts("evenings", since, until)
    assert [(item["since"], item["until"]) for item in found] == [(shift.since, shift.until) for shift in expected]
    assert {item["summary"] for item in found} == {
        "On call evenings: Léa",
        "On call evenings: Sam",
        "On call evenings: nobody",
    }


def test_a_persons_feed_has_their_shifts_only_in_their_language() -> None:
    found = events(calendar_of(feed(person="lea"), DIRECTORY, START, "fr"))
    assert {item["summary"] for item in found} == {"Astreinte evenings : Léa"}


def test_the_same_shift_has_the_same_id_whenever_it_is_asked_for() -> None:
    today = events(calendar_of(feed("evenings"), DIRECTORY, START, "en"))
    tomorrow = events(calendar_of(feed("evenings"), DIRECTORY, START + timedelta(days=1, hours=3), "en"))
    assert [item["uid"] for item in today] == [item["uid"] for item in tomorrow]
    assert len({item["uid"] for item in today}) == len(today)


def test_every_line_is_as_the_standard_wants_it() -> None:
    written = calendar_of(feed("evenings"), DIRECTORY, START, "fr")
    assert written.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    lines = written.split(b"\r\n")[:-1]
    assert all(len(line) <= 75 for line in lines)
    unfolded = written.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]
    # RFC 5545, 3.1: name *(";" param "=" value) ":" value
    grammar = re.compile(r"[A-Z-]+(;[A-Z-]+=(\"[^\"]*\"|[^;:,\"]*))*:[^\x00-\x08\x0b-\x1f\x7f]*")
    assert [line for line in unfolded if not grammar.fullmatch(line)] == []
    opened: list[str] = []
    for line in unfolded:
        if line.startswith("BEGIN:"):
            opened.append(line.removeprefix("BEGIN:"))
        elif line.startswith("END:"):
            assert opened.pop() == line.removeprefix("END:")
    assert opened == []
    event = "\r\n".join(unfolded).split("BEGIN:VEVENT")[1]
    for required in ("UID:", "DTSTAMP:20260302T210000Z", "DTSTART:", "DTEND:"):
        assert required in event


def test_a_feed_of_a_schedule_that_is_gone_is_empty_and_valid() -> None:
    assert events(calendar_of(feed("no-more"), DIRECTORY, datetime(2026, 3, 2, tzinfo=UTC), "en")) == []
