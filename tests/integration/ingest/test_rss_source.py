"""A feed is asked politely, each entry is told once and again when it changed, and a feed that misbehaves breaks nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.ingest.normalising import Normaliser, RejectedMention
from services.ingest.sources import rss
from services.ingest.sources.port import Batch, Cursor, RawMention, SourceUnavailable
from services.ingest.sources.rss import RssSource, canonical_url
from tocsin.clock import ManualClock
from tocsin.contracts.events import AuthorRole, Mention, SourceKind
from tocsin.contracts.settings.sources import RssSource as RssSettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def item(guid: str | None, title: str, *, minutes_ago: float | None = 60, link: str = "", summary: str = "") -> str:
    date = "" if minutes_ago is None else f"<pubDate>{format_datetime(NOW - timedelta(minutes=minutes_ago))}</pubDate>"
    return (
        "<item>"
        + (f'<guid isPermaLink="false">{guid}</guid>' if guid else "")
        + f"<title>{title}</title><link>{link}</link><description><![CDATA[{summary}]]></description>{date}</item>"
    )


def feed(*items: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>The Evening Paper</title>'
        f"<language>en-gb</language>{''.join(items)}</channel></rss>"
    )


class Feed:
    """A source that reads the test's own server, and remembers its cursor as the runner does."""

    def __init__(self, server: HTTPServer, client: httpx.Client, **settings: Any) -> None:
        self.clock = ManualClock(NOW)
        configured = {"kind": "rss", "id": "paper", "url": server.url_for("/feed?key=secret"), **settings}
        self.source = RssSource(RssSettings.model_validate(configured), client, self.clock)
        self.cursor: Cursor | None = None

    def read(self) -> list[Mention]:
        """The new mentions."""
        mentions = []
        for batch in self.source.read(self.cursor, threading.Event()):
            mentions.extend(self._mentions(batch))
            self.cursor = batch.cursor
        return mentions

    def _mentions(self, batch: Batch) -> Iterator[Mention]:
        now = self.clock.now()
        for raw in batch.items:
            assert isinstance(raw, RawMention)
            yield Normaliser(lambda text: None).normalise(raw.fields, now=now, received_at=now, markup=raw.markup)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def paper(httpserver: HTTPServer, client: httpx.Client) -> Feed:
    return Feed(httpserver, client)


def serve(server: HTTPServer, *items: str, **headers: str) -> None:
    server.clear()
    server.expect_request("/feed").respond_with_data(feed(*items), content_type="application/rss+xml", headers=headers)


def test_entries_become_mentions_oldest_first(httpserver: HTTPServer, client: httpx.Client) -> None:
    serve(
        httpserver,
        item("urn:2", "Second", minutes_ago=5),
        item(
            "urn:1",
            "Veloria recalls &lt;b&gt;shoes&lt;/b&gt; &amp; socks",
            link="https://paper.test/a?utm_source=rss&amp;id=3#top",
            summary="<p>They <b>leak</b>.</p><script>x()</script>",
        ),
    )
    first, second = Feed(httpserver, client, brands=["veloria"], outlet="Paper").read()
    assert (first.source, first.native_id, second.native_id) == ("rss", "urn:1", "urn:2")
    assert first.text == "Veloria recalls shoes & socks\n\nThey leak."
    assert first.url == "https://paper.test/a?id=3"
    assert first.published_at == NOW - timedelta(hours=1)
    assert first.language == "en-gb"
    assert first.outlet == "Paper"
    assert first.source_kind is SourceKind.PRESS
    assert first.author.role is AuthorRole.PRESS
    assert first.brands == ("veloria",)


def test_each_entry_is_told_once_and_again_when_it_changed(httpserver: HTTPServer, paper: Feed) -> None:
    serve(httpserver, item("urn:1", "Shoes leak"), item("urn:1", "Shoes leak"))
    [first] = paper.read()
    paper.clock.move(300)
    assert paper.read() == []
    serve(httpserver, item("urn:1", "Shoes leak, maker says sorry"), item("urn:2", "Other", minutes_ago=1))
    other, changed = paper.read()
    assert other.native_id == "urn:2"
    assert changed.id == first.id
    assert changed.published_at == first.published_at
    assert changed.version > first.version
    assert paper.read() == []


def test_an_entry_without_a_date_was_published_when_first_seen(httpserver: HTTPServer, paper: Feed) -> None:
    serve(httpserver, item("urn:1", "When?", minutes_ago=None))
    [first] = paper.read()
    assert first.published_at == NOW
    paper.clock.move(300)
    serve(httpserver, item("urn:1", "When??", minutes_ago=None))
    [again] = paper.read()
    assert again.published_at == NOW


def test_a_feed_cannot_publish_in_the_future(httpserver: HTTPServer, paper: Feed) -> None:
    serve(httpserver, item("urn:1", "A wrong time zone", minutes_ago=-120))
    [mention] = paper.read()
    assert mention.published_at == NOW


def test_identity_is_the_guid_or_else_the_address_or_else_the_guid_in_this_feed(
    httpserver: HTTPServer, paper: Feed
) -> None:
    serve(
        httpserver,
        item(None, "No guid", link="https://Paper.test:443/a?utm_medium=x&amp;id=1#c"),
        item("7", "A number and a link", link="https://paper.test/b"),
        item("8", "Only a number"),
        item(None, "Nothing at all"),
    )
    identities = sorted(mention.native_id for mention in paper.read())
    assert identities == [
        f"http://localhost:{httpserver.port}/feed?key=secret#8",
        "https://paper.test/a?id=1",
        "https://paper.test/b",
    ]


def test_atom_is_read_too(httpserver: HTTPServer, paper: Feed) -> None:
    httpserver.expect_request("/feed").respond_with_data(
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title><entry><id>tag:blog,1</id><title>Hi</title>'
        '<content type="html">&lt;p&gt;Veloria&lt;/p&gt;</content><updated>2026-03-01T11:00:00+01:00</updated>'
        "<author><name>Ann</name></author></entry></feed>",
        content_type="application/atom+xml",
    )
    [mention] = paper.read()
    assert mention.native_id == "tag:blog,1"
    assert mention.text == "Hi\n\nVeloria"
    assert mention.published_at == NOW - timedelta(hours=2)
    assert mention.author.name == "Ann"


def test_what_has_not_changed_is_not_sent_again(httpserver: HTTPServer, paper: Feed) -> None:
    asked: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        asked.append(dict(request.headers))
        if request.headers.get("If-None-Match") == '"1"':
            return Response(status=304)
        return Response(
            feed(item("urn:1", "x")), headers={"ETag": '"1"', "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"}
        )

    httpserver.expect_request("/feed").respond_with_handler(answer)
    assert len(paper.read()) == 1
    assert paper.read() == []
    assert "If-None-Match" not in asked[0]
    assert asked[1]["If-Modified-Since"] == "Sun, 01 Mar 2026 11:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "says", "wait"),
    [
        (429, {"Retry-After": "120"}, "asked too often", 120),
        (503, {"Retry-After": format_datetime(NOW + timedelta(minutes=10))}, "trouble of its own", 600),
        (500, {"Retry-After": "soon"}, "trouble of its own", None),
        (404, {}, "nothing at this address", None),
        (410, {}, "gone for good", None),
        (401, {}, "a password", None),
    ],
)
def test_a_refusal_is_told_with_its_wait(
    httpserver: HTTPServer, paper: Feed, status: int, headers: dict[str, str], says: str, wait: float | None
) -> None:
    httpserver.expect_request("/feed").respond_with_data("no", status=status, headers=headers)
    with pytest.raises(SourceUnavailable, match=says) as caught:
        paper.read()
    assert caught.value.retry_after == wait
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "<html><body>Please log in</body></html>", "\x00\x01\x02", '{"a": 1}', "<rss"])
def test_what_is_no_feed_is_told(httpserver: HTTPServer, paper: Feed, body: str) -> None:
    httpserver.expect_request("/feed").respond_with_data(body)
    with pytest.raises(SourceUnavailable, match="neither RSS nor Atom"):
        paper.read()
    assert paper.cursor is None


def test_an_empty_feed_is_no_failure(httpserver: HTTPServer, paper: Feed) -> None:
    serve(httpserver)
    assert paper.read() == []


def test_a_feed_that_breaks_off_gives_what_can_be_read(httpserver: HTTPServer, paper: Feed) -> None:
    whole = feed(item("urn:1", "whole"), item("urn:2", "cut"))
    httpserver.expect_request("/feed").respond_with_data(
        whole[: whole.index("cut")], content_type="application/rss+xml"
    )
    assert "urn:1" in [mention.native_id for mention in paper.read()]


def test_a_connection_that_is_dropped_loses_nothing(httpserver: HTTPServer, paper: Feed) -> None:
    def drop(request: Request) -> Response:
        body = feed(item("urn:1", "x")).encode()
        return Response(iter([body[:50]]), headers={"Content-Length": str(len(body))})

    httpserver.expect_oneshot_request("/feed").respond_with_handler(drop)
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        paper.read()
    serve(httpserver, item("urn:1", "x"))
    assert len(paper.read()) == 1


def test_nobody_at_the_address_is_told(client: httpx.Client, httpserver: HTTPServer) -> None:
    nobody = Feed(httpserver, client, url="http://127.0.0.1:1/feed")
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        nobody.read()


def test_an_answer_without_end_is_cut(httpserver: HTTPServer, paper: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rss, "LARGEST_FEED", 1000)
    httpserver.expect_request("/feed").respond_with_data("x" * 5000)
    with pytest.raises(SourceUnavailable, match=r"larger than 1,000 bytes"):
        paper.read()


def test_entities_that_multiply_without_end_are_no_danger(httpserver: HTTPServer, paper: Feed) -> None:
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(9)
    )
    bomb = f"<!DOCTYPE rss [{entities}]>" + feed(item("urn:1", "&j;")).split("?>", 1)[1]
    httpserver.expect_request("/feed").respond_with_data(bomb, content_type="application/rss+xml")
    try:
        mentions = paper.read()
    except SourceUnavailable:
        return
    assert all(len(mention.text) < 100_000 for mention in mentions)


def test_the_cursor_stays_small(httpserver: HTTPServer, paper: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rss, "MOST_ENTRIES_KEPT", 3)
    for number in range(6):
        serve(httpserver, item(f"urn:{number}", "x"))
        assert len(paper.read()) == 1
    assert paper.cursor is not None
    assert list(paper.cursor["entries"]) == ["urn:3", "urn:4", "urn:5"]


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Paper.Test/A?b=1&utm_campaign=x&c=#frag", "https://paper.test/A?b=1&c="),
        ("http://paper.test:80", "http://paper.test/"),
        ("http://paper.test:8080/x", "http://paper.test:8080/x"),
        ("javascript:alert(1)", ""),
        ("/relative", ""),
        ("http://[broken", ""),
        ("http://paper.test:port/", ""),
    ],
)
def test_an_address_has_one_form(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


def test_bytes_broken_at_random_crash_nothing() -> None:
    """Some hundred feeds with parts overwritten, cut out and doubled; the seed makes them the same each time."""
    whole = feed(
        item("urn:1", "a &amp; b", link="https://paper.test/a", summary="<p>x</p>"), item("2", "c", minutes_ago=None)
    ).encode()
    chance = random.Random(3)
    served = [b""]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=served[0]))
    settings = RssSettings.model_validate({"kind": "rss", "id": "paper", "url": "https://paper.test/feed"})
    source = RssSource(settings, httpx.Client(transport=transport), ManualClock(NOW))
    normaliser = Normaliser(lambda text: None)
    read = 0
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            place = chance.randrange(len(broken))
            match chance.randrange(3):
                case 0:
                    broken[place] = chance.randrange(256)
                case 1:
                    del broken[place : place + chance.randint(1, 20)]
                case _:
                    start = chance.randrange(len(whole))
                    broken[place:place] = whole[start : start + chance.randint(1, 40)]
        served[0] = bytes(broken)
        try:
            batches = list(source.read(None, threading.Event()))
        except SourceUnavailable:
            continue
        for raw in (raw for batch in batches for raw in batch.items):
            assert isinstance(raw, RawMention)
            with suppress(RejectedMention):
                normaliser.normalise(raw.fields, now=NOW, received_at=NOW, markup=True)
                read += 1
    assert read > 100
