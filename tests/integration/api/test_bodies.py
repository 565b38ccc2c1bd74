"""Bodies that come slowly, in part, or are larger than they may be, over a real connection: nothing is done, nothing hangs."""

from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from services.api import gate
from services.api.app import create_app
from services.ingest import receiving
from services.ingest.app import Ingest
from tests.newsroom import KeyMaker, Newsroom
from tocsin.access.verifying import KeyVerifier
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import IncidentState
from tocsin.process import Surroundings
from tocsin.storage import incidents
from tocsin.storage.database import Database

PATIENCE = 30


@pytest.fixture
def app(surroundings: Surroundings, people_clock: ManualClock) -> FastAPI:
    app = create_app(surroundings, people_clock=people_clock)
    app.include_router(
        Ingest(surroundings).router(KeyVerifier(surroundings.database, people_clock, lambda: 0.0)),
    )
    return app


def begun(url: str, path: str, headers: dict[str, str], *, length: int, sent: bytes) -> socket.socket:
    """A connection on which a POST was begun whose body should have `length` bytes."""
    place = urlsplit(url)
    connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE)
    lines = [f"POST {path} HTTP/1.1", "Host: tocsin.test", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(length)}.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + sent)
    return connection


@pytest.mark.parametrize("sent", [b"", b'{"verdict": "cri', b"{}"])
def test_half_a_command_is_none(url: str, key: KeyMaker, newsroom: Newsroom, database: Database, sent: bytes) -> None:
    incident = newsroom.alarm()
    path = f"/v1/incidents/{incident.id}/resolve"
    with closing(begun(url, path, key("act"), length=40, sent=sent)) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)
    with database.read() as session:
        found = incidents.find(session, incident.id)
    assert found is not None
    assert (found.state, found.verdict) == (IncidentState.TRIGGERED, None)


@pytest.mark.parametrize("path", ["/v1/incidents/00000000-0000-0000-0000-000000000001/resolve", "/v1/mentions"])
def test_a_body_that_does_not_come_is_not_waited_for(
    url: str, key: KeyMaker, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SLOWEST_BODY", 0.2)
    monkeypatch.setattr(receiving, "SLOWEST_BODY", 0.2)
    with closing(begun(url, path, key("act", "send"), length=40, sent=b'{"ver')) as connection:
        answer = connection.recv(4096)
    assert b" 408 " in answer.splitlines()[0]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(url: str, key: KeyMaker) -> None:
    path = "/v1/incidents/00000000-0000-0000-0000-000000000001/notes"
    with closing(begun(url, path, key("act"), length=gate.BODY_LIMIT + 1, sent=b"{")) as connection:
        answer = connection.recv(4096)
    assert b" 413 " in answer.splitlines()[0]
