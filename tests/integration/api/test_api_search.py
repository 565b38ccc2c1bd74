"""Free text, filters, sorting and paging of `GET /v1/mentions`: the same on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from tests.newsroom import NOW, KeyMaker, Newsroom
from tests.records import classified, identifier
from tocsin.contracts.events import Author, Engagement, RemovalReason, Risk
from tocsin.storage import mentions
from tocsin.storage.database import Database
from tocsin.storage.merging import Removed, author_key
from tocsin.storage.tables.mentions import MentionBrandTable

Headers = dict[str, str]


@pytest.fixture
def reader(key: KeyMaker) -> Headers:
    return key("read")


def found(client: TestClient, reader: Headers, **parameters: Any) -> list[str]:
    answer = client.get("/v1/mentions", params={"brand": "acme", **parameters}, headers=reader)
    assert answer.status_code == 200, answer.text
    return [mention["native_id"] for mention in answer.json()["mentions"]]


def test_words_are_found_whatever_their_case_and_accents(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("glass", minutes_ago=9, text="Du VERRE brisé dans les pots d'Œuvre, c'est inadmissible")
    newsroom.say("contest", minutes_ago=8, text="Jeu concours : gagnez un verre #AcmeParty")
    newsroom.say("chinese", minutes_ago=7, text="我要退款,立刻")
    newsroom.say("other", minutes_ago=6, brand="globex", text="du verre brisé chez globex")
    newsroom.say("signs", minutes_ago=5, text="C++ > C && 100$ 😡 o'neill \"quoted\" it''s")
    expected = {
        "verre": ["contest", "glass"],
        "VERRE BRISE": ["glass"],
        "brisé": ["glass"],
        '"verre brisé"': ["glass"],
        '"brisé verre"': [],
        "verre -concours": ["glass"],
        "-verre": ["signs", "chinese"],
        "-verre -退款": ["signs"],
        'verre -"jeu concours"': ["glass"],
        "oeuvre": ["glass"],
        "œuv*": ["glass"],
        "œuv": [],
        '"dans les po"*': ["glass"],
        "l'inadmissible": [],
        "c'est": ["glass"],
        "退款": ["chinese"],
        "款退": [],
        "#acmeparty": ["contest"],
        "😡": ["signs"],
        "$": ["signs"],
        "o'neill": ["signs"],
        "it's": ["signs"],
    }
    assert {typed: found(client, reader, text=typed) for typed in expected} == expected


HOSTILE = [
        "' OR 1=1 --", "'); DROP TABLE mentions; --", '" OR ""', "a:*b&!c|d<->e", "tokens:x", "{a} NEAR(b c, 2)", "^a", "a\\'b\\",
        "(((", ")))", "a AND NOT", "* a", "-*", "\ud83d a".encode("utf-8", "replace").decode(), "a" * 400,
        "%", "_", "a%' ESCAPE '\\", "\u202eabc", '""""a""""', "b''", "$1 %s :x ?",
    ]  # fmt: skip


def test_nothing_that_is_typed_is_syntax_of_a_database(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("calm", text="nothing of this kind")
    for typed in HOSTILE:
        answer = client.get("/v1/mentions", params={"brand": "acme", "text": typed}, headers=reader)
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["field"] == "text"
        else:
            assert answer.json()["mentions"] == []
        for name in ("source", "language", "author"):
            assert found(client, reader, **{name: typed[:200]}) == []


def test_filters_for_source_kind_language_author_and_risk(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    fraud = Risk.model_validate(
        {"score": 0.9, "kinds": [{"kind": "fraud", "score": 0.9}, {"kind": "legal", "score": 0.6}]}
    )
    newsroom.say("paper", minutes_ago=9, source="rss", source_kind="press", language="fr", author="Élodie")
    newsroom.say("brazil", minutes_ago=8, language="pt-BR", risk=fraud)
    newsroom.say("french", minutes_ago=7, language="fr-CA", author="bob")
    newsroom.say("silent", minutes_ago=6, language=None, author=None)
    assert found(client, reader, source_kind="press") == ["paper"]
    assert found(client, reader, source=["rss", "nowhere"]) == ["paper"]
    assert found(client, reader, language=["fr"]) == ["french", "paper"]
    assert found(client, reader, language="fr-ca") == ["french"]
    assert found(client, reader, language=["fr", "pt"], sentiment=["negative", "neutral"]) == [
        "french",
        "brazil",
        "paper",
    ]
    assert found(client, reader, risk_kind="legal") == ["brazil"]
    assert found(client, reader, risk_kind=["labour", "fraud"], risk_at_least=0.5) == ["brazil"]
    assert found(client, reader, risk_kind="labour") == []
    assert found(client, reader, author="@elodie") == ["paper"]
    assert found(client, reader, author=author_key("bluesky", "bob")) == ["french"]
    assert found(client, reader, author=["bob", "elodie"], text="says") == ["french", "paper"]
    assert found(client, reader, text="says", since="2026-03-10T21:32:00Z", until="2026-03-10T21:33:00Z") == ["brazil"]


def test_what_is_found_follows_edits_deletions_and_erasures(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("one", text="shards in the jar", author="ann", revision=1)
    assert found(client, reader, text="shards") == ["one"]
    newsroom.say("one", text="I was wrong, all is well", author="ann", language="fr", revision=2)
    assert found(client, reader, text="shards") == []
    assert found(client, reader, text="wrong", language="fr") == ["one"]
    with database.unit_of_work() as session:
        mentions.write(session, removed=[Removed(identifier("one"), 2, RemovalReason.DELETED, NOW)])
    assert found(client, reader, text="wrong") == []
    assert found(client, reader, author="ann") == []
    listed = client.get("/v1/mentions?brand=acme&language=fr", headers=reader).json()["mentions"]
    assert [(mention["state"], mention["text"]) for mention in listed] == [("deleted", None)]
    with database.unit_of_work() as session:
        mentions.write(session, removed=[Removed(identifier("one"), 3, RemovalReason.ERASED, NOW)])
    assert found(client, reader, language="fr") == []


def test_a_mention_that_leaves_a_brand_or_is_past_its_retention_is_found_no_more(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("one", brands=("acme", "globex"), text="shards", revision=1)
    newsroom.say("old", minutes_ago=600, text="shards")
    newsroom.write(classified("one", brand="globex", text="shards", revision=2, at=NOW))
    assert found(client, reader, text="shards") == ["old"]
    with database.unit_of_work() as session:
        assert mentions.forget_published_before(session, NOW.replace(hour=20)) == 1
    assert found(client, reader, text="shards") == []
    if not database.is_postgresql:
        with database.unit_of_work() as session:
            session.execute(text("INSERT INTO mention_tokens(mention_tokens, rank) VALUES ('integrity-check', 1)"))


def test_each_order_begins_with_what_it_says(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("calm", minutes_ago=3, risk=Risk(score=0.1), engagement=Engagement(likes=500, views=11))
    newsroom.say("risky", minutes_ago=2, risk=Risk(score=0.9), engagement=Engagement(likes=2, reposts=3, replies=1))
    newsroom.write(
        classified("loud", at=NOW, risk=Risk(score=0.5), engagement=Engagement(), author=None).model_copy(
            update={"author": Author(id="press", followers=9_000)}
        )
    )
    assert found(client, reader, sort="newest") == ["loud", "risky", "calm"]
    assert found(client, reader, sort="oldest") == ["calm", "risky", "loud"]
    assert found(client, reader, sort="risk") == ["risky", "loud", "calm"]
    assert found(client, reader, sort="reach") == ["loud", "calm", "risky"]
    assert found(client, reader, sort="engagement") == ["calm", "risky", "loud"]
    assert found(client, reader, sort="engagement", text="says") == ["calm", "risky", "loud"]


@pytest.mark.parametrize("sort", ["newest", "oldest", "risk", "reach", "engagement"])
@pytest.mark.parametrize("asked", [{}, {"text": "shards", "source": "bluesky"}])
def test_pages_of_every_order_neither_repeat_nor_hide_a_mention_while_others_are_written(
    client: TestClient, reader: Headers, newsroom: Newsroom, sort: str, asked: dict[str, str]
) -> None:
    # Several at one instant, several in one second, and equal values, so that pages end between equals.
    before = [f"m{number}" for number in range(23)]
    newsroom.write(
        *(
            classified(
                name,
                at=NOW.replace(second=number // 6, microsecond=(number * 7 // 3) % 5 * 1000),
                text="shards of glass",
                risk=None if number % 4 == 0 else Risk(score=(number % 3) / 10),
                engagement=Engagement(likes=number % 3, views=number % 2 * 100 if number % 4 else None),
            )
            for number, name in enumerate(before)
        )
    )
    whole = found(client, reader, sort=sort, limit=100, **asked)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for turn in range(10):
        parameters = {"brand": "acme", "limit": "4", "sort": sort, **asked, **cursor}
        page = client.get("/v1/mentions", params=parameters, headers=reader).json()
        seen += [mention["native_id"] for mention in page["mentions"]]
        # Before the first place of each order.
        newsroom.say(f"new{turn}", minutes_ago=100 if sort == "oldest" else -1, text="shards", risk=Risk(score=1.0),
                     engagement=Engagement(likes=10**6, views=10**7))  # fmt: skip
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(whole) == sorted(before)
    assert seen == whole


def test_numbers_of_one_second_of_sqlite_are_told_apart(
    database: Database, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin.storage import text_index

    monkeypatch.setattr(text_index, "numbered", lambda at, _mention, _brand: text_index.first_number(at))
    newsroom.write(*(classified(f"m{number}", at=NOW) for number in range(3)))
    newsroom.write(*(classified(f"n{number}", at=NOW) for number in range(3)))
    newsroom.write(*(classified(f"m{number}", at=NOW, revision=2) for number in range(3)))
    with database.read() as session:
        numbers = session.scalars(select(MentionBrandTable.search_number)).all()
    first = text_index.first_number(NOW)
    assert sorted(numbers, key=str) == ([None] * 6 if database.is_postgresql else [first + step for step in range(6)])


def test_only_the_fields_that_were_asked_for_are_answered(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("one", text="shards")
    answer = client.get("/v1/mentions?brand=acme&fields=text, source,text", headers=reader).json()
    assert answer == {"mentions": [{"source": "bluesky", "text": "shards"}], "next": None}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"fields": "text,secret"}, "fields"),
        ({"fields": ","}, "fields"),
        ({"text": "!"}, "text"),
        ({"text": "a" * 501}, "text"),
        ({"text": "a " * 40}, "text"),
        ({"sort": "loudest"}, "sort"),
        ({"source_kind": "blog"}, "source_kind[0]"),
        ({"risk_kind": "smell"}, "risk_kind[0]"),
    ],
)
def test_a_wrong_search_is_named(client: TestClient, reader: Headers, parameters: dict[str, str], field: str) -> None:
    answer = client.get("/v1/mentions", params={"brand": "acme", **parameters}, headers=reader)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_cursor_of_another_order_is_refused(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    for name in ("one", "two"):
        newsroom.say(name)
    first = client.get("/v1/mentions?brand=acme&limit=1&sort=risk", headers=reader).json()["next"]
    refused = client.get("/v1/mentions", params={"brand": "acme", "cursor": first}, headers=reader)
    assert refused.status_code == 422
    assert "another order" in refused.json()["detail"]


def test_what_was_written_before_the_index_was_there_is_found_after_the_migration(empty_database: Database) -> None:
    from tocsin.storage.searches import MentionFilter, find_mentions
    from tocsin.storage.text_queries import parse

    empty_database.upgrade("head")
    with empty_database.unit_of_work() as session:
        from tocsin.storage.merging import Received

        said = [classified(f"m{number}", text=f"shards number{number}", at=NOW) for number in range(3)]
        mentions.write(session, [Received(item, NOW, wakes=True) for item in said])
    empty_database.downgrade("0006_accounts")
    empty_database.upgrade("head")
    with empty_database.read() as session:
        wanted = MentionFilter("acme", text=parse("shards number1"), sources=["bluesky"])
        assert [mention.native_id for mention in find_mentions(session, wanted, limit=5)] == ["m1"]
