"""What people do with incidents over the API: declare, raise, assign, silence, split, merge, review, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from services.alert.detection.state import BrandState, EventKind, Judgement
from services.alert.incidents import judged as apply_judgement
from services.alert.protocol.directory import Directory
from services.alert.timers import Timers
from tests.newsroom import CONFIGURATION, KeyMaker, Newsroom
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Level
from tocsin.storage import incidents, outbox
from tocsin.storage.database import Database

Headers = dict[str, str]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def actor(key: KeyMaker) -> Headers:
    return key("read", "act")


class Desk:
    """Somebody with the API in front of them."""

    def __init__(self, client: TestClient, headers: Headers) -> None:
        self._client = client
        self._headers = headers

    def ask(self, incident: Any, command: str, tag: str | None = None, **body: object) -> Response:
        headers = self._headers | ({"If-Match": tag} if tag else {})
        return self._client.post(f"/v1/incidents/{incident}/{command}", json=body or None, headers=headers)

    def declare(self, **body: object) -> Response:
        said = {"brands": ["acme"], "level": "orange", "sentence": "A journalist called about glass.", **body}
        return self._client.post("/v1/incidents", json=said, headers=self._headers)

    def look(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers).json()

    def incident(self, incident: Any) -> Any:
        return self.look(f"/v1/incidents/{incident}")

    def silence(self, **body: object) -> Response:
        said = {"brand": "acme", "until": "2026-03-10T23:00:00Z", "reason": "Planned sale", **body}
        return self._client.post("/v1/silences", json=said, headers=self._headers)

    def end(self, silence: Any) -> Response:
        return self._client.post(f"/v1/silences/{silence}/end", headers=self._headers)


@pytest.fixture
def desk(client: TestClient, actor: Headers) -> Desk:
    return Desk(client, actor)


def judge(database: Database, clock: ManualClock, level: Level, brand: str = "acme") -> None:
    judgement = Judgement(clock.now(), brand, level, EventKind.OPENED, 70.0, BrandState(level=level))
    with database.unit_of_work() as session:
        apply_judgement(session, clock, CONFIGURATION, judgement, clock.now())


def test_each_command_does_what_it_says(desk: Desk, newsroom: Newsroom, clock: ManualClock) -> None:
    incident = newsroom.alarm().id
    assert desk.ask(incident, "mitigate", level="orange").json()["state"] == "mitigating"
    assert desk.ask(incident, "unacknowledge").json()["state"] == "triggered"
    assert desk.ask(incident, "escalate").json()["version"] > 4
    raised = desk.ask(incident, "level", level="red").json()
    assert (raised["level"], raised["level_set_by"][:4]) == ("red", "key:")
    assert desk.ask(incident, "assign", person="marc").json()["assigned"] == "marc"
    silenced = desk.ask(incident, "silence", until="2026-03-10T23:00:00Z").json()
    assert (silenced["silence"]["until"], silenced["next_call_at"]) == ("2026-03-10T23:00:00Z", None)
    assert desk.ask(incident, "unsilence").json()["silence"] is None
    assert desk.ask(incident, "notes", text="The plant is on the phone.").status_code == 201
    assert desk.ask(incident, "resolve").json()["state"] == "resolved"
    assert desk.ask(incident, "review", verdict="buzz", text="Handled well.").json()["state"] == "reviewed"
    reopened = desk.ask(incident, "reopen")
    assert (reopened.json()["state"], reopened.json()["verdict"]) == ("triggered", None)
    assert reopened.headers["etag"] == f'"{reopened.json()["version"]}"'
    told = [event["type"].removeprefix("incident.") for event in desk.incident(incident)["events"]]
    assert {"mitigating", "unacknowledged", "assigned", "silenced", "unsilenced", "noted", "reviewed"} <= set(told)


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("unacknowledge", {}),
        ("escalate", {}),
        ("level", {"level": "red"}),
        ("assign", {"person": "lea"}),
        ("silence", {"until": "2026-03-10T23:00:00Z"}),
        ("split", {"story": "s1"}),
        ("merge", {"into": None}),
    ],
)
def test_whoever_looked_at_an_older_version_is_told_so(
    desk: Desk, newsroom: Newsroom, command: str, body: dict[str, object]
) -> None:
    incident = newsroom.alarm().id
    if command == "merge":
        body = {"into": str(newsroom.alarm(brand="globex").id)}
    desk.ask(incident, "acknowledge")
    assert desk.ask(incident, command, '"1"', **body).status_code == 412


def test_what_makes_no_sense_and_what_is_not_allowed_now_are_told_apart(desk: Desk, newsroom: Newsroom) -> None:
    incident = newsroom.alarm().id
    assert desk.ask(incident, "silence", until="2020-01-01T00:00:00Z").status_code == 422
    assert desk.ask(incident, "assign", person="nobody").status_code == 422
    assert desk.ask(incident, "merge", into=str(incident)).status_code == 422
    assert desk.ask(incident, "unsilence").status_code == 409
    assert desk.ask(incident, "unacknowledge").status_code == 409
    assert desk.ask(incident, "review", verdict="buzz").status_code == 409
    assert desk.ask(incident, "merge", into=str(uuid4())).status_code == 404


def test_a_bell_that_is_rung_by_hand_calls_people_and_keeps_what_was_shown(
    desk: Desk, client: TestClient, actor: Headers
) -> None:
    picture = {"media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    answer = desk.declare(link="https://paper.example/story", text="They want an answer by noon.", picture=picture)
    told = answer.json()
    assert (answer.status_code, told["state"], told["level"]) == (201, "triggered", "orange")
    assert answer.headers["location"] == f"/v1/incidents/{told['id']}"
    said = told["declarations"][0]
    assert (said["sentence"], said["link"]) == ("A journalist called about glass.", "https://paper.example/story")
    shown = client.get(f"/v1/incidents/{told['id']}/pictures/{said['picture']}", headers=actor)
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert [item["name"] for item in desk.incident(told["id"])["notifications"]] == ["Léa Martin"]


def test_beside_an_open_incident_it_joins(desk: Desk, newsroom: Newsroom) -> None:
    incident = newsroom.alarm().id
    joined = desk.declare(brands=["acme", "globex"], level="red")
    assert (joined.status_code, joined.json()["id"], joined.json()["level"]) == (200, str(incident), "red")
    assert joined.json()["brands"] == ["acme", "globex"]
    board = {brand["id"]: brand["incident"] for brand in desk.look("/v1/brands")["brands"]}
    assert board == {"acme": str(incident), "globex": str(incident)}


def test_what_detection_finds_later_joins_what_was_declared(desk: Desk, database: Database, clock: ManualClock) -> None:
    declared = desk.declare(brands=["acme", "globex"]).json()
    judge(database, clock, Level.RED, "globex")
    told = desk.incident(declared["id"])
    assert (told["level"], len(desk.look("/v1/incidents")["incidents"])) == ("red", 1)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"brands": []}, "brands"),
        ({"level": "green"}, "level"),
        ({"sentence": ""}, "sentence"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"picture": {"media_type": "image/svg+xml", "data": "PHN2Zy8+"}}, "picture.media_type"),
        ({"picture": {"media_type": "image/png", "data": "PHN2Zy8+"}}, "picture"),
    ],
)
def test_a_wrong_declaration_is_named(desk: Desk, wrong: dict[str, object], field: str) -> None:
    answer = desk.declare(**wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert desk.declare(brands=["unknown"]).status_code == 404


def test_brands_with_two_open_incidents_are_merged_first(desk: Desk, newsroom: Newsroom) -> None:
    first, second = newsroom.alarm().id, newsroom.alarm(Level.RED, brand="globex").id
    assert desk.declare(brands=["acme", "globex"]).status_code == 409
    kept = desk.ask(second, "merge", into=str(first)).json()
    assert (kept["id"], kept["brands"], kept["level"]) == (str(first), ["acme", "globex"], "red")
    assert desk.incident(second)["merged_into"] == str(first)
    assert desk.declare(brands=["acme", "globex"]).status_code == 200


def test_a_story_that_is_split_off_is_an_incident_of_its_own(desk: Desk, newsroom: Newsroom) -> None:
    incident = newsroom.alarm().id
    answer = desk.ask(incident, "split", story="s1", title="The strike", level="red")
    assert answer.status_code == 201
    new = desk.look(answer.headers["location"])
    assert (new["main"], new["split_from"], new["state"], new["level"]) == (
        False,
        str(incident),
        "acknowledged",
        "red",
    )
    assert desk.look("/v1/brands")["brands"][0]["incident"] == str(incident)
    assert desk.ask(incident, "split", story="s1").status_code == 409


def test_reopened_beside_another_it_joins_that_one(desk: Desk, newsroom: Newsroom) -> None:
    first = newsroom.alarm().id
    desk.ask(first, "resolve")
    second = newsroom.alarm().id
    answer = desk.ask(first, "reopen")
    assert (answer.status_code, answer.json()["id"]) == (200, str(second))
    assert desk.incident(first)["merged_into"] == str(second)


def test_a_brand_that_is_silenced_rings_for_nothing_up_to_that_level(
    desk: Desk, database: Database, clock: ManualClock
) -> None:
    silence = desk.silence().json()
    judge(database, clock, Level.ORANGE)
    (quiet,) = desk.look("/v1/incidents")["incidents"]
    assert desk.incident(quiet["id"])["notifications"] == []
    clock.move(80 * 60)
    assert Timers(database, clock, Directory.of(CONFIGURATION)).ring_due() == 1
    told = desk.incident(quiet["id"])
    assert [item["name"] for item in told["notifications"]] == ["Léa Martin"]
    assert desk.end(silence["id"]).status_code == 409
    assert desk.look("/v1/silences")["silences"] == []
    assert [item["id"] for item in desk.look("/v1/silences?over=true")["silences"]] == [silence["id"]]


def test_a_silenced_brand_rings_for_what_is_worse(desk: Desk, database: Database, clock: ManualClock) -> None:
    desk.silence()
    judge(database, clock, Level.RED)
    (loud,) = desk.look("/v1/incidents")["incidents"]
    assert desk.incident(loud["id"])["notifications"]


def test_silencing_a_brand_silences_its_open_incident_and_ending_it_rings_again(desk: Desk, newsroom: Newsroom) -> None:
    incident = newsroom.alarm().id
    silence = desk.silence().json()
    assert desk.incident(incident)["silence"]["until"] == "2026-03-10T23:00:00Z"
    ended = desk.end(silence["id"]).json()
    assert ended["ended_by"].startswith("key:")
    told = desk.incident(incident)
    assert (told["silence"], told["events"][-1]["type"]) == (None, "incident.escalated")


def test_a_wrong_silence_is_named(desk: Desk) -> None:
    assert desk.silence(until="2020-01-01T00:00:00Z").status_code == 422
    assert desk.silence(level="yellow").status_code == 422
    assert desk.silence(brand="unknown").status_code == 404
    assert desk.end(uuid4()).status_code == 404


def test_an_incident_over_several_brands_is_seen_by_whoever_may_see_them_all(
    desk: Desk, client: TestClient, key: KeyMaker, database: Database
) -> None:
    joint = desk.declare(brands=["acme", "globex"]).json()["id"]
    one = Desk(client, key("read", "act", brands=["acme"]))
    with database.unit_of_work() as session:
        outbox.number(session)
        published = [json.loads(item.event.value) for item in outbox.after(session, 0)]
        told = incidents.events(session, UUID(joint))
    assert {tuple(event["also"]) for event in published} == {("globex",)}, (
        "the live stream tells by them who may see it"
    )
    assert {event.also for event in told} == {("globex",)}
    assert one.look("/v1/incidents")["incidents"] == []
    assert one.look("/v1/brands")["brands"][0]["incident"] is None
    assert one.ask(joint, "acknowledge").status_code == 404
    assert one.declare().status_code == 404
    both = Desk(client, key("read", "act", brands=["acme", "globex"]))
    assert [incident["id"] for incident in both.look("/v1/incidents")["incidents"]] == [joint]


def test_whoever_may_only_read_commands_nothing(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    incident = newsroom.alarm().id
    reader = Desk(client, key("read"))
    assert reader.declare().status_code == 403
    assert reader.silence().status_code == 403
    for command in ("mitigate", "unacknowledge", "escalate", "unsilence", "reopen", "review"):
        assert reader.ask(incident, command).status_code == 403


def test_the_form_rings_the_alarm_and_leads_to_its_page(client: TestClient, actor: Headers) -> None:
    page = client.get("/declare?lang=fr", headers={**actor, "Accept": "text/html"})
    assert "Sonner le tocsin à la main" in page.text
    form = {
        "brand": ["acme", "globex"],
        "level": "orange",
        "sentence": "A journalist called.",
        "link": "",
        "text": "Noon.",
    }
    done = client.post("/declare", data=form, headers=actor)
    assert done.status_code == 303
    told = client.get("/v1" + done.headers["location"], headers=actor).json()
    assert (told["brands"], told["level"], told["declarations"][0]["text"]) == (["acme", "globex"], "orange", "Noon.")
    wrong = client.post("/declare", data={**form, "brand": []}, headers=actor)
    assert wrong.headers["location"] == "/declare?notice=wrong"
