"""`GET /v1/mentions` and the timeline: what is found, in which order, and how it is counted."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.newsroom import NOW, KeyMaker, Newsroom
from tests.records import identifier
from tocsin.contracts.events import Author, AuthorRole, LabelQuality, RemovalReason, Risk
from tocsin.storage import mentions
from tocsin.storage.database import Database
from tocsin.storage.merging import Removed, author_key

Headers = dict[str, str]


@pytest.fixture
def reader(key: KeyMaker) -> Headers:
    return key("read")


def listed(client: TestClient, reader: Headers, **parameters: Any) -> list[str]:
    answer = client.get("/v1/mentions", params={"brand": "acme", **parameters}, headers=reader)
    assert answer.status_code == 200, answer.text
    return [mention["native_id"] for mention in answer.json()["mentions"]]


def test_a_mention_comes_with_its_labels_and_in_utc(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say(
        "one", minutes_ago=10, risk=Risk.model_validate({"score": 0.7, "kinds": [{"kind": "fraud", "score": 0.6}]})
    )
    (mention,) = client.get("/v1/mentions?brand=acme", headers=reader).json()["mentions"]
    assert mention["id"] == str(identifier("one"))
    assert mention["published_at"] == "2026-03-10T21:30:00Z"
    assert mention["author"] == {"key": author_key("bluesky", "ann"), "name": "Ann", "followers": 10, "role": "public"}
    assert mention["sentiment"]["label"] == "negative"
    assert mention["risk"] == {"score": 0.7, "kinds": [{"kind": "fraud", "score": 0.6}]}
    assert mention["rating"] is None


def test_a_mention_without_labels_is_listed_as_well(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("one", labels=LabelQuality.NONE)
    (mention,) = client.get("/v1/mentions?brand=acme", headers=reader).json()["mentions"]
    assert (mention["labels"], mention["sentiment"], mention["risk"]) == ("none", None, None)


def test_each_filter_finds_what_it_says(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("old", minutes_ago=120, negative=0.1)
    newsroom.say("brazil", minutes_ago=30, language="pt-BR", negative=0.1)
    newsroom.say("angry", minutes_ago=20, negative=0.9, risk=Risk(score=0.8))
    newsroom.say("press", minutes_ago=10, source="rss", negative=0.1)
    newsroom.say("other", minutes_ago=5, brand="globex")
    assert listed(client, reader) == ["press", "angry", "brazil", "old"]
    assert listed(client, reader, since="2026-03-10T22:10:00+01:00") == ["press", "angry", "brazil"]
    assert listed(client, reader, until="2026-03-10T21:10:00Z") == ["old"]
    assert listed(client, reader, source="rss") == ["press"]
    assert listed(client, reader, language="pt") == ["brazil"]
    assert listed(client, reader, language="p") == []
    assert listed(client, reader, sentiment="negative") == ["angry"]
    assert listed(client, reader, risk_at_least=0.8) == ["angry"]
    assert listed(client, reader, source="rss", sentiment="negative") == []


def test_pages_neither_repeat_nor_hide_a_mention_while_others_are_written(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    before = [f"m{number}" for number in range(25)]
    # Five at each instant, so that pages end between equals.
    for number, name in enumerate(before):
        newsroom.say(name, minutes_ago=10 + number // 5, text=f"text {number}")
    seen: list[str] = []
    cursor = None
    for _ in range(20):
        parameters = {"brand": "acme", "limit": 4} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/mentions", params=parameters, headers=reader).json()
        seen += [mention["native_id"] for mention in page["mentions"]]
        newsroom.say(f"new{len(seen)}", minutes_ago=1)
        cursor = page["next"]
        if cursor is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen))
    assert set(seen) == set(before)


def test_what_the_platform_deleted_shows_neither_text_nor_author_and_still_counts(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("gone", minutes_ago=10)
    with database.unit_of_work() as session:
        mentions.write(session, removed=[Removed(identifier("gone"), 2, RemovalReason.DELETED, NOW)])
    (mention,) = client.get("/v1/mentions?brand=acme", headers=reader).json()["mentions"]
    assert (mention["state"], mention["text"], mention["author"]["name"]) == ("deleted", None, None)
    assert figures(client, reader)["mentions"] == 1
    assert "What gone says" not in client.get("/", headers=reader).text


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "brand"),
        ({"brand": "acme", "limit": 0}, "limit"),
        ({"brand": "acme", "limit": 501}, "limit"),
        ({"brand": "acme", "since": "2026-03-10T21:00:00"}, "since"),
        ({"brand": "acme", "until": "yesterday"}, "until"),
        ({"brand": "acme", "sentiment": "angry"}, "sentiment[0]"),
        ({"brand": "acme", "risk_at_least": 2}, "risk_at_least"),
        ({"brand": "acme", "cursor": "nonsense"}, "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: TestClient, reader: Headers, parameters: dict[str, Any], field: str
) -> None:
    answer = client.get("/v1/mentions", params=parameters, headers=reader)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_an_unknown_brand_is_not_found(client: TestClient, reader: Headers) -> None:
    answer = client.get("/v1/mentions?brand=nobody", headers=reader)
    assert answer.status_code == 404
    assert "'nobody'" in answer.json()["detail"]


def figures(client: TestClient, reader: Headers, position: int = -1) -> dict[str, Any]:
    spans: list[dict[str, Any]] = client.get("/v1/brands/acme/timeline", headers=reader).json()["spans"]
    return spans[position]


def test_a_span_counts_mentions_authors_negative_and_harmful_ones(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("a1", author="ann", negative=0.9)
    newsroom.say("a2", author="ann", negative=0.1, risk=Risk(score=0.9))
    newsroom.say("b1", author="bob", negative=0.1)
    newsroom.say("n1", author=None, negative=0.1)
    newsroom.say("n2", author=None, negative=0.1)
    assert figures(client, reader) == {
        "since": "2026-03-10T21:00:00Z",
        "until": "2026-03-10T22:00:00Z",
        "mentions": 5,
        "authors": 4,
        "negative": 1,
        "neutral": 4,
        "positive": 0,
        "harmful": 2,
        "net_sentiment": -0.2,
        "engagement": None,
        "with_engagement": 0,
        "reach": 50,
        "with_reach": 5,
        "parts": None,
    }


def test_own_posts_and_what_is_not_about_the_brand_are_not_counted(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    own = Author(id="acme", role=AuthorRole.OWN)
    newsroom.write(newsroom.say("counted").model_copy(), wakes=True)
    newsroom.say("elsewhere", relevance=0.1)
    newsroom.write(newsroom.say("ours", revision=1).model_copy(update={"author": own, "revision": 2}))
    assert figures(client, reader)["mentions"] == 1
    assert set(listed(client, reader)) == {"counted", "elsewhere", "ours"}


def test_spans_follow_each_other_and_a_mention_on_a_border_belongs_to_the_later(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("border", minutes_ago=40)
    answer = client.get("/v1/brands/acme/timeline", params={"bucket": "hour"}, headers=reader).json()
    assert [span["mentions"] for span in answer["spans"][-2:]] == [0, 1]
    assert all(one["until"] == other["since"] for one, other in zip(answer["spans"], answer["spans"][1:], strict=False))
    assert len(answer["spans"]) == 25


def test_days_are_those_of_the_brand(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("late", minutes_ago=-100)
    parameters = {"bucket": "day", "since": "2026-03-10T12:00:00Z", "until": "2026-03-11T12:00:00Z"}
    answer = client.get("/v1/brands/acme/timeline", params=parameters, headers=reader).json()
    assert answer["time_zone"] == "Europe/Paris"
    assert [(span["since"], span["mentions"]) for span in answer["spans"]] == [
        ("2026-03-09T23:00:00Z", 0),
        ("2026-03-10T23:00:00Z", 1),
    ]


def test_the_timeline_says_how_far_it_is_complete(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    def complete() -> str | None:
        found: str | None = client.get("/v1/brands/acme/timeline", headers=reader).json()["complete_up_to"]
        return found

    assert complete() is None
    newsroom.complete(NOW)
    assert complete() == "2026-03-10T21:40:00Z"


@pytest.mark.parametrize(
    "parameters",
    [
        {"since": "2026-03-10T22:00:00Z", "until": "2026-03-10T21:00:00Z"},
        {"since": "2020-01-01T00:00:00Z", "bucket": "5min"},
        {"bucket": "fortnight"},
        {"since": "0001-01-01T00:00:00Z", "until": "0001-01-01T01:00:00Z", "bucket": "day"},
    ],
)
def test_a_stretch_of_time_that_cannot_be_cut_is_refused_with_the_reason(
    client: TestClient, reader: Headers, parameters: dict[str, str]
) -> None:
    answer = client.get("/v1/brands/acme/timeline", params=parameters, headers=reader)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"]
