"""The live stream against a real server: what happens is told, in order, and again from where a listener was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from services.api.app import components
from services.api.routes import stream
from tests.newsroom import KeyMaker, Newsroom
from tocsin.access.commands import revoke_key
from tocsin.clock import ManualClock, SystemClock
from tocsin.contracts.incidents import Level
from tocsin.process import Surroundings, run_components
from tocsin.storage import outbox
from tocsin.storage.database import Database
from tocsin.web import WebServer

PATIENCE = 20


@pytest.fixture
def url(surroundings: Surroundings) -> Iterator[str]:
    (server,) = components(surroundings)
    assert isinstance(server, WebServer)
    stop = threading.Event()
    process = threading.Thread(target=run_components, args=([server], stop), daemon=True)
    process.start()
    yield server.url
    stop.set()
    process.join(PATIENCE)


class Listener:
    """Events of a stream, one after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next event (of a kind), as `{"event", "id", "data"}`."""
        event: dict[str, Any] = {}
        for line in self._lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(":")
                event[name] = json.loads(value) if name == "data" else value.strip()
            elif "data" in event and kind in (None, event["event"]):
                return event
            else:
                event = {}
        raise EOFError("the stream has ended")


@contextmanager
def listening(url: str, headers: dict[str, str], last: str | None = None) -> Iterator[Listener]:
    sent = {**headers, **({"Last-Event-ID": last} if last is not None else {})}
    with httpx.stream("GET", f"{url}/v1/stream", headers=sent, timeout=PATIENCE) as response:
        yield Listener(response)


def numbered(database: Database) -> None:
    """What the relay does before it publishes."""
    with database.unit_of_work() as session:
        outbox.number(session)


def test_the_head_of_the_stream_ends(url: str, key: KeyMaker, newsroom: Newsroom) -> None:
    newsroom.alarm()
    with httpx.Client(base_url=url, headers=key("read"), timeout=PATIENCE) as listener:
        head = listener.head("/v1/stream", headers={"Last-Event-ID": "0"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")
        # On the same connection, which nothing of the stream's body has spoilt.
        assert listener.get("/v1/brands").status_code == 200


def test_a_listener_hears_levels_first_and_then_each_event_of_an_incident_in_order(
    url: str, key: KeyMaker, newsroom: Newsroom, database: Database
) -> None:
    newsroom.judge(Level.YELLOW)
    with listening(url, key("read")) as heard:
        assert heard.response.headers["content-type"].startswith("text/event-stream")
        assert heard.next("level")["data"]["level"] == "yellow"
        incident = newsroom.alarm()
        newsroom.ring(incident.id)
        numbered(database)
        events = [heard.next("incident") for _ in range(2)]
    assert [event["data"]["type"] for event in events] == ["incident.opened", "incident.escalated"]
    assert [int(event["id"]) for event in events] == [1, 2]
    assert events[0]["data"]["brand"] == "acme"


def test_who_comes_back_hears_what_came_meanwhile(
    url: str, key: KeyMaker, newsroom: Newsroom, database: Database
) -> None:
    incident = newsroom.alarm()
    newsroom.ring(incident.id)
    numbered(database)
    with listening(url, key("read"), last="1") as heard:
        assert heard.next("incident")["id"] == "2"
    with listening(url, key("read"), last="0") as heard:
        assert [heard.next("incident")["id"] for _ in range(2)] == ["1", "2"]


def test_who_was_away_for_longer_than_events_are_kept_is_told_of_the_gap(
    url: str, key: KeyMaker, newsroom: Newsroom, database: Database, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    newsroom.ring(incident.id)
    numbered(database)
    with database.unit_of_work() as session:
        outbox.mark_published(session, [event.id for event in outbox.after(session, 0)], clock.now())
        clock.move(1)
        assert outbox.purge(session, clock.now()) > 0
        first = outbox.first_position(session)
    with listening(url, key("read"), last="0") as heard:
        assert heard.next("gap")["data"] == {"after": 0, "next": first}


def test_a_key_for_another_brand_hears_nothing_of_this_one(
    url: str, key: KeyMaker, newsroom: Newsroom, database: Database
) -> None:
    newsroom.alarm()
    newsroom.alarm(brand="globex")
    numbered(database)
    with listening(url, key("read", brands=["globex"]), last="0") as heard:
        assert heard.next("level")["data"]["brand"] == "globex"
        assert heard.next("incident")["data"]["brand"] == "globex"


def test_a_place_that_is_none_is_refused(client: TestClient, key: KeyMaker) -> None:
    for wrong in ("-1", "two", "1" * 30, "1.5"):
        answer = client.get("/v1/stream", headers={**key("read"), "Last-Event-ID": wrong})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "last-event-id"


def test_a_stream_ends_when_its_key_is_revoked(
    url: str, key: KeyMaker, newsroom: Newsroom, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RECOGNISED_EVERY", 0.0)
    monkeypatch.setattr("tocsin.access.verifying.FRESH_SECONDS", 0.0)
    headers = key("read")
    newsroom.judge(Level.YELLOW)
    with listening(url, headers) as heard:
        heard.next("level")
        revoke_key(database, SystemClock(), headers["Authorization"].removeprefix("Bearer "))
        with pytest.raises(EOFError):
            heard.next("incident")
