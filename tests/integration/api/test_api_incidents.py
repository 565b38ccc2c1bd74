"""Brands and incidents: how they stand, acknowledging and resolving, and what is refused."""

from __future__ import annotations

import threading
import uuid

import pytest
from fastapi.testclient import TestClient

from tests.newsroom import REASONS, KeyMaker, Newsroom
from tests.route_table import DOORS
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Level

Headers = dict[str, str]


@pytest.fixture
def actor(key: KeyMaker) -> Headers:
    return key("read", "act")


def path(incident_id: uuid.UUID, command: str = "") -> str:
    return f"/v1/incidents/{incident_id}" + (f"/{command}" if command else "")


def test_a_brand_stands_as_it_was_judged_last(client: TestClient, actor: Headers, newsroom: Newsroom) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    acme, globex = client.get("/v1/brands", headers=actor).json()["brands"]
    assert acme == {
        "id": "acme",
        "name": "Acme",
        "level": "orange",
        "score": 87.0,
        "reasons": REASONS,
        "decided": {},
        "evaluated_at": "2026-03-10T21:40:00Z",
        "complete_up_to": "2026-03-10T21:40:00Z",
        "incident": str(incident.id),
    }
    assert (globex["level"], globex["evaluated_at"], globex["incident"]) == ("green", None, None)


def test_an_incident_tells_what_happened_and_whom_it_was_told(
    client: TestClient, actor: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    clock.move(600)
    newsroom.ring(incident.id)
    answer = client.get(path(incident.id), headers=actor)
    told = answer.json()
    assert [event["type"] for event in told["events"]] == [
        "incident.opened",
        "incident.escalated",
        "incident.escalated",
    ]
    assert [event["sequence"] for event in told["events"]] == [1, 2, 3]
    assert [(item["name"], item["channel"], item["outcome"]) for item in told["notifications"]] == [
        ("Léa Martin", "phone-lea", None),
        ("Marc Dubois", "phone-marc", None),
    ]
    assert answer.headers["etag"] == f'"{told["version"]}"' == '"3"'


def test_incidents_are_listed_by_brand_and_state_in_pages(
    client: TestClient, actor: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    first = newsroom.alarm()
    client.post(path(first.id, "resolve"), headers=actor)
    clock.move(60)
    second = newsroom.alarm(brand="globex")
    clock.move(60)
    third = newsroom.alarm()

    def listed(query: str = "") -> list[str]:
        return [incident["id"] for incident in client.get(f"/v1/incidents?{query}", headers=actor).json()["incidents"]]

    assert listed() == [str(third.id), str(second.id), str(first.id)]
    assert listed("brand=acme") == [str(third.id), str(first.id)]
    assert listed("state=resolved") == [str(first.id)]
    assert listed("state=resolved&state=triggered&brand=globex") == [str(second.id)]
    page = client.get("/v1/incidents?limit=2", headers=actor).json()
    rest = client.get("/v1/incidents", params={"limit": 2, "cursor": page["next"]}, headers=actor).json()
    assert [incident["id"] for incident in rest["incidents"]] == [str(first.id)]
    assert rest["next"] is None


def test_acknowledging_stops_the_calls_and_names_who_has_it(
    client: TestClient, actor: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    assert client.get(path(incident.id), headers=actor).json()["next_call_at"] == "2026-03-10T21:50:00Z"
    answer = client.post(path(incident.id, "acknowledge"), json={"level": "orange"}, headers=actor)
    told = answer.json()
    assert (answer.status_code, told["state"], told["next_call_at"]) == (200, "acknowledged", None)
    assert told["acknowledged"]["by"].startswith("key:")
    assert told["acknowledged"]["until"] == "2026-03-10T22:10:00Z"
    assert answer.headers["etag"] == f'"{told["version"]}"'


def test_a_second_click_changes_nothing_and_a_later_one_says_still_on_it(
    client: TestClient, actor: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    once = client.post(path(incident.id, "acknowledge"), headers=actor).json()
    clock.move(59)
    assert client.post(path(incident.id, "acknowledge"), headers=actor).json() == once
    clock.move(1)
    again = client.post(path(incident.id, "acknowledge"), headers=actor).json()
    assert again["version"] == once["version"] + 1
    assert again["acknowledged"]["until"] > once["acknowledged"]["until"]


def test_another_person_may_take_over(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    incident = newsroom.alarm()
    first, second = (
        client.post(path(incident.id, "acknowledge"), headers=key("act")).json()["acknowledged"]["by"] for _ in range(2)
    )
    assert first != second


def test_what_was_acknowledged_at_a_lower_level_is_refused_as_stale(
    client: TestClient, actor: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    newsroom.change_level(incident.id, Level.RED)
    refused = client.post(path(incident.id, "acknowledge"), json={"level": "orange"}, headers=actor)
    assert refused.status_code == 412
    assert "risen from orange to red" in refused.json()["detail"]
    assert client.get(path(incident.id), headers=actor).json()["state"] == "triggered"
    assert client.post(path(incident.id, "acknowledge"), json={"level": "red"}, headers=actor).status_code == 200


@pytest.mark.parametrize("command", ["acknowledge", "resolve"])
def test_an_entity_tag_of_before_is_refused_as_stale(
    client: TestClient, actor: Headers, newsroom: Newsroom, clock: ManualClock, command: str
) -> None:
    incident = newsroom.alarm()
    tag = client.get(path(incident.id), headers=actor).headers["etag"]
    clock.move(600)
    newsroom.ring(incident.id)
    refused = client.post(path(incident.id, command), headers={**actor, "If-Match": tag})
    assert refused.status_code == 412
    present = client.get(path(incident.id), headers=actor).headers["etag"]
    assert client.post(path(incident.id, command), headers={**actor, "If-Match": present}).status_code == 200


@pytest.mark.parametrize("tag", ["x", '"1", "2"', "", '"99999999999999999999"'])
def test_an_entity_tag_that_is_none_is_named(client: TestClient, actor: Headers, newsroom: Newsroom, tag: str) -> None:
    incident = newsroom.alarm()
    answer = client.post(path(incident.id, "resolve"), headers={**actor, "If-Match": tag})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "if-match"


def test_resolving_needs_no_tag_and_repeating_it_is_no_mistake(
    client: TestClient, actor: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    once = client.post(path(incident.id, "resolve"), json={"verdict": "false_alarm"}, headers=actor)
    assert (once.status_code, once.json()["state"], once.json()["verdict"]) == (200, "resolved", "false_alarm")
    again = client.post(path(incident.id, "resolve"), json={"verdict": "false_alarm"}, headers=actor)
    assert (again.status_code, again.json()) == (200, once.json())


def test_what_a_closed_incident_does_not_allow_is_a_conflict(
    client: TestClient, actor: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    client.post(path(incident.id, "resolve"), json={"verdict": "crisis"}, headers=actor)
    assert client.post(path(incident.id, "acknowledge"), headers=actor).status_code == 409
    other = client.post(path(incident.id, "resolve"), json={"verdict": "buzz"}, headers=actor)
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("command", ["acknowledge", "resolve"])
@pytest.mark.parametrize(
    ("body", "field"), [('{"levle": "red"}', "levle"), ('{"verdict": 3, "level": 3}', None), ("[]", None), ("{", None)]
)
def test_a_wrong_body_is_named(
    client: TestClient, actor: Headers, newsroom: Newsroom, command: str, body: str, field: str | None
) -> None:
    incident = newsroom.alarm()
    answer = client.post(
        path(incident.id, command), content=body, headers={**actor, "Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert field in fields if field else fields


@pytest.mark.parametrize("command", ["", "acknowledge", "resolve"])
def test_an_incident_that_is_not_there_is_not_found(client: TestClient, actor: Headers, command: str) -> None:
    nowhere = path(uuid.uuid4(), command)
    answer = client.post(nowhere, headers=actor) if command else client.get(nowhere, headers=actor)
    assert answer.status_code == 404


def test_of_two_who_resolve_differently_at_once_one_is_refused(
    client: TestClient, actor: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    together = threading.Barrier(2)
    answers: list[int] = []

    def resolve(verdict: str) -> None:
        together.wait()
        answers.append(client.post(path(incident.id, "resolve"), json={"verdict": verdict}, headers=actor).status_code)

    threads = [threading.Thread(target=resolve, args=(verdict,)) for verdict in ("buzz", "crisis")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    events = client.get(path(incident.id), headers=actor).json()["events"]
    assert [event["type"] for event in events].count("incident.resolved") == 1


def test_the_description_names_every_route_its_key_and_its_errors(client: TestClient, actor: Headers) -> None:
    described = client.get("/v1/openapi.json", headers=actor).json()
    told = {door.path for door in DOORS if door.path.startswith("/v1/")} - {"/v1/openapi.json"}
    assert {path for path in described["paths"] if path.startswith("/v1/")} == told
    for path_, methods in described["paths"].items():
        for described_route in methods.values():
            if path_.startswith("/v1/"):
                assert described_route["security"] == [{"API key": []}]
                assert {"401", "403", "422"} <= set(described_route["responses"])
                assert any(status.startswith("2") for status in described_route["responses"])
    assert described["openapi"].startswith("3.1")
