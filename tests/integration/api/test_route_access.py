"""Knocks at every door of `tests/route_table.py`: as a stranger, with the wrong scope, and with a key for another brand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
from fastapi.testclient import TestClient

from tests.newsroom import KeyMaker, Newsroom
from tests.route_table import DOORS, Door
from tocsin.access.principals import Scope

CLOSED = tuple(door for door in DOORS if door.scope is not None)
OF_A_BRAND = tuple(door for door in CLOSED if door.of_brand)
NOBODY = "00000000-0000-0000-0000-000000000001"


def knock(client: TestClient, door: Door, headers: Mapping[str, str], **names: str) -> httpx.Response:
    known = {"brand": "acme", **door.known, **names}
    path = re.sub(r"{([a-z_]+)(?::path)?}", lambda found: known.get(found[1], NOBODY), door.path)
    query = re.sub(r"{([a-z_]+)}", lambda found: known.get(found[1], NOBODY), door.query)
    sent: dict[str, Any] = {}
    if door.body is not None:
        sent["json"] = door.body
    if door.form is not None:
        sent["data"] = door.form
    url = f"{path}?{query}" if query else path
    return client.request(door.method, url, headers=dict(headers), **sent)


def test_a_stranger_does_not_come_in(client: TestClient) -> None:
    answers = {door.name: knock(client, door, {"Accept": "application/json"}).status_code for door in CLOSED}
    assert answers == dict.fromkeys(answers, 401)


def test_no_other_scope_opens_a_door(client: TestClient, key: KeyMaker) -> None:
    keys = {scope: key(scope) for scope in Scope}
    answers = {
        f"{door.name} with {scope}": knock(client, door, keys[scope]).status_code
        for door in CLOSED
        for scope in Scope
        if scope not in (door.scope, Scope.ADMIN)
    }
    assert answers == dict.fromkeys(answers, 403)


def test_a_key_for_another_brand_finds_nothing(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    incident = newsroom.alarm()
    keys = {scope: key(scope, brands=["globex"]) for scope in Scope}
    answers: dict[str, int] = {}
    for door in OF_A_BRAND:
        assert door.scope is not None
        answer = knock(client, door, keys[door.scope], incident_id=str(incident.id))
        answers[door.name] = answer.status_code
        assert "Acme" not in answer.text
    assert answers == dict.fromkeys(answers, 404)
