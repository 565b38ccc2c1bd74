"""What a good citizen of the web does: limits that are told, answers that are not sent twice, requests that are not done twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api.app import create_app
from tests.newsroom import KeyMaker, Newsroom
from tocsin.clock import ManualClock
from tocsin.config import ConfigurationError, parse
from tocsin.problems import Problem
from tocsin.process import Surroundings
from tocsin.storage import idempotency
from tocsin.storage.database import Database
from tocsin.storage.idempotency import Answer, OtherRequest, StillUnderWay


@pytest.fixture
def hurried(surroundings: Surroundings, people_clock: ManualClock) -> TestClient:
    """A client of an installation that allows 20 requests a minute."""
    return installed(surroundings, people_clock, requests_a_minute=20)


def installed(surroundings: Surroundings, people_clock: ManualClock, **settings: Any) -> TestClient:
    """A client of an installation with these settings under `api`."""
    api = surroundings.configuration.api.model_copy(update=settings)
    configuration = surroundings.configuration.model_copy(update={"api": api})
    app = create_app(replace(surroundings, configuration=configuration), people_clock=people_clock)
    return TestClient(app, base_url="http://tocsin.test", follow_redirects=False)


def test_each_answer_tells_how_many_requests_are_left_and_too_many_are_asked_to_wait(
    hurried: TestClient, key: KeyMaker
) -> None:
    mine, yours = key("read"), key("read")
    answers = [hurried.get("/v1/brands", headers=mine) for _ in range(21)]
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:3]] == ["19", "18", "17"]
    refused = answers[20]
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert hurried.get("/v1/brands", headers=yours).status_code == 200


def test_a_request_id_is_given_back_made_where_it_is_missing_and_replaced_where_it_could_forge_a_log(
    client: TestClient, key: KeyMaker
) -> None:
    headers = key("read")
    mine = client.get("/v1/brands", headers={**headers, "X-Request-ID": "from-the-proxy-1"})
    assert mine.headers["x-request-id"] == "from-the-proxy-1"
    made = {client.get("/v1/brands", headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2
    forged = client.get("/v1/brands", headers={**headers, "X-Request-ID": "x level=error"})
    assert forged.headers["x-request-id"] != "x level=error"
    assert client.get("/v1/brands").headers["x-request-id"]


def test_long_answers_are_compressed_for_who_can_read_that(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    for number in range(20):
        newsroom.say(f"m{number}")
    path, headers = "/v1/mentions?brand=acme", key("read")
    packed = client.get(path, headers={**headers, "Accept-Encoding": "gzip"})
    plain = client.get(path, headers={**headers, "Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert packed.headers["vary"].lower().count("accept-encoding") == 1


def test_what_a_client_has_already_is_not_sent_again_until_it_changes(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    newsroom.say("first")
    path, headers = "/v1/mentions?brand=acme", key("read")
    tag = client.get(path, headers=headers).headers["etag"]
    again = client.get(path, headers={**headers, "If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    newsroom.say("second")
    changed = client.get(path, headers={**headers, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_whoever_asks_for_the_head_alone_gets_that_of_the_whole_answer(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    for number in range(20):
        newsroom.say(f"m{number}")
    headers = key("read")
    for path in (
        "/v1/mentions?brand=acme",
        "/v1/mentions/export?brand=acme&format=jsonl",
        "/",
        "/healthz",
        "/static/page.css",
    ):
        whole, head = (client.request(method, path, headers=headers) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-type", "content-length", "content-encoding", "etag", "content-security-policy"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
    tag = client.head("/v1/mentions?brand=acme", headers=headers).headers["etag"]
    assert client.head("/v1/mentions?brand=acme", headers={**headers, "If-None-Match": tag}).status_code == 304


def test_a_head_is_asked_for_a_key_and_found_only_where_there_is_something_to_read(
    client: TestClient, key: KeyMaker
) -> None:
    assert client.head("/v1/brands").status_code == 401
    assert client.head("/v1/brands/globex/figures", headers=key("read", brands=["acme"])).status_code == 404
    posted = client.head("/v1/mentions/00000000-0000-0000-0000-000000000001/correction", headers=key("admin"))
    assert (posted.status_code, posted.headers["allow"]) == (405, "POST")
    read = client.delete("/v1/brands", headers=key("admin"))
    assert (read.status_code, read.headers["allow"]) == (405, "GET, HEAD")


def test_the_tag_of_an_incident_is_its_version_and_never_hides_what_became_of_its_messages(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    headers = key("read")
    path = f"/v1/incidents/{incident.id}"
    tag = client.get(path, headers=headers).headers["etag"]
    assert tag == f'"{incident.version}"'
    assert client.get(path, headers={**headers, "If-None-Match": tag}).status_code == 200


def test_other_sites_are_not_told_that_they_may_read(client: TestClient, key: KeyMaker) -> None:
    headers = {**key("read"), "Origin": "https://elsewhere.test"}
    answer = client.get("/v1/brands", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
    preflight = client.options(
        "/v1/brands", headers={"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "GET"}
    )
    assert preflight.status_code == 401


def test_the_sites_that_the_configuration_names_may_ask_with_a_key_and_no_others(
    surroundings: Surroundings, people_clock: ManualClock, key: KeyMaker
) -> None:
    client = installed(surroundings, people_clock, cors_origins=("https://dashboard.example",))
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,if-match"}
    ours = client.options("/v1/incidents", headers={"Origin": "https://dashboard.example", **asked})
    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == "https://dashboard.example"
    assert "If-Match" in ours.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in ours.headers
    theirs = client.options("/v1/incidents", headers={"Origin": "https://evil.example", **asked})
    assert theirs.status_code == 400
    assert "access-control-allow-origin" not in theirs.headers
    read = client.get("/v1/brands", headers={"Origin": "https://dashboard.example", **key("read")})
    assert read.headers["access-control-allow-origin"] == "https://dashboard.example"
    assert "RateLimit-Remaining" in read.headers["access-control-expose-headers"]
    stranger = client.get("/v1/brands", headers={"Origin": "https://dashboard.example"})
    assert stranger.status_code == 401
    assert stranger.headers["access-control-allow-origin"] == "https://dashboard.example"


@pytest.mark.parametrize("origin", ["*", "dashboard.example", "https://dashboard.example/"])
def test_an_origin_that_is_none_is_refused_when_it_is_configured(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="cors_origins"):
        parse(f"api: {{cors_origins: ['{origin}']}}", variables={})


def test_a_request_that_was_sent_again_is_answered_again_and_done_once(
    client: TestClient, key: KeyMaker, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    path, headers = f"/v1/incidents/{incident.id}/acknowledge", key("act", "read")
    once = {**headers, "Idempotency-Key": "7f5c"}
    first = client.post(path, headers=once)
    # Long enough that acknowledging again would be a step of its own.
    clock.move(timedelta(minutes=5).total_seconds())
    second = client.post(path, headers=once)
    assert (second.status_code, second.json(), second.headers["etag"]) == (200, first.json(), first.headers["etag"])
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    acknowledged = [
        event["type"] for event in client.get(f"/v1/incidents/{incident.id}", headers=headers).json()["events"]
    ]
    assert acknowledged.count("incident.acknowledged") == 1


def test_the_same_key_with_another_request_is_refused_and_with_another_sender_is_another_key(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    path = f"/v1/incidents/{incident.id}/resolve"
    mine, yours = ({**key("act"), "Idempotency-Key": "one"} for _ in range(2))
    assert client.post(path, headers=mine, json={"verdict": "buzz"}).status_code == 200
    other = client.post(path, headers=mine, json={"verdict": "crisis"})
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "idempotency-key"
    assert client.post(path, headers=yours, json={"verdict": "crisis"}).status_code == 409


@pytest.mark.parametrize("wrong", ["", "a" * 201, "with space", "é"])
def test_a_key_that_is_no_key_is_refused(client: TestClient, key: KeyMaker, newsroom: Newsroom, wrong: str) -> None:
    incident = newsroom.alarm()
    headers = {
        **{name: value.encode() for name, value in key("act").items()},
        "Idempotency-Key": wrong.encode("latin-1"),
    }
    refused = client.post(f"/v1/incidents/{incident.id}/acknowledge", headers=headers)  # type: ignore[arg-type]
    assert refused.status_code == 422


def test_of_two_at_once_with_the_same_key_one_does_it_and_the_other_waits_or_hears_the_same(
    database: Database, people_clock: ManualClock
) -> None:
    together, outcomes = threading.Barrier(4), []

    def claim() -> None:
        together.wait()
        try:
            with database.unit_of_work() as session:
                outcomes.append(idempotency.claim(session, "key:a", "one", "f" * 64, people_clock.now()))
        except StillUnderWay:
            outcomes.append("under way")

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["None", "under way", "under way", "under way"]


def test_a_claim_of_a_process_that_died_is_free_after_a_minute_and_an_answer_is_kept_for_a_day(
    database: Database, people_clock: ManualClock
) -> None:
    def claim(request: str = "f" * 64) -> Any:
        with database.unit_of_work() as session:
            return idempotency.claim(session, "key:a", "one", request, people_clock.now())

    assert claim() is None
    people_clock.move(59)
    with pytest.raises(StillUnderWay):
        claim()
    people_clock.move(1)
    assert claim() is None
    answer = Answer(200, (("etag", '"2"'),), b"{}")
    with database.unit_of_work() as session:
        idempotency.keep(session, "key:a", "one", answer)
    assert claim() == answer
    with pytest.raises(OtherRequest):
        claim("0" * 64)
    people_clock.move(timedelta(hours=24, seconds=1).total_seconds())
    assert claim("0" * 64) is None


def test_an_answer_that_asks_to_come_again_is_not_remembered(
    client: TestClient, key: KeyMaker, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = newsroom.alarm()
    path, headers = f"/v1/incidents/{incident.id}/acknowledge", {**key("act"), "Idempotency-Key": "again"}

    def away(*_: object, **__: object) -> None:
        raise Problem(503)

    with monkeypatch.context() as broken:
        broken.setattr("services.api.routes.incident_commands.acknowledge", away)
        assert client.post(path, headers=headers).status_code == 503
    assert client.post(path, headers=headers).status_code == 200
