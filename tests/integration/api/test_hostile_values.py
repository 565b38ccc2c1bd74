"""Values that a database, a parser or a log might stumble over, at every door of `tests/route_table.py`: never a server error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.newsroom import KeyMaker, Newsroom
from tests.route_table import DOORS, Door

STRINGS = {
    "nul": "glass\x00shards",
    "half a surrogate": "glass\ud800",
    "a character that is none": "glass\uffff\u202e",
    "syntax": "'; DROP TABLE mentions; -- \" OR 1=1 \\ {{ 7 * 7 }} %s ${x}",
}
OF_A_BRAND_OR_NOT = tuple(door for door in DOORS if door.scope is not None and door.path.startswith("/v1/"))
WITH_BODIES = tuple(door for door in OF_A_BRAND_OR_NOT if door.method == "POST")
WITHOUT_END = {"/v1/stream"}
NOBODY = "00000000-0000-0000-0000-000000000001"
BODIES = {
    "nested": b"[" * 30_000,
    "nested objects": b'{"a":' * 10_000,
    "a number of many digits": b'{"level": ' + b"9" * 6_000 + b"}",
    "no number": b'{"expires_in_days": NaN, "statement": Infinity, "version": 1e400}',
    "no UTF-8": b'{"reason": "\xff\xfe"}',
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"text"',
    "the same field twice": b'{"reason": "a", "reason": {"b": []}}',
}


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """One who is answered 500 where a route fails, as everybody outside is."""
    return TestClient(app, base_url="http://tocsin.test", follow_redirects=False, raise_server_exceptions=False)


def address(door: Door, incident: str, put: str | None = None) -> str:
    """A door's address; `put`, where given, in the place of everything that is named in it."""
    known = {"brand": "acme", "incident_id": incident, **door.known}

    def filled(found: re.Match[str]) -> str:
        return quote(put, safe="", errors="surrogatepass") if put is not None else known.get(found[1], NOBODY)

    path = re.sub(r"{([a-z_]+)}", filled, door.path)
    query = re.sub(r"{([a-z_]+)}", filled, door.query)
    return f"{path}?{query}" if query else path


def spoilt(body: Any, value: str) -> Iterator[Any]:
    """The body again and again, each time with another of its strings replaced."""
    if isinstance(body, Mapping):
        for name, inner in body.items():
            for other in [value] if isinstance(inner, str) else spoilt(inner, value):
                yield {**body, name: other}
        yield {**body, value: value}
    elif isinstance(body, list):
        for place, inner in enumerate(body):
            for other in [value] if isinstance(inner, str) else spoilt(inner, value):
                yield [*body[:place], other, *body[place + 1 :]]


def failures(answers: Mapping[str, int]) -> dict[str, int]:
    return {what: status for what, status in answers.items() if status >= 500}


@pytest.mark.parametrize("value", STRINGS.values(), ids=STRINGS.keys())
def test_a_hostile_word_in_any_field_is_refused_or_kept(
    client: TestClient, key: KeyMaker, newsroom: Newsroom, value: str
) -> None:
    newsroom.say("one")
    incident, admin = str(newsroom.alarm().id), {**key("admin"), "Content-Type": "application/json"}
    answers = {}
    for door in WITH_BODIES:
        for body in spoilt(door.body or {}, value):
            # json.dumps writes half a surrogate as an escape, as an attacker would.
            answer = client.post(address(door, incident), content=json.dumps(body), headers=admin)
            answers[f"{door.name} {sorted(body)}"] = answer.status_code
    assert failures(answers) == {}


@pytest.mark.parametrize("value", STRINGS.values(), ids=STRINGS.keys())
def test_a_hostile_word_in_the_address_finds_nothing(
    client: TestClient, key: KeyMaker, newsroom: Newsroom, value: str
) -> None:
    newsroom.say("one")
    incident, admin = str(newsroom.alarm().id), key("admin")
    named = ("brand", "text", "author", "source", "story", "hashtag", "link", "campaign", "language", "cursor", "sort",
             "fields", "actor", "action", "since", "state", "month", "kind")  # fmt: skip
    answers = {}
    for door in OF_A_BRAND_OR_NOT:
        if door.path in WITHOUT_END:
            continue
        answers[f"{door.name} by its path"] = client.request(
            door.method, address(door, incident, value), headers=admin, json=door.body
        ).status_code
        if door.method == "GET":
            for name in named:
                asked = address(door, incident)
                asked += ("&" if "?" in asked else "?") + f"{name}={quote(value, safe='', errors='surrogatepass')}"
                answers[f"{door.name} {name}"] = client.get(asked, headers=admin).status_code
    assert failures(answers) == {}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_none_is_refused(client: TestClient, key: KeyMaker, newsroom: Newsroom, body: bytes) -> None:
    incident, admin = str(newsroom.alarm().id), {**key("admin"), "Content-Type": "application/json"}
    answers = {
        door.name: client.post(address(door, incident), content=body, headers=admin).status_code for door in WITH_BODIES
    }
    assert failures(answers) == {}


def test_a_zero_character_is_refused_by_name_on_either_database_and_what_only_looks_like_one_is_kept(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    incident, admin = newsroom.alarm(), {**key("admin"), "Content-Type": "application/json"}
    path = f"/v1/incidents/{incident.id}/notes"
    refused = client.post(path, content=rb'{"text": "a\u0000b"}', headers=admin)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body")
    asked = client.get("/v1/audit?actor=a%00b", headers=admin)
    assert (asked.status_code, asked.json()["errors"][0]["field"]) == (422, "address")
    assert client.post("/sign-in", data={"person": "a\0b", "password": "x"}).status_code == 422
    assert client.get("/v1/audit?actor=a%00b").status_code == 401
    kept = client.post(path, content=rb'{"text": "a\\u0000b and 100%00"}', headers=admin)
    assert kept.status_code == 201
    events = client.get(f"/v1/incidents/{incident.id}", headers=admin).json()["events"]
    assert r"a\u0000b and 100%00" in json.dumps(events[-1]["data"]).replace("\\\\", "\\")
