"""Figures: the same from hours that were counted beforehand as from the rows, and each as docs/figures.md defines it."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime, timedelta
from html import unescape
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select

from services.alert.drills import ring_by_hand
from services.alert.protocol.commands import Acknowledge, Resolve
from services.alert.protocol.directory import Directory
from services.alert.protocol.drill import begin
from services.alert.protocol.policies import snapshot
from services.api.pages.wording import wording
from tests.newsroom import CONFIGURATION, NOW, KeyMaker, Newsroom
from tests.records import classified, identifier
from tocsin.clock import ManualClock
from tocsin.contracts.events import (
    Author,
    AuthorRole,
    ClassifiedMention,
    Engagement,
    LabelQuality,
    RemovalReason,
    Risk,
    RiskKind,
    RiskKindScore,
    Sentiment,
    SentimentScores,
    SourceKind,
)
from tocsin.contracts.incidents import Level, Verdict
from tocsin.storage import incidents, mentions, stories
from tocsin.storage.database import Database
from tocsin.storage.figures import count_spans, split_spans
from tocsin.storage.incident_records import active_between
from tocsin.storage.merging import Removed
from tocsin.storage.tables.figures import HourFiguresTable, MentionStoryTable
from tocsin.storage.tallies import Split
from tocsin.storage.thresholds import Thresholds

Headers = dict[str, str]
USUAL = Thresholds()


@pytest.fixture
def reader(key: KeyMaker) -> Headers:
    return key("read")


def get(client: TestClient, reader: Headers, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(path, params=parameters, headers=reader)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def happy(positive: float) -> Sentiment:
    scores = SentimentScores(negative=0.0, neutral=round(1 - positive, 6), positive=positive)
    return Sentiment(label=scores.label, scores=scores)


def crowd(number: int, *, seed: int) -> list[ClassifiedMention]:
    """Mentions of all sorts in the last ten hours, from fewer authors."""
    random = Random(seed)

    def risky() -> dict[str, Any]:
        """Labels of the network with no, one or two kinds of risk; or none at all, when it was overloaded."""
        kinds = random.sample([RiskKind.FRAUD, RiskKind.BOYCOTT_CALL, RiskKind.PRIVACY], random.randrange(3))
        if random.random() < 1 / 3:
            return {"labels": LabelQuality.NONE}
        return {"risk": Risk(score=0.4, kinds=tuple(RiskKindScore(kind=kind, score=0.7) for kind in kinds))}

    return [
        classified(
            f"m{seed}-{index}",
            at=NOW - timedelta(seconds=random.randrange(36_000)),
            source=random.choice(["bluesky", "rss"]),
            source_kind=random.choice(list(SourceKind)),
            language=random.choice(["fr", "pt-BR", None]),
            relevance=random.choice([1.0, 1.0, 0.2]),
            negative=random.choice([0.9, 0.1]),
            author=random.choice([None, *"abcdefgh"]),
            engagement=random.choice([None, Engagement(likes=2, replies=1), Engagement(views=100)]),
            **risky(),
        )
        for index in range(number)
    ]


def counted(database: Database, edges: list[datetime], split: Split | None) -> list[Any]:
    with database.read() as session:
        whole = count_spans(session, "acme", edges, thresholds=USUAL)
        if split is None:
            return whole
        apart = split_spans(session, "acme", edges, split=split, thresholds=USUAL)
    assert [figures for figures, _ in apart] == whole
    return [parts for _, parts in apart]


def every_way(database: Database) -> list[Any]:
    """All splits over spans of an hour, of five minutes, of many hours, and of odd lengths."""
    begin = NOW.replace(minute=0) - timedelta(hours=11)
    lengths = [timedelta(hours=1), timedelta(minutes=5), timedelta(hours=5), timedelta(minutes=47, seconds=3)]
    return [
        counted(
            database,
            [begin + position * length for position in range(12 * 3600 // int(length.total_seconds()) + 1)],
            split,
        )
        for length, split in itertools.product(lengths, (None, *Split))
    ]


def test_hours_that_were_counted_beforehand_say_what_the_rows_say(database: Database, newsroom: Newsroom) -> None:
    newsroom.write(*crowd(150, seed=1))
    from_rows = every_way(database)
    newsroom.count()
    assert every_way(database) == from_rows
    assert sum(span.mentions for span in from_rows[0]) > 50
    # What is written later is there at once, and after it was counted; also what takes something away.
    newsroom.write(*crowd(30, seed=2))
    with database.unit_of_work() as session:
        gone = [Removed(identifier(f"m1-{number}"), 2**60, RemovalReason.ERASED, NOW) for number in range(40)]
        mentions.write(session, removed=gone)
    uncounted = every_way(database)
    assert uncounted != from_rows
    newsroom.count()
    assert every_way(database) == uncounted


def test_counted_hours_stay_when_mentions_are_past_their_retention(database: Database, newsroom: Newsroom) -> None:
    newsroom.write(*crowd(50, seed=3))
    newsroom.count()
    before = every_way(database)[0]
    with database.unit_of_work() as session:
        mentions.forget_published_before(session, NOW)
    assert every_way(database)[0] == before
    with database.unit_of_work() as session:
        session.execute(delete(HourFiguresTable))
    assert not any(span.mentions for span in every_way(database)[0])


def test_hours_that_were_counted_before_they_were_told_apart_by_kind_of_risk_are_counted_from_the_rows(
    database: Database, newsroom: Newsroom
) -> None:
    newsroom.write(*crowd(150, seed=4))
    newsroom.count()
    told = every_way(database)
    with database.unit_of_work() as session:
        session.execute(delete(HourFiguresTable).where(HourFiguresTable.split == Split.RISK_KIND))
    assert every_way(database) == told


def test_engagement_that_grows_is_counted_again(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("one", engagement=Engagement(likes=1))
    newsroom.count()
    newsroom.say("one", engagement=Engagement(likes=2**62, views=70, observed_at=NOW))
    for _ in range(2):
        span = get(client, reader, "/v1/brands/acme/timeline")["spans"][-1]
        assert (span["engagement"], span["reach"], span["with_reach"]) == (10**15, 70, 1)
        newsroom.count()


def test_a_timeline_is_split_by_what_is_asked(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.say("one", negative=0.9, language="fr-CA")
    newsroom.say("two", negative=0.1, language="fr", source="rss")
    newsroom.say("three", labels=LabelQuality.NONE, language=None, source_kind="press")
    both = tuple(RiskKindScore(kind=kind, score=0.8) for kind in (RiskKind.FRAUD, RiskKind.BOYCOTT_CALL))
    newsroom.say("four", risk=Risk(score=0.9, kinds=both), author="bob")
    newsroom.say("five", risk=Risk(score=0.9, kinds=both[:1]), author="bob")
    for split, expected in {
        "sentiment": {"negative": 3, "neutral": 1, "unlabelled": 1},
        "source": {"bluesky": 4, "rss": 1},
        "source_kind": {"press": 1, "social": 4},
        "language": {"en": 2, "fr": 2, "und": 1},
        "risk_kind": {"boycott_call": 1, "fraud": 2, "none": 3},
    }.items():
        span = get(client, reader, "/v1/brands/acme/timeline", split=split)["spans"][-1]
        assert {value: part["mentions"] for value, part in span["parts"].items()} == expected
        assert (span["mentions"], span["authors"]) == (5, 3)


@pytest.mark.parametrize("bucket", ["1min", "15min", "2hour", "day", "week", "month"])
def test_any_bucket_counts_everything_once(
    client: TestClient, reader: Headers, newsroom: Newsroom, bucket: str
) -> None:
    newsroom.write(*(classified(f"m{number}", at=NOW - timedelta(minutes=7 * number)) for number in range(20)))
    newsroom.count()
    begin = (NOW - timedelta(hours=10)).isoformat()
    answer = get(client, reader, "/v1/brands/acme/timeline", bucket=bucket, since=begin, until=NOW.isoformat())
    inside = sum(span["mentions"] for span in answer["spans"])
    # The last minute is the one that ends now: the mention of now is behind it.
    assert inside == (19 if bucket == "1min" else 20)
    assert answer["bucket"] == bucket


def test_a_period_is_compared_with_the_one_before(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    for number in range(3):
        newsroom.say(f"now{number}", minutes_ago=5 + number, author=f"a{number}")
    newsroom.say("joy", minutes_ago=4, author="a0", sentiment=happy(0.8))
    for number in range(2):
        newsroom.say(f"before{number}", minutes_ago=70 + number, author="a0", negative=0.1)
    newsroom.count()
    answer = get(client, reader, "/v1/brands/acme/figures", since=(NOW - timedelta(hours=1)).isoformat())
    assert (answer["period"]["mentions"], answer["before"]["mentions"]) == (4, 2)
    assert (answer["period"]["authors"], answer["before"]["authors"]) == (3, 1)
    assert (answer["period"]["net_sentiment"], answer["before"]["net_sentiment"]) == (-0.5, 0.0)
    assert answer["before"]["until"] == answer["period"]["since"]
    assert (answer["change"]["mentions"], answer["change"]["net_sentiment"]) == (1.0, -0.5)
    assert answer["change"]["negative"] is None


def test_share_of_voice_is_each_brands_part(
    client: TestClient, reader: Headers, newsroom: Newsroom, key: KeyMaker
) -> None:
    for number in range(3):
        newsroom.say(f"a{number}")
    newsroom.say("g", brand="globex")
    answer = get(client, reader, "/v1/share-of-voice")
    assert {brand["brand"]: brand["share"] for brand in answer["brands"]} == {"acme": 0.75, "globex": 0.25}
    assert all(brand["share_before"] is None for brand in answer["brands"])
    assert [
        brand["brand"] for brand in get(client, key("read", brands=["globex"]), "/v1/share-of-voice")["brands"]
    ] == ["globex"]
    refused = client.get("/v1/share-of-voice?brand=globex&brand=acme", headers=key("read", brands=["globex"]))
    assert refused.status_code == 404


def test_authors_are_ranked_by_what_they_said_and_how_far_it_carries(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    def said(name: str, author: Author, **fields: Any) -> None:
        newsroom.write(classified(name, at=NOW - timedelta(minutes=5), **fields).model_copy(update={"author": author}))

    star, nobody = Author(id="star", name="Star", followers=10**6), Author(id="nobody", name="Nobody", followers=3)
    fan, paper = Author(id="fan", name="Fan", followers=50), Author(id="p", name="Jane", role=AuthorRole.PRESS)
    said("s1", star, negative=0.9)
    for number in range(4):
        said(f"n{number}", nobody, negative=0.9)
    for number in range(2):
        said(f"f{number}", fan, sentiment=happy(0.9))
    said("mixed", star, sentiment=happy(0.9))
    said("p1", paper, outlet="Le Journal", source_kind="press", negative=0.1)
    said("own", Author(id="acme", role=AuthorRole.OWN), negative=0.9)
    said("off", Author(id="off"), negative=0.9, relevance=0.1)

    def ranked(rank: str) -> list[str | None]:
        return [author["name"] for author in get(client, reader, "/v1/brands/acme/authors", rank=rank)["authors"]]

    assert ranked("detractors") == ["Star", "Nobody"]
    assert ranked("ambassadors") == ["Fan"]
    assert ranked("press") == ["Le Journal"]
    (first, second) = get(client, reader, "/v1/brands/acme/authors")["authors"]
    assert (second["mentions"], second["harmful"], second["followers"]) == (4, 4, 3)
    assert first["weight"] == pytest.approx(6.0, abs=0.001)
    listed = get(client, reader, "/v1/mentions", brand="acme", author=second["key"])["mentions"]
    assert len(listed) == 4


def test_campaigns_are_counted_by_campaign_source_and_medium(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    link = "https://acme.example/?utm_campaign={}&utm_source={}&utm_medium=email"
    newsroom.say("one", text=f"look {link.format('spring', 'mail')}", author="a", engagement=Engagement(likes=5))
    newsroom.say("two", text=f"look {link.format('spring', 'mail')}", author="a", negative=0.1)
    newsroom.say("three", url=link.format("autumn", "blog"))
    newsroom.say("four", text="no campaign")
    newsroom.say("other", brand="globex", text=link.format("spring", "mail"))
    newsroom.say("three", url=link.format("winter", "blog"), revision=2)
    for number in (1, 2):
        found = get(client, reader, "/v1/brands/acme/campaigns")["campaigns"]
        assert [(item["campaign"], item["source"], item["medium"], item["mentions"]) for item in found] == [
            ("spring", "mail", "email", 3 - number),
            ("winter", "blog", "email", 1),
        ]
        assert (found[0]["authors"], found[0]["negative"], found[0]["engagement"]) == (
            1,
            2 - number or number - 1,
            5 * (2 - number),
        )
        if number == 1:
            listed = get(client, reader, "/v1/mentions", brand="acme", campaign="spring")["mentions"]
            assert {mention["native_id"] for mention in listed} == {"one", "two"}
            with database.unit_of_work() as session:
                mentions.write(session, removed=[Removed(identifier("one"), 5, RemovalReason.ERASED, NOW)])
                mentions.write(session, removed=[Removed(identifier("three"), 5, RemovalReason.DELETED, NOW)])
            newsroom.say("two", text=f"again {link.format('spring', 'mail')}", author="a", revision=3)


def test_stories_are_told_with_their_mentions(
    client: TestClient, reader: Headers, newsroom: Newsroom, database: Database
) -> None:
    for number in range(3):
        newsroom.say(f"glass{number}", author=f"a{number}", text=f"Shards  of\nglass {number}")
    newsroom.say("jam", author="b", text="good jam", negative=0.1)
    newsroom.say("new", minutes_ago=1)
    told = {f"glass{number}": "00000000000000aa" for number in range(3)} | {"jam": "00000000000000bb"}
    with database.unit_of_work() as session:
        stories.write(session, "acme", {str(identifier(name)): story for name, story in told.items()})
        stories.write(session, "acme", {str(identifier("gone")): "00000000000000aa"})
    first, second = get(client, reader, "/v1/brands/acme/stories")["stories"]
    assert (first["id"], first["mentions"], first["authors"], first["negative"]) == ("00000000000000aa", 3, 3, 3)
    assert first["title"] == "Shards of glass 0"
    assert (second["id"], second["title"]) == ("00000000000000bb", "good jam")
    listed = get(client, reader, "/v1/mentions", brand="acme", story=first["id"], text="glass")["mentions"]
    assert {(mention["native_id"], mention["story"]) for mention in listed} == {
        (f"glass{number}", "00000000000000aa") for number in range(3)
    }
    assert [item["story"] for item in get(client, reader, "/v1/mentions", brand="acme", limit=1)["mentions"]] == [None]
    with database.unit_of_work() as session:
        mentions.write(session, removed=[Removed(identifier("glass0"), 5, RemovalReason.ERASED, NOW)])
    with database.read() as session:
        left = session.scalars(select(MentionStoryTable.mention_id)).all()
    assert identifier("glass0") not in left
    assert len(left) == 4


def test_what_rises_against_its_own_past_is_told_with_the_mentions_behind_it(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.write(
        *(
            classified(f"p{number}", author=f"p{number}", text="The acme jar is fine with jam and bread",
                       at=NOW - timedelta(days=2, minutes=number)) for number in range(60)
        ),
        *(
            classified(f"n{number}", author=f"n{number}", at=NOW - timedelta(minutes=number),
                       text=f"The acme jar has shards #BoycottAcme https://www.news.example/recall?utm_source=s{number}")
            for number in range(12)
        ),
        *(classified(f"q{number}", author=f"q{number}", text="The jar is fine with bread", at=NOW - timedelta(minutes=number))
          for number in range(12)),
        *(classified(f"x{number}", author="one-voice", text="buy cheap watches", at=NOW - timedelta(minutes=number))
          for number in range(20)),
    )  # fmt: skip
    since = (NOW - timedelta(hours=6)).isoformat()
    until = (NOW + timedelta(minutes=1)).isoformat()
    trends = get(client, reader, "/v1/brands/acme/trends", since=since, until=until)["trends"]
    told = {(trend["kind"], trend["term"]) for trend in trends}
    assert {("hashtag", "boycottacme"), ("link", "https://news.example/recall"), ("word", "shards")} <= told
    assert not told & {("word", "jar"), ("word", "the"), ("word", "bread"), ("word", "acme"), ("word", "watches")}
    assert ("word", "boycottacme") not in told
    for trend in trends:
        parameters = {"brand": "acme", "since": since, "until": until, **trend["search"]}
        listed = get(client, reader, "/v1/mentions", **parameters)["mentions"]
        assert len(listed) == trend["mentions"] == 12
        assert set(trend["examples"]) <= {mention["id"] for mention in listed}


def test_response_times_and_alert_quality_are_told_from_incidents(
    client: TestClient, reader: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    clock.move(120)
    newsroom.command(incident.id, Acknowledge(actor="person:lea", level=None))
    clock.move(480)
    own = classified("answer", at=clock.now()).model_copy(update={"author": Author(id="acme", role=AuthorRole.OWN)})
    newsroom.write(own)
    clock.move(60)
    newsroom.command(incident.id, Resolve(actor="person:lea", version=None, verdict=Verdict.FALSE_ALARM))
    clock.move(60)
    newsroom.alarm(Level.RED)
    clock.move(1)
    times = get(client, reader, "/v1/response-times")
    assert times["acknowledge"] == {"incidents": 1, "median": 120.0, "ninetieth": 120.0}
    assert times["first_answer"] == {"incidents": 1, "median": 600.0, "ninetieth": 600.0}
    assert times["first_statement"] == times["notice"] == {"incidents": 0, "median": None, "ninetieth": None}
    assert [item["verdict"] for item in times["incidents"]] == ["false_alarm", None]
    quality = get(client, reader, "/v1/alert-quality", brand="acme")
    assert (quality["rung"], quality["declared"], quality["unjudged"], quality["precision"]) == (2, 0, 1, 0.0)
    assert quality["verdicts"]["false_alarm"] == 1


def test_response_times_and_alert_quality_are_compared_with_the_period_before(
    client: TestClient, reader: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    def week(*incidents_of_it: tuple[float, Verdict]) -> None:
        """Incidents that were acknowledged after so many seconds, and became this; then the next week begins."""
        for seconds, verdict in incidents_of_it:
            incident = newsroom.alarm(Level.ORANGE)
            clock.move(seconds)
            newsroom.command(incident.id, Acknowledge(actor="person:lea", level=None))
            newsroom.command(incident.id, Resolve(actor="person:lea", version=None, verdict=verdict))
            clock.move(60)
        clock.move(timedelta(days=7).total_seconds())

    week((400, Verdict.CRISIS), (400, Verdict.FALSE_ALARM), (400, Verdict.FALSE_ALARM), (400, Verdict.TOO_LATE))
    begun = clock.now() - timedelta(seconds=1)
    week((100, Verdict.CRISIS), (300, Verdict.CRISIS), (500, Verdict.FALSE_ALARM))
    asked = {"brand": "acme", "since": begun.isoformat(), "until": (begun + timedelta(days=7, hours=1)).isoformat()}
    times = get(client, reader, "/v1/response-times", **asked)
    assert times["acknowledge"] == {"incidents": 3, "median": 300.0, "ninetieth": 500.0}
    assert times["before"]["acknowledge"] == {"incidents": 4, "median": 400.0, "ninetieth": 400.0}
    assert times["change"] == {"notice": None, "acknowledge": -0.25, "first_answer": None, "first_statement": None}
    assert len(times["incidents"]) == 3
    quality = get(client, reader, "/v1/alert-quality", **asked)
    assert (quality["rung"], quality["missed"], quality["precision"]) == (3, 0, pytest.approx(2 / 3))
    before = quality["before"]
    assert (before["rung"], before["missed"], before["precision"]) == (4, 1, 0.5)
    assert (before["verdicts"]["crisis"], before["verdicts"]["false_alarm"], before["until"]) == (
        1,
        2,
        quality["since"],
    )
    assert quality["change"] == {
        "rung": -0.25, "declared": None, "missed": -1.0, "crisis": 1.0, "buzz": None, "false_alarm": -0.5,
        "too_late": -1.0, "precision": 0.1667,
    }  # fmt: skip


def test_exercises_and_what_went_on_elsewhere_are_in_no_figure_of_the_bell(
    client: TestClient, reader: Headers, key: KeyMaker, newsroom: Newsroom, clock: ManualClock, database: Database
) -> None:
    policy, directory = snapshot(CONFIGURATION.policies[0]), Directory.of(CONFIGURATION)
    drill = begin(uuid.uuid4(), "acme", policy, level=Level.RED, now=clock.now(), directory=directory)
    with database.unit_of_work() as session:
        assert incidents.insert_opened(session, drill)
    gone, kept = newsroom.alarm(brand="globex"), newsroom.alarm()
    merged = client.post(f"/v1/incidents/{gone.id}/merge", json={"into": str(kept.id)}, headers=key("act"))
    assert merged.status_code == 200
    clock.move(60)
    assert [item["incident"] for item in get(client, reader, "/v1/response-times")["incidents"]] == [str(kept.id)]
    assert get(client, reader, "/v1/alert-quality")["rung"] == 1
    (month,) = get(client, reader, "/v1/brands/acme/verdicts")["months"]
    assert (month["rung"], month["unjudged"], month["missed"]) == (1, 1, 0)


def test_an_exercise_counts_in_no_figure_and_says_that_it_is_one(
    client: TestClient, reader: Headers, newsroom: Newsroom, clock: ManualClock, database: Database
) -> None:
    real = newsroom.alarm(Level.ORANGE)
    (drill,) = ring_by_hand(database, clock, CONFIGURATION, policy="default")
    for incident_id in (real.id, drill):
        newsroom.command(incident_id, Acknowledge(actor="person:lea", level=None))
        newsroom.command(incident_id, Resolve(actor="person:lea", version=None, verdict=Verdict.CRISIS))
    clock.move(60)
    times = get(client, reader, "/v1/response-times")
    assert [item["incident"] for item in times["incidents"]] == [str(real.id)]
    assert times["acknowledge"]["incidents"] == 1
    quality = get(client, reader, "/v1/alert-quality", brand="acme")
    assert (quality["rung"], quality["precision"]) == (1, 1.0)
    (month,) = get(client, reader, "/v1/brands/acme/verdicts")["months"]
    assert (month["rung"], month["declared"]) == (1, 0)
    with database.read() as session:
        night = active_between(session, "acme", NOW - timedelta(hours=10), clock.now())
        events = incidents.events(session, drill)
    assert [incident.id for incident in night] == [real.id], "what a digest tells"
    assert all(event.data["exercise"] for event in events)
    told = get(client, reader, f"/v1/incidents/{drill}")
    assert (told["exercise"], told["main"]) == (True, False)
    assert get(client, reader, f"/v1/incidents/{real.id}")["exercise"] is False
    page = client.get(f"/incidents/{drill}?lang=fr", headers={**reader, "Accept": "text/html"}).text
    assert wording("fr").say("acknowledge.exercise") in unescape(page)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/brands/acme/figures", {"since": "2026-03-10T22:00:00Z", "until": "2026-03-10T21:00:00Z"}),
        ("/v1/brands/acme/figures", {"since": "0001-01-02T00:00:00Z", "until": "0001-01-09T00:00:00Z"}),
        ("/v1/brands/acme/figures", {"until": "0001-01-02T00:00:00Z"}),
        ("/v1/brands/acme/trends", {"since": "0001-01-02T00:00:00Z", "until": "0001-01-09T00:00:00Z"}),
        ("/v1/share-of-voice", {"since": "1900-01-01T00:00:00Z"}),
        ("/v1/brands/acme/authors", {"rank": "friends"}),
        ("/v1/brands/acme/timeline", {"split": "mood"}),
    ],
)
def test_a_figure_that_cannot_be_made_says_why(
    client: TestClient, reader: Headers, path: str, parameters: dict[str, str]
) -> None:
    answer = client.get(path, params=parameters, headers=reader)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"]


def test_a_campaign_that_was_entered_beforehand_annotates_every_chart(
    client: TestClient, reader: Headers, app: Any
) -> None:
    from dataclasses import replace

    from tocsin.contracts.settings.detection import DetectionSettings, PlannedSettings

    planned = [
        PlannedSettings(name="spring sale", start=NOW - timedelta(days=1), end=NOW + timedelta(days=1)),
        PlannedSettings(name="elsewhere", brands=("globex",), start=NOW - timedelta(days=1), end=NOW),
        PlannedSettings(name="long past", start=NOW - timedelta(days=90), end=NOW - timedelta(days=89)),
    ]
    context = app.state.context
    detection = DetectionSettings(planned=tuple(planned))
    app.state.context = replace(
        context, configuration=context.configuration.model_copy(update={"detection": detection})
    )
    for path in ("timeline", "figures", "campaigns"):
        told = get(client, reader, f"/v1/brands/acme/{path}")["annotations"]
        assert [item["name"] for item in told] == ["spring sale"]
