"""A person's chain on the telephone, against the providers' APIs: SMS, then call, then the second provider, then the next person."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from services.alert.timers import Timers
from tests.integration.api.test_answers import Team, key_callback
from tocsin.storage.database import Database


@pytest.fixture
def chained(database: Database, httpserver: HTTPServer, tmp_path: Path) -> Team:
    links = [{"channel": name, "wait": "1 min"} for name in ("sms", "call", "second-call")]
    return Team(database, httpserver, tmp_path, channel="sms", chain=links)


def test_a_carrier_that_says_it_did_not_arrive_lets_the_next_link_ring_at_once(chained: Team) -> None:
    (status,) = parse_qs(chained.sent[0][1])["StatusCallback"]
    assert urlsplit(status).path.startswith("/callbacks/twilio/status/sms/")
    assert chained.from_twilio(status, {"MessageStatus": "sent"}).status_code == 204
    assert chained.sender.send_due() == 0
    assert chained.from_twilio(status, {"MessageStatus": "undelivered"}).status_code == 204
    assert chained.sender.send_due() == 1
    assert chained.outcomes() == [("call", "accepted"), ("second-call", None), ("sms", "rejected")]
    (call_status,) = parse_qs(chained.sent[1][1])["StatusCallback"]
    chained.from_twilio(call_status, {"CallStatus": "in-progress"})
    assert chained.outcomes()[0] == ("call", "answered")
    chained.from_twilio(call_status, {"CallStatus": "completed"})
    chained.clock.move(119)
    assert chained.sender.send_due() == 0, "somebody picked up; the next link rings in its time"
    chained.clock.move(1)
    assert chained.sender.send_due() == 1
    body = json.loads(chained.sent[2][1])
    assert chained.from_vonage(body["event_url"][0], {"status": "busy"}).status_code == 204
    assert chained.outcomes()[1] == ("second-call", "rejected")


def test_a_key_pressed_in_time_ends_the_chain(chained: Team) -> None:
    chained.clock.move(60)
    chained.sender.send_due()
    chained.from_twilio(key_callback(chained), {"Digits": "1"})
    chained.clock.move(timedelta(hours=1).total_seconds())
    chained.sender.send_due()
    assert [path.rsplit("/", 1)[1] for path, _ in chained.sent] == ["Messages.json", "Calls.json"]
    assert chained.outcomes() == [("call", "acknowledged"), ("second-call", "superseded"), ("sms", "accepted")]


def test_where_nobody_answers_it_goes_sms_call_second_provider_and_the_next_person(chained: Team) -> None:
    timers, minutes = Timers(chained.database, chained.clock, chained.directory), {}
    for minute in range(10):
        timers.ring_due()
        chained.sender.send_due()
        for path, body in chained.sent[len(minutes) :]:
            minutes[len(minutes)] = (minute, path.rsplit("/", 1)[1], "+447700900123" in body.replace("%2B", "+"))
        chained.clock.move(60)
    assert list(minutes.values()) == [
        (0, "Messages.json", False),
        (1, "Calls.json", False),
        (2, "calls", False),
        (5, "Messages.json", True),
    ]
