"""Prepared answers beside a mention: offered, copied by a person, marked as used with the time of the answer."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.newsroom import KeyMaker, Newsroom
from tests.records import identifier
from tocsin.clock import ManualClock
from tocsin.contracts.events import Risk, RiskKind, RiskKindScore
from tocsin.contracts.incidents import Level

PATH = f"/v1/mentions/{identifier('shard')}/answers?brand=acme"


@pytest.fixture
def headers(key: KeyMaker, newsroom: Newsroom) -> dict[str, str]:
    newsroom.say("shard", text="there was GLASS in it <script>", minutes_ago=30, author="ann")
    newsroom.say("thanks", text="lovely", minutes_ago=3)
    return key("read", "act")


def test_an_answer_is_offered_filled_in_and_its_use_gives_the_response_time(
    client: TestClient, headers: dict[str, str], clock: ManualClock
) -> None:
    (found,) = client.get(PATH, headers=headers).json()["offered"]
    assert found["text"] == "Please do not eat it, Ann. Write to us at Acme."
    assert (found["service"], found["owner"], found["version"]) == ("after-sales", "Léa Martin", 3)
    used = client.post(PATH, json={"answer": "glass", "version": 3}, headers=headers).json()
    assert used["seconds"] == 1800
    clock.move(600)
    again = client.post(PATH, json={"answer": "glass", "version": 3}, headers=headers).json()
    assert again == used, "the first time counts"
    assert client.get(PATH, headers=headers).json()["used"] == [used]
    figures = client.get("/v1/brands/acme/answers", headers=headers).json()
    assert (figures["answered"], figures["median"], figures["by_answer"]) == (1, 1800, {"glass": 1})


def test_what_fits_nothing_is_offered_nothing(client: TestClient, headers: dict[str, str]) -> None:
    other = PATH.replace(str(identifier("shard")), str(identifier("thanks")))
    assert client.get(other, headers=headers).json() == {"offered": [], "used": []}


@pytest.mark.parametrize(
    ("wanted", "status"),
    [({"answer": "glass", "version": 2}, 412), ({"answer": "none", "version": 1}, 404), ({"answer": "glass"}, 422)],
)
def test_another_version_or_no_such_answer_is_refused(
    client: TestClient, headers: dict[str, str], wanted: dict[str, object], status: int
) -> None:
    assert client.post(PATH, json=wanted, headers=headers).status_code == status
    assert client.get(PATH, headers=headers).json()["used"] == []


def test_it_stands_beside_the_mention_on_the_page_of_the_incident(
    client: TestClient, headers: dict[str, str], newsroom: Newsroom
) -> None:
    newsroom.say(
        "cut",
        text="glass again",
        minutes_ago=1,
        risk=Risk(score=0.9, kinds=(RiskKindScore(kind=RiskKind.PRODUCT_SAFETY, score=0.9),)),
    )
    incident = newsroom.alarm(Level.ORANGE)
    page = client.get(f"/incidents/{incident.id}", headers={**headers, "Accept": "text/html"}).text
    assert "Prepared answers (1)" in page
    assert "Please do not eat it, Ann." in page
    form = {"brand": "acme", "answer": "glass", "version": "3", "back": "//evil.example/x"}
    done = client.post(f"/mentions/{identifier('cut')}/answers", data=form, headers=headers)
    assert (done.status_code, done.headers["location"]) == (303, f"/#mention-{identifier('cut')}")
    page = client.get(f"/incidents/{incident.id}", headers={**headers, "Accept": "text/html"}).text
    assert "Answered by" in page


def test_it_is_the_first_answer_of_an_incident_that_was_open_then(
    client: TestClient, headers: dict[str, str], newsroom: Newsroom, clock: ManualClock
) -> None:
    newsroom.alarm(Level.ORANGE)
    clock.move(900)
    client.post(PATH, json={"answer": "glass", "version": 3}, headers=headers)
    clock.move(60)
    (times,) = client.get("/v1/response-times?brand=acme", headers=headers).json()["incidents"]
    assert times["first_answer"] == 900
