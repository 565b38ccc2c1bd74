"""From mentions sent over HTTP to a signed message at the person on call, and back to calm; on both installations."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.brokers import await_condition
from tests.e2e.fleet import Fleet, crisis, mention, quiet_history, write_lines
from tests.e2e.receiver import Receiver

NOTICED_WITHIN = 120.0
"""Seconds of this machine's time; a limit for a test that hangs, no promise about speed."""


@pytest.mark.timeout(900)
def test_a_crisis_is_noticed_somebody_is_rung_acknowledges_and_resolves(fleet: Fleet, receiver: Receiver) -> None:
    fleet.command("import", str(write_lines(fleet.folder / "history.jsonl", quiet_history(fleet.now()))))
    with fleet.client("read", "act", "send") as client:
        assert client.get("/v1/incidents").json()["incidents"] == []
        assert client.get("/v1/brands").raise_for_status().json()["brands"][0]["level"] == "green"

        sent = crisis(fleet.now(), 40)
        answer = client.post(
            fleet.send_address(), json=[*sent, mention("other", "Nothing about it", fleet.now(), author="x")]
        )
        assert answer.status_code == 202, answer.text
        await_condition(lambda: len(stored(client)) >= len(sent), "the mentions in the database", NOTICED_WITHIN)
        await_condition(lambda: bool(incidents(client)), "an incident", NOTICED_WITHIN)
        await_condition(lambda: bool(receiver.messages("page")), "a page at the receiver", NOTICED_WITHIN)

        incident = incidents(client)[0]
        assert incident["brand"] == "lunea"
        assert incident["level"] in ("orange", "red")
        assert {item["native_id"] for item in stored(client)} == {item["native_id"] for item in sent}
        page = next(iter(receiver.messages("page").values()))["data"]
        assert page["incident_id"] == incident["id"]
        assert page["name"] == "Léa"
        assert page["language"] == "fr"
        assert receiver.forged == 0
        [brand] = client.get("/v1/brands").raise_for_status().json()["brands"]
        assert brand["level"] == incidents(client)[0]["level"]
        assert "harmful mentions" in brand["reasons"]["en"]
        timeline = client.get("/v1/brands/lunea/timeline", params={"since": sent[0]["published_at"]}).raise_for_status()
        assert sum(span["mentions"] for span in timeline.json()["spans"]) >= len(sent)

        taken = client.post(f"/v1/incidents/{incident['id']}/acknowledge", json={"level": "red"})
        assert taken.status_code == 200, taken.text
        assert taken.json()["state"] == "acknowledged"
        await_condition(
            lambda: bool(receiver.messages("acknowledged")), "the word that somebody has it", NOTICED_WITHIN
        )

        over = client.post(f"/v1/incidents/{incident['id']}/resolve", json={"verdict": "crisis"})
        assert over.status_code == 200, over.text
        assert over.json()["state"] == "resolved"
        await_condition(lambda: bool(receiver.messages("resolved")), "the word that it is over", NOTICED_WITHIN)
        kinds = [event["type"] for event in client.get(f"/v1/incidents/{incident['id']}").json()["events"]]
        assert kinds[0] == "incident.opened"
        assert {"incident.acknowledged", "incident.resolved"} <= set(kinds)
    assert set(fleet.stop().values()) == {0}


def incidents(client: httpx.Client) -> list[dict[str, Any]]:
    """Every incident, the newest first."""
    found: list[dict[str, Any]] = client.get("/v1/incidents").raise_for_status().json()["incidents"]
    return found


def stored(client: httpx.Client, source: str = "mastodon") -> list[dict[str, Any]]:
    """The mentions that the API lists, without the calm ones of the history."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        parameters = {"brand": "lunea", "source": source, "limit": "500"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/mentions", params=parameters).raise_for_status().json()
        found += [item for item in page["mentions"] if not item["native_id"].startswith("quiet-")]
        cursor = page["next"]
        if cursor is None:
            return found
