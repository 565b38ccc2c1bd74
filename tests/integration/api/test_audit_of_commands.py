"""Every command leaves a line in the audit log: all doors that change something, and everything that is asked of a crisis room."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.alert.room.commands import RoomCommand
from services.alert.rooms import RoomKeeper
from tests.newsroom import CONFIGURATION, KeyMaker, Newsroom
from tests.records import identifier
from tests.route_table import DOORS
from tocsin.access.commands import sign_in_link
from tocsin.access.secrets import form_token
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.incidents import Level
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.holding import fingerprint
from tocsin.storage.tables.access import AuditTable
from tocsin.storage.tables.incidents import NotificationTable

LATER = "2026-03-10T23:00:00Z"
SCHEDULED: Configuration = parse(
    """
brands: [{id: acme, names: [Acme]}]
people: [{id: lea, name: Léa, channels: [phone]}, {id: marc, name: Marc, channels: [phone]}]
channels: [{id: phone, kind: terminal, wakes: true}]
schedules:
  - id: always
    time_zone: Europe/Paris
    layers: [{people: [lea, marc], start: 2026-01-05}]
policies: [{id: default, orange: {steps: [{wait: 0 s, notify: ["schedule:always"]}]}}]
""",
    variables={},
)


@dataclass
class Desk:
    """Léa and Marc at the page, and a program with a key for everything."""

    app: FastAPI
    database: Database
    people_clock: ManualClock
    newsroom: Newsroom
    keeper: RoomKeeper
    program: TestClient
    admin: dict[str, str]

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.program.post(path, json=body, headers=self.admin)

    def person(self, name: str) -> TestClient:
        """Somebody at the page, who shows the form token with all they send."""
        client = TestClient(self.app, base_url="http://tocsin.test", follow_redirects=False)
        link = sign_in_link(self.database, self.people_clock, base_url="", person=name)
        client.post("/sign-in", data={"link": parse_qs(urlsplit(link).query)["link"][0]})
        client.headers["X-Form-Token"] = form_token(client.cookies["tocsin_session"])
        return client

    def press(self, path: str, **fields: str) -> httpx.Response:
        return self.person("lea").post(path, data=fields)

    def incident(self, *, brand: str = "acme", level: Level = Level.ORANGE) -> str:
        opened = self.newsroom.alarm(level, brand=brand)
        self.keeper.observe()
        return f"/v1/incidents/{opened.id}"

    def resolved(self) -> str:
        path = self.incident()
        assert self.post(f"{path}/resolve", verdict="false_alarm").status_code == 200
        return path

    def link_sent(self, purpose: str) -> str:
        with self.database.read() as session:
            contents = session.scalars(select(NotificationTable.content).order_by(NotificationTable.created_at))
            links = [content["link"] or "" for content in contents]
        return next(link.partition("link=")[2] for link in reversed(links) if f"/by-link/{purpose}?" in link)

    def lines(self) -> list[tuple[int, str, str]]:
        with self.database.read() as session:
            found = session.execute(select(AuditTable.id, AuditTable.action, AuditTable.actor).order_by(AuditTable.id))
            return [tuple(row) for row in found]  # type: ignore[misc]


@pytest.fixture
def desk(
    app: FastAPI,
    client: TestClient,
    database: Database,
    clock: ManualClock,
    people_clock: ManualClock,
    newsroom: Newsroom,
    key: KeyMaker,
) -> Desk:
    configured = CONFIGURATION.model_copy(
        update={
            "api": CONFIGURATION.api.model_copy(update={"public_url": "http://tocsin.test"}),
            "playbooks": (*CONFIGURATION.playbooks, CONFIGURATION.playbooks[0].model_copy(update={"id": "recall"})),
        }
    )
    directory = replace(
        app.state.context.directory, schedules=type(app.state.context.directory).of(SCHEDULED).schedules
    )
    app.state.context = replace(app.state.context, configuration=configured, directory=directory)
    keeper = RoomKeeper(database, clock, configured, Thresholds(), people_clock=people_clock)
    newsroom.say("m1", text="glass shards", author="ann")
    return Desk(app, database, people_clock, newsroom, keeper, client, key("admin"))


Recipe = Callable[[Desk], Callable[[], httpx.Response]]
"""Prepares everything, and returns the one request that must leave a line."""


def on_incident(last: str, /, *first: str, **body: Any) -> Recipe:
    """A command on a new incident, after others on it."""

    def prepared(desk: Desk) -> Callable[[], httpx.Response]:
        path = desk.incident()
        for before in first:
            sent = {"silence": {"until": LATER}, "resolve": {"verdict": "false_alarm"}}.get(before, {})
            assert desk.post(f"{path}/{before}", **sent).status_code == 200
        return lambda: desk.post(f"{path}/{last}", **body)

    return prepared


def split(desk: Desk) -> Callable[[], httpx.Response]:
    path = desk.incident()
    return lambda: desk.post(f"{path}/split", story="s1", title="Another thing")


def merge(desk: Desk) -> Callable[[], httpx.Response]:
    first, second = desk.incident(), desk.incident(brand="globex")
    return lambda: desk.post(f"{second}/merge", into=first.rpartition("/")[2])


def end_silence(desk: Desk) -> Callable[[], httpx.Response]:
    begun = desk.post("/v1/silences", brand="acme", until=LATER, reason="A sale.").json()["id"]
    return lambda: desk.post(f"/v1/silences/{begun}/end")


def exchanged(desk: Desk) -> dict[str, str]:
    return {"schedule": "always", "person": "marc", "since": "2026-03-11T00:00:00Z", "until": "2026-03-12T00:00:00Z"}


def end_override(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/overrides", **exchanged(desk)).json()["id"]
    return lambda: desk.post(f"/v1/overrides/{made}/end")


def end_override_by_button(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/overrides", **exchanged(desk)).json()["id"]
    return lambda: desk.press(f"/on-call/{made}/end")


def revoke_feed(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/feeds", schedule="always").json()["id"]
    return lambda: desk.post(f"/v1/feeds/{made}/revoke")


def revoke_key(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/keys", name="x", scopes=["read"]).json()["prefix"]
    return lambda: desk.program.delete(f"/v1/keys/{made}", headers=desk.admin)


def by_button(last: str, /, **fields: str) -> Recipe:
    def prepared(desk: Desk) -> Callable[[], httpx.Response]:
        path = desk.incident().removeprefix("/v1")
        return lambda: desk.press(f"{path}/{last}", **fields)

    return prepared


def hold(desk: Desk) -> Callable[[], httpx.Response]:
    path = desk.incident()
    return lambda: desk.post(f"{path}/legal-holds", reason="court", until="2027-01-01T00:00:00Z")


def hold_by_form(desk: Desk) -> Callable[[], httpx.Response]:
    path = desk.incident().removeprefix("/v1")
    form = {"reason": "court", "until": "2027-01-01"}
    return lambda: desk.program.post(f"{path}/legal-hold", data=form, headers=desk.admin, follow_redirects=False)


def approve_by_link(desk: Desk) -> Callable[[], httpx.Response]:
    path = desk.incident()
    lea = desk.person("lea")
    lea.post(f"{path}/room", json={"command": "draft_statement", "language": "en", "channel": "press", "text": "So."})
    lea.post(f"{path}/room", json={"command": "submit_statement", "statement": 1, "version": 1})
    link = desk.link_sent("approve")
    return lambda: desk.program.post("/by-link/approve", data={"link": link, "answer": "approve"})


def take_over_by_link(desk: Desk) -> Callable[[], httpx.Response]:
    path = desk.incident()
    lea = desk.person("lea")
    lea.post(f"{path}/acknowledge")
    lea.post(f"{path}/room", json={"command": "offer_hand_over", "to": "marc"})
    link = desk.link_sent("hand-over")
    return lambda: desk.program.post("/by-link/hand-over", data={"link": link})


def approve_holding(desk: Desk) -> Callable[[], httpx.Response]:
    seen = fingerprint(dict(CONFIGURATION.statements[0].texts)["en"])
    return lambda: desk.person("marc").post(
        "/statements", data={"statement": "looking", "language": "en", "fingerprint": seen}
    )


def withdraw_setting(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/brands/acme/settings", **SETTING).json()["id"]
    return lambda: desk.post(f"/v1/brands/acme/settings/{made}/withdraw", reason="over")


def withdraw_setting_by_button(desk: Desk) -> Callable[[], httpx.Response]:
    made = desk.post("/v1/brands/acme/settings", **SETTING).json()["id"]
    return lambda: desk.press(f"/settings/{made}/withdraw", brand="acme", reason="over")


SETTING: dict[str, Any] = {"setting": {"kind": "exclude", "terms": "aurora"}, "reason": "the lights", "ends": LATER}
MENTION = f"/v1/mentions/{identifier('m1')}"
RECIPES: dict[str, Recipe] = {
    "POST /v1/keys": lambda desk: lambda: desk.post("/v1/keys", name="x", scopes=["read"]),
    "DELETE /v1/keys/{prefix}": revoke_key,
    "POST /v1/mentions/{mention_id}/correction": lambda desk: (
        lambda: desk.post(f"{MENTION}/correction", brand="acme", about_us=False)
    ),
    "POST /v1/mentions/{mention_id}/author": lambda desk: (
        lambda: desk.post(f"{MENTION}/author", brand="acme", reason="to write to them")
    ),
    "POST /v1/mentions/{mention_id}/answers": lambda desk: (
        lambda: desk.post(f"{MENTION}/answers?brand=acme", answer="glass", version=3)
    ),
    "POST /mentions/{mention_id}/answers": lambda desk: (
        lambda: desk.press(f"{MENTION.removeprefix('/v1')}/answers", brand="acme", answer="glass", version="3")
    ),
    "POST /v1/privacy/erasures": lambda desk: (
        lambda: desk.post("/v1/privacy/erasures", mentions=[str(identifier("m1"))], reason="asked")
    ),
    "POST /v1/incidents/{incident_id}/legal-holds": hold,
    "POST /v1/incidents": lambda desk: (
        lambda: desk.post("/v1/incidents", brands=["acme"], level="orange", sentence="Glass.")
    ),
    "POST /declare": lambda desk: lambda: desk.press("/declare", brand="acme", level="orange", sentence="Glass."),
    "POST /v1/incidents/{incident_id}/acknowledge": on_incident("acknowledge"),
    "POST /v1/incidents/{incident_id}/unacknowledge": on_incident("unacknowledge", "acknowledge"),
    "POST /v1/incidents/{incident_id}/mitigate": on_incident("mitigate"),
    "POST /v1/incidents/{incident_id}/escalate": on_incident("escalate"),
    "POST /v1/incidents/{incident_id}/level": on_incident("level", level="red"),
    "POST /v1/incidents/{incident_id}/assign": on_incident("assign", person="marc"),
    "POST /v1/incidents/{incident_id}/silence": on_incident("silence", until=LATER),
    "POST /v1/incidents/{incident_id}/unsilence": on_incident("unsilence", "silence"),
    "POST /v1/incidents/{incident_id}/split": split,
    "POST /v1/incidents/{incident_id}/merge": merge,
    "POST /v1/incidents/{incident_id}/resolve": on_incident("resolve", verdict="false_alarm"),
    "POST /v1/incidents/{incident_id}/review": on_incident("review", "resolve", verdict="buzz"),
    "POST /v1/incidents/{incident_id}/reopen": on_incident("reopen", "resolve"),
    "POST /v1/incidents/{incident_id}/notes": on_incident("notes", text="Called the plant."),
    "POST /v1/incidents/{incident_id}/room": on_incident("room", command="draft_update"),
    "POST /incidents/{incident_id}/room": by_button("room", command="draft_update"),
    "POST /incidents/{incident_id}/acknowledge": by_button("acknowledge", level="orange"),
    "POST /incidents/{incident_id}/resolve": by_button("resolve", verdict="false_alarm"),
    "POST /incidents/{incident_id}/command": by_button("command", command="escalate"),
    "POST /incidents/{incident_id}/legal-hold": hold_by_form,
    "POST /v1/silences": lambda desk: lambda: desk.post("/v1/silences", brand="acme", until=LATER, reason="A sale."),
    "POST /v1/silences/{silence_id}/end": end_silence,
    "POST /statements": approve_holding,
    "POST /by-link/approve": approve_by_link,
    "POST /by-link/hand-over": take_over_by_link,
    "POST /v1/overrides": lambda desk: lambda: desk.post("/v1/overrides", **exchanged(desk)),
    "POST /v1/overrides/{override_id}/end": end_override,
    "POST /on-call/exchange": lambda desk: (
        lambda: desk.press(
            "/on-call/exchange", schedule="always", person="marc", since="2026-03-11T01:00", until="2026-03-12T01:00"
        )
    ),
    "POST /on-call/{override_id}/end": end_override_by_button,
    "POST /v1/brands/{brand}/settings": lambda desk: lambda: desk.post("/v1/brands/acme/settings", **SETTING),
    "POST /v1/brands/{brand}/settings/{setting_id}/withdraw": withdraw_setting,
    "POST /settings": lambda desk: (
        lambda: desk.press(
            "/settings", brand="acme", kind="exclude", terms="aurora", reason="x", ends="2026-03-12T22:40"
        )
    ),
    "POST /settings/{setting_id}/withdraw": withdraw_setting_by_button,
    "POST /mentions/{mention_id}/author": lambda desk: (
        lambda: desk.press(f"{MENTION.removeprefix('/v1')}/author", brand="acme", reason="to write to them")
    ),
    "POST /mentions/{mention_id}/correction": lambda desk: (
        lambda: desk.press(f"{MENTION.removeprefix('/v1')}/correction", brand="acme", **{"is": "harmless"})
    ),
    "POST /v1/feeds": lambda desk: lambda: desk.post("/v1/feeds", schedule="always"),
    "POST /v1/feeds/{feed_id}/revoke": revoke_feed,
}
ELSEWHERE = {
    "POST /v1/brands/{brand}/queries/preview": "no command: it changes nothing",
    "POST /sign-in": "no command: it begins a session",
    "POST /sign-out": "no command: it ends a session",
    "POST /v1/notifications/{notification_id}/send-again": "its line is looked at in test_api_notifications.py",
    # These acknowledge by the same line of code as the doors above; test_answers.py has them all.
    "POST /a/{token}": "an answer to a call",
    "POST /callbacks/twilio/key/{channel}/{token}": "an answer to a call",
    "POST /callbacks/twilio/status/{channel}/{token}": "what became of a message",
    "POST /callbacks/vonage/key/{channel}/{token}": "an answer to a call",
    "POST /callbacks/vonage/status/{channel}/{token}": "what became of a message",
    "POST /callbacks/slack/{channel}": "an answer to a call",
    "POST /callbacks/pagerduty/{channel}": "an answer to a call",
}


def test_every_door_that_changes_something_is_looked_at_here() -> None:
    changing = {door.name for door in DOORS if door.method not in ("GET", "HEAD")}
    assert changing == {*RECIPES, *ELSEWHERE}


@pytest.mark.parametrize("door", sorted(RECIPES))
def test_a_command_leaves_a_line_with_who_gave_it(desk: Desk, door: str) -> None:
    command = RECIPES[door](desk)
    before = desk.lines()
    answer = command()
    assert answer.status_code < 400, answer.text
    assert "notice=wrong" not in answer.headers.get("location", "")
    added = desk.lines()[len(before) :]
    assert added, f"{door} left nothing"
    assert all(":" in actor for _, _, actor in added if actor != "timer")
    assert any(":" in actor for _, _, actor in added)


def room_commands() -> set[str]:
    union = get_args(get_args(RoomCommand)[0])
    return {kind.model_fields["command"].default for kind in union}


def test_every_command_of_the_crisis_room_leaves_a_line(desk: Desk) -> None:
    path = desk.incident()
    lea, marc = desk.person("lea"), desk.person("marc")
    seen = fingerprint(dict(CONFIGURATION.statements[0].texts)["en"])
    assert marc.post("/statements", data={"statement": "looking", "language": "en", "fingerprint": seen}).is_redirect
    lea.post(f"{path}/acknowledge")
    told: set[str] = set()

    def do(who: TestClient, command: str, **fields: Any) -> dict[str, Any]:
        before = len(desk.lines())
        answer = who.post(f"{path}/room", json={"command": command, **fields})
        assert answer.status_code == 200, f"{command}: {answer.text}"
        assert len(desk.lines()) > before, f"{command} left nothing"
        told.add(command)
        room: dict[str, Any] = answer.json()
        return room

    do(lea, "finish_step", step=1)
    do(lea, "reopen_step", step=1)
    do(lea, "skip_step", step=2, reason="None needed.")
    do(lea, "draft_statement", language="en", channel="press", text="We know.")
    do(lea, "revise_statement", statement=1, version=1, text="We know of it.")
    do(lea, "submit_statement", statement=1, version=2)
    do(marc, "refuse_statement", statement=1, version=2, reason="Too short.")
    do(lea, "revise_statement", statement=1, version=2, text="We know of it and look into it.")
    do(lea, "submit_statement", statement=1, version=3)
    do(marc, "approve_statement", statement=1, version=3)
    do(lea, "publish_statement", statement=1, version=3)
    do(lea, "withdraw_statement", statement=1, reason="It was wrong.")
    do(lea, "release_holding", holding="looking", language="en", fingerprint=seen)
    room = do(lea, "draft_update")
    update = room["updates"][-1]
    room = do(lea, "edit_update", update=update["number"], version=update["version"], en="All is known.")
    update = room["updates"][-1]
    do(lea, "send_update", update=update["number"], version=update["version"])
    room = do(lea, "add_follow_up", text="Check the line", owner="marc")
    do(marc, "finish_follow_up", follow_up=room["follow_ups"][-1]["number"])
    room = do(lea, "offer_hand_over", to="marc")
    do(marc, "accept_hand_over", hand_over=room["hand_overs"][-1]["number"])
    do(lea, "begin_playbook", playbook="recall")
    assert told == room_commands()


def test_no_words_of_anybody_stand_in_the_log(desk: Desk) -> None:
    path = desk.incident()
    secret = "The plant manager is called Zebulon"
    desk.post(f"{path}/notes", text=secret)
    desk.post("/v1/incidents", brands=["globex"], level="orange", sentence=secret, text=secret)
    desk.post(f"{path}/resolve", verdict="false_alarm")
    desk.post(f"{path}/review", verdict="buzz", text=secret)
    with desk.database.read() as session:
        kept = [row.details for row in session.scalars(select(AuditTable))]
    assert len(kept) >= 5
    assert "Zebulon" not in repr(kept)
    assert uuid.UUID(path.rpartition("/")[2])
