"""Mentions sent over HTTP are on the bus when the answer says so; what cannot be taken is told with its field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.ingest.normalising import Normaliser
from services.ingest.publisher import InFlight, Publisher
from services.ingest.receiving import LARGEST_BODY, MOST_MENTIONS, Receiver, create_router
from services.ingest.routing import Router
from tocsin import problems
from tocsin.access.principals import NotAllowed, NotRecognised, Principal, Scope
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.embedded_log import Bounds
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.contracts.codec import decode
from tocsin.contracts.events import Mention, Removal
from tocsin.contracts.settings.brands import BrandSettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BRANDS = [
    BrandSettings(id="veloria", names=("Veloria",)),
    BrandSettings(id="orange", names=("Orange",)),
    BrandSettings(id="silent"),
]
KEYS = {
    "sender": Principal("key:sender", frozenset({Scope.SEND})),
    "reader": Principal("key:reader", frozenset({Scope.READ})),
    "orange": Principal("key:orange", frozenset({Scope.SEND}), frozenset({"orange"})),
}


class Keys:
    """A verifier that knows three keys."""

    def verify(self, key: str, scope: Scope | str) -> Principal:
        if key not in KEYS:
            raise NotRecognised("this API key is not known")
        if not KEYS[key].may(Scope(scope)):
            raise NotAllowed("this API key is for read")
        return KEYS[key]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(
        tmp_path / "bus.sqlite", ManualClock(NOW), partitions=2, bounds=Bounds(max_records=20), lease_seconds=600
    )
    bus.ensure_topics(topics.FLOW)
    yield bus
    bus.close()


@pytest.fixture
def client(bus: EmbeddedBus) -> Iterator[TestClient]:
    clock = ManualClock(NOW)
    router = Router(BRANDS)
    receiver = Receiver(
        Normaliser(lambda text: None),
        lambda: Publisher(bus.producer(), router, clock),
        InFlight(clock),
        frozenset(brand.id for brand in BRANDS),
    )
    app = FastAPI()
    problems.install(app)
    app.include_router(create_router(receiver, Keys()))
    with TestClient(app, headers={"Authorization": "Bearer sender"}, raise_server_exceptions=False) as client:
        yield client


def raw(native_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {
        "source": "forum",
        "native_id": native_id,
        "text": "Veloria leaks.",
        "published_at": "2026-03-01T12:30:00+01:00",
        **fields,
    }


def on_the_bus(bus: EmbeddedBus, topic: str = topics.MENTIONS) -> list[Mention]:
    events = [decode(record.value, record.headers).event for record in bus.read(topic)]
    return sorted((event for event in events if isinstance(event, Mention)), key=lambda mention: mention.native_id)


def problem(answer: Any, status: int) -> dict[str, str]:
    """The problem's fields and messages, after a look at its form."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    return {error["field"]: error["message"] for error in body.get("errors", [])}


def test_one_mention(client: TestClient, bus: EmbeddedBus) -> None:
    answer = client.post("/v1/mentions", json=raw(received_at="2020-01-01T00:00:00Z", sentiment="negative"))
    assert answer.status_code == 202
    [mention] = on_the_bus(bus)
    assert answer.json() == {
        "accepted": 1,
        "unmatched": 0,
        "refused": 0,
        "mentions": [{"index": 0, "id": str(mention.id), "brands": ["veloria"]}],
        "errors": [],
    }
    assert mention.received_at == NOW
    assert mention.sentiment is None


@pytest.mark.parametrize("wrapped", [False, True])
def test_many_mentions(client: TestClient, bus: EmbeddedBus, wrapped: bool) -> None:
    many = [raw(str(number)) for number in range(5)]
    answer = client.post("/v1/mentions", json={"mentions": many} if wrapped else many)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 5
    assert [mention.native_id for mention in on_the_bus(bus)] == list("01234")


def test_sent_twice_it_is_the_same_mention(client: TestClient, bus: EmbeddedBus) -> None:
    first, second = (client.post("/v1/mentions", json=raw()).json() for _ in range(2))
    assert first == second
    assert len({mention.id for mention in on_the_bus(bus)}) == 1


def test_valid_ones_are_taken_and_the_others_told(client: TestClient, bus: EmbeddedBus) -> None:
    answer = client.post(
        "/v1/mentions",
        json=[
            raw("0"),
            raw("1", text=""),
            "text",
            raw("3", author={"followers": -1}),
            raw("4", text="no brand"),
            raw("5"),
        ],
    )
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["unmatched"], body["refused"]) == (3, 1, 3)
    assert [(error["index"], error["field"]) for error in body["errors"]] == [
        (1, "text"),
        (2, ""),
        (3, "author.followers"),
    ]
    assert [(item["index"], item["brands"]) for item in body["mentions"]] == [
        (0, ["veloria"]),
        (4, []),
        (5, ["veloria"]),
    ]
    assert [mention.native_id for mention in on_the_bus(bus)] == ["0", "5"]


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"text": "", "rating": {"best": 5}}, "text", "neither a rating nor media"),
        ({"text": "x" * 1_000_000}, "text", "at most 100,000"),
        ({"published_at": "2026-03-01T12:30:00"}, "published_at", "has no offset"),
        ({"published_at": "2026-03-01T12:30:00Z"}, "published_at", "30 minutes in the future"),
        (
            {"brands": ["veloria", "unheard-of"]},
            "brands[1]",
            "no such brand in tocsin.yaml; known are orange, silent, veloria",
        ),
        ({"native_id": None}, "native_id", "is required"),
    ],
)
def test_bad_input_is_a_problem_with_its_field(
    client: TestClient, bus: EmbeddedBus, wrong: dict[str, Any], field: str, message: str
) -> None:
    assert message in problem(client.post("/v1/mentions", json=raw(**wrong)), 422)[field]
    assert message in problem(client.post("/v1/mentions", json=[raw(**wrong)]), 422)[f"[0].{field}"]
    assert on_the_bus(bus) == []


def test_a_lone_surrogate_is_replaced(client: TestClient, bus: EmbeddedBus) -> None:
    body = json.dumps(raw(text="Veloria \ud83d leaks"))
    assert client.post("/v1/mentions", content=body, headers={"content-type": "application/json"}).status_code == 202
    assert on_the_bus(bus)[0].text == "Veloria \ufffd leaks"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{not json", "no JSON"),
        (b"", "no JSON"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'{"rating": {"value": NaN}}', "NaN"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_a_problem(client: TestClient, body: bytes, message: str) -> None:
    answer = client.post("/v1/mentions", content=body, headers={"content-type": "application/json"})
    assert message in problem(answer, 400)["body"]


@pytest.mark.parametrize(
    ("body", "field"), [([], "mentions"), ({"mentions": []}, "mentions"), (3, "body"), ([3], "[0]"), ({}, "text")]
)
def test_json_that_is_no_mention_is_a_problem(client: TestClient, body: Any, field: str) -> None:
    assert field in problem(client.post("/v1/mentions", json=body), 422)


def test_another_content_type_is_refused(client: TestClient) -> None:
    problem(
        client.post("/v1/mentions", content=b"a=b", headers={"content-type": "application/x-www-form-urlencoded"}), 415
    )
    problem(client.post("/v1/mentions", content=b"{}"), 415)


def test_too_large_a_request_is_refused(client: TestClient) -> None:
    large = b" " * (LARGEST_BODY + 1)
    problem(client.post("/v1/mentions", content=large, headers={"content-type": "application/json"}), 413)
    problem(client.post("/v1/mentions", json=[{}] * (MOST_MENTIONS + 1)), 413)


def test_only_a_key_that_may_send_is_let_in(client: TestClient, bus: EmbeddedBus) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sender"}):
        answer = client.post("/v1/mentions", json=raw(), headers=headers)
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(client.post("/v1/mentions", json=raw(), headers={"Authorization": "Bearer reader"}), 403)
    assert on_the_bus(bus) == []
    assert (
        client.post("/v1/mentions", json=raw(), headers={"Authorization": "", "X-API-Key": "sender"}).status_code == 202
    )


def test_a_key_for_one_brand_reaches_no_other(client: TestClient, bus: EmbeddedBus) -> None:
    headers = {"Authorization": "Bearer orange"}
    assert "brands[0]" in problem(client.post("/v1/mentions", json=raw(brands=["veloria"]), headers=headers), 422)
    answer = client.post("/v1/mentions", json=raw(text="Orange and Veloria"), headers=headers)
    assert answer.json()["mentions"][0]["brands"] == ["orange"]
    assert on_the_bus(bus)[0].brands == ("orange",)


def test_a_full_bus_pushes_back_and_nothing_is_lost(client: TestClient, bus: EmbeddedBus) -> None:
    # A group that reads nothing holds every record.
    consumer = bus.consumer("classify", [topics.MENTIONS])
    consumer.poll(0)
    accepted = []
    for number in range(30):
        answer = client.post("/v1/mentions", json=raw(f"{number:02}"))
        if answer.status_code == 202:
            accepted.append(f"{number:02}")
            continue
        problem(answer, 429)
        assert int(answer.headers["retry-after"]) > 0
    consumer.close()
    assert 0 < len(accepted) < 30
    assert [mention.native_id for mention in on_the_bus(bus)] == accepted


def test_an_edit_without_a_brand_takes_the_mention_back(client: TestClient, bus: EmbeddedBus) -> None:
    client.post("/v1/mentions", json=raw())
    later = int((NOW + timedelta(hours=1)).timestamp() * 1000)
    answer = client.post("/v1/mentions", json=raw(text="it leaks", revision=later)).json()
    assert answer["unmatched"] == 1
    [record] = bus.read(topics.REMOVALS)
    removal = decode(record.value, record.headers).event
    assert isinstance(removal, Removal)
    assert (str(removal.id), removal.revision) == (answer["mentions"][0]["id"], later)
