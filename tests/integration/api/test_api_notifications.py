"""Messages that were given up: listed, and sent again, by whoever may, on both databases; audited."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from services.alert.notify.port import Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge
from tests.newsroom import KeyMaker, Newsroom
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Incident
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome

NOBODY = "00000000-0000-0000-0000-000000000001"


class Refusing:
    """A channel that refuses everything until it is mended."""

    kind = "terminal"
    deduplicates = True
    address_hash = "x"
    timeout = timedelta(seconds=1)

    def __init__(self) -> None:
        self.mended = False
        self.sent: list[UUID] = []

    def send(self, delivery: Delivery) -> Outcome:
        if not self.mended:
            return Outcome(AttemptOutcome.REJECTED, "wrong number")
        self.sent.append(delivery.id)
        return Outcome(AttemptOutcome.ACCEPTED, "taken")


class Delivering:
    """An incident of acme whose first page was refused."""

    def __init__(self, database: Database, clock: ManualClock, newsroom: Newsroom) -> None:
        self.newsroom = newsroom
        self.channel = Refusing()
        self._sender = Sender(database, clock, {"phone-lea": self.channel, "phone-marc": self.channel})
        self.incident: Incident = newsroom.alarm()
        self.send()

    def send(self) -> None:
        self._sender.send_due()


@pytest.fixture
def delivering(database: Database, clock: ManualClock, newsroom: Newsroom) -> Delivering:
    return Delivering(database, clock, newsroom)


def test_what_was_given_up_is_listed_with_its_reason_and_sent_again(
    client: TestClient, key: KeyMaker, delivering: Delivering
) -> None:
    actor = key("read", "act")
    (listed,) = client.get("/v1/notifications", headers=actor).json()["notifications"]
    assert (listed["outcome"], listed["detail"], listed["target"]) == ("rejected", "wrong number", "person:lea")
    assert (listed["incident_id"], listed["brand"]) == (str(delivering.incident.id), "acme")
    again = client.post(f"/v1/notifications/{listed['id']}/send-again", headers=actor)
    assert (again.status_code, again.json()["outcome"], again.json()["attempts"]) == (202, None, 1)
    assert client.get("/v1/notifications", headers=actor).json()["notifications"] == []
    delivering.channel.mended = True
    delivering.send()
    assert delivering.channel.sent == [UUID(listed["id"])], "with the id that receivers know it by"
    (entry,) = [
        item
        for item in client.get("/v1/audit", headers=key("admin")).json()["entries"]
        if "sent_again" in item["action"]
    ]
    assert entry["action"] == "notification.sent_again"
    assert entry["target"] == listed["id"]
    assert (entry["brand"], entry["actor"][:4]) == ("acme", "key:")
    assert entry["details"] == {
        "incident": str(delivering.incident.id),
        "kind": "page",
        "to": "person:lea",
        "channel": "phone-lea",
        "was": "rejected",
    }


def test_only_what_was_given_up_is_sent_again(client: TestClient, key: KeyMaker, delivering: Delivering) -> None:
    actor = key("read", "act")
    (listed,) = client.get("/v1/notifications", headers=actor).json()["notifications"]
    place = f"/v1/notifications/{listed['id']}/send-again"
    assert client.post(place, headers=actor).status_code == 202
    waiting = client.post(place, headers=actor)
    assert waiting.status_code == 409
    assert "still waiting" in waiting.json()["detail"]
    delivering.channel.mended = True
    delivering.send()
    through = client.post(place, headers=actor)
    assert (through.status_code, "it is accepted" in through.json()["detail"]) == (409, True)
    assert client.post(f"/v1/notifications/{NOBODY}/send-again", headers=actor).status_code == 404
    actions = [item["action"] for item in client.get("/v1/audit", headers=key("admin")).json()["entries"]]
    assert actions.count("notification.sent_again") == 1, "what was refused did not happen"


def test_a_page_that_is_sent_again_after_somebody_took_it_in_hand_does_not_ring(
    client: TestClient, key: KeyMaker, delivering: Delivering
) -> None:
    actor = key("read", "act")
    (listed,) = client.get("/v1/notifications", headers=actor).json()["notifications"]
    delivering.newsroom.command(delivering.incident.id, Acknowledge("person:marc"))
    delivering.channel.mended = True
    assert client.post(f"/v1/notifications/{listed['id']}/send-again", headers=actor).status_code == 202
    delivering.send()
    assert UUID(listed["id"]) not in delivering.channel.sent


def test_who_may_not_see_the_brand_neither_lists_nor_sends(
    client: TestClient, key: KeyMaker, delivering: Delivering
) -> None:
    (listed,) = client.get("/v1/notifications", headers=key("read")).json()["notifications"]
    place = f"/v1/notifications/{listed['id']}/send-again"
    other = key("read", "act", brands=["globex"])
    assert client.get("/v1/notifications", headers=other).json()["notifications"] == []
    assert client.post(place, headers=other).status_code == 404
    assert client.post(place, headers=key("read")).status_code == 403
    assert client.post(place).status_code == 401
    assert len(client.get("/v1/notifications", headers=key("read", brands=["acme"])).json()["notifications"]) == 1
