"""The page: what it says, in which language, and that nobody's words do anything on it."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from tests.newsroom import NOW, KeyMaker, Newsroom
from tocsin.access.commands import sign_in_link
from tocsin.access.secrets import form_token
from tocsin.clock import ManualClock
from tocsin.contracts.events import Author, ExplainedWord, Risk
from tocsin.contracts.incidents import Level
from tocsin.storage.database import Database

Headers = dict[str, str]
HTML = {"Accept": "text/html"}


class Tags(HTMLParser):
    """What a browser would make of a page: its elements, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def reader(key: KeyMaker) -> Headers:
    return {**key("read", "act"), **HTML}


@pytest.fixture
def signed_in(client: TestClient, database: Database, people_clock: ManualClock) -> TestClient:
    """Léa, who has signed in."""
    link = sign_in_link(database, people_clock, base_url="", person="lea")
    client.post("/sign-in", data={"link": parse_qs(urlsplit(link).query)["link"][0]})
    return client


def words(page: str) -> str:
    """What is read on a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_whoever_is_on_call_reads_why_how_bad_and_what_first(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    for number in range(8):
        newsroom.say(f"m{number}", author=f"a{number}", text=f"glass {number}", risk=Risk(score=0.8))
    newsroom.complete(NOW)
    newsroom.alarm(Level.RED)
    said = words(client.get("/", headers=reader).text)
    for expected in (
        "Crisis",
        "nobody has it yet",
        "38 harmful mentions in 1 h, 3 expected at this hour",
        "Complete up to 22:40",
        "First Acknowledge.",
        "Next: Marc Dubois at 22:50",
        "8 mentions",
        "Léa Martin phone-lea, 22:40 on its way",
        "The alarm rang at level Crisis.",
        "Not evaluated yet",
    ):
        assert expected in said


def test_the_worst_brand_stands_first_and_the_title_says_so(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.judge(Level.GREEN, brand="acme", reasons={})
    newsroom.alarm(Level.ORANGE, brand="globex")
    page = client.get("/", headers=reader).text
    assert re.findall(r'id="(acme|globex)"', page) == ["globex", "acme"]
    assert "<title>Serious · Globex · Tocsin</title>" in page
    assert "Nothing unusual is being said." in words(page)


def test_the_level_is_told_by_word_and_shape_and_not_by_colour_alone(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    shapes = {}
    for level, name in (
        (Level.GREEN, "Calm"),
        (Level.YELLOW, "Notice"),
        (Level.ORANGE, "Serious"),
        (Level.RED, "Crisis"),
    ):
        newsroom.judge(level, brand="acme")
        page = client.get("/", headers=reader).text
        card = page[page.index('id="acme"') :]
        assert f"<b>{name}</b>" in card
        shapes[level] = re.search(r'class="body" ([^/]+)/', card).group(1)  # type: ignore[union-attr]
    assert len(set(shapes.values())) == 4


def test_a_late_stream_is_told_before_anybody_trusts_the_figures(
    client: TestClient, reader: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    newsroom.complete(NOW)
    clock.move(600)
    assert "The stream is late" not in client.get("/", headers=reader).text
    clock.move(1)
    assert "complete only up to 22:40" in words(client.get("/", headers=reader).text)


def test_the_usual_is_shown_where_enough_days_are_known(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    for day in range(1, 7):
        for number in range(3):
            newsroom.say(f"d{day}-{number}", minutes_ago=day * 1440 + 5, author=f"a{number}", wakes=False)
    newsroom.count()
    assert "usual: 3" in words(client.get("/", headers=reader).text)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({"Accept-Language": "fr-FR,fr;q=0.9"}, "", "Grave"),
        ({"Accept-Language": "de"}, "", "Serious"),
        ({"Accept-Language": "en"}, "?lang=fr", "Grave"),
        ({"Accept-Language": "fr"}, "?lang=xx", "Grave"),
        ({"Accept-Language": "en", "Cookie": "tocsin_language=fr"}, "", "Grave"),
    ],
)
def test_the_page_speaks_the_readers_language(
    client: TestClient, reader: Headers, newsroom: Newsroom, headers: Headers, query: str, expected: str
) -> None:
    newsroom.alarm(Level.ORANGE)
    page = client.get(f"/{query}", headers={**reader, **headers}).text
    assert f"<b>{expected}</b>" in page
    assert f'<html lang="{"fr" if expected == "Grave" else "en"}">' in page
    assert ("38 mentions nuisibles" in page) == (expected == "Grave")


def test_a_language_once_chosen_stays(client: TestClient) -> None:
    client.get("/sign-in?lang=fr")
    assert "Se connecter" in client.get("/sign-in", headers={"Accept-Language": "en"}).text


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)><style>*{display:none}</style>",
    "\"><svg onload=alert(3)> ' onmouseover='alert(4)",
    "\u202eexe.tnemucod\u2066 {{ 7 * 7 }} {% raw %} ${7*7} &lt;b&gt;",
    "]]></text></main><form action=https://evil.test><button>I’ll take it</button></form>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_only_words(client: TestClient, reader: Headers, newsroom: Newsroom, text: str) -> None:
    quiet = client.get("/", headers=reader).text
    loud = newsroom.say("bad", text=text, risk=Risk(score=0.9), url="javascript:alert(5)", language='en" onload="x')
    author = Author(id="x", name=text, followers=9)
    newsroom.write(loud.model_copy(update={"author": author, "revision": 2, "outlet": text}))
    incident = newsroom.alarm(Level.RED, reasons={"en": text, "fr": text})
    for page in (client.get("/", headers=reader).text, client.get(f"/incidents/{incident.id}", headers=reader).text):
        tags = Tags(page)
        assert [script["src"] for script in tags.of("script")] == ["/static/page.js"]
        assert not tags.of("img")
        assert not tags.of("style")
        assert not [name for _, attributes in tags.elements for name in attributes if name.startswith("on")]
        assert {form["action"] for form in tags.of("form")} <= {
            f"/incidents/{incident.id}/acknowledge",
            f"/incidents/{incident.id}/command",
            f"/mentions/{loud.mention_id}/correction",
            "/sign-out",
        }
        assert all((link["href"] or "").startswith(("/", "?", "#")) for link in tags.of("a"))
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", page)
        assert "49" not in set(words(page).split()) - set(words(quiet).split())


def test_nothing_on_the_page_is_asked_of_another_host_nor_styled_inline(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.alarm(Level.RED)
    page = client.get("/", headers=reader)
    for _, attributes in Tags(page.text).elements:
        assert "style" not in attributes
        for name in ("src", "href", "action"):
            assert not (attributes.get(name) or "").startswith(("http:", "https:", "//", "data:"))
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_living_part_is_the_page_without_its_frame(client: TestClient, reader: Headers, newsroom: Newsroom) -> None:
    newsroom.alarm(Level.RED)
    part = client.get("/?part=live", headers=reader)
    assert "<html" not in part.text
    assert part.text.strip() in client.get("/", headers=reader).text
    assert part.headers["x-tocsin-time"] == "22:40"


def test_the_button_acknowledges_in_the_name_of_whoever_signed_in(signed_in: TestClient, newsroom: Newsroom) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    page = signed_in.get("/", headers=HTML).text
    form = next(form for form in Tags(page).of("form") if "acknowledge" in (form["action"] or ""))
    fields = {
        field["name"]: field["value"] for field in Tags(page).of("input") if field["name"] in ("form_token", "level")
    }
    back = signed_in.post(str(form["action"]), data=fields)
    assert (back.status_code, back.headers["location"]) == (303, f"/incidents/{incident.id}?notice=acknowledged")
    after = words(signed_in.get(back.headers["location"], headers=HTML).text)
    assert "You have it. Everybody who was called is told." in after
    assert "You have it until 23:10" in after
    assert "Léa Martin took it in hand." in after
    assert "in hand" in after


def test_a_button_that_shows_a_lower_level_than_the_present_one_asks_to_look_again(
    signed_in: TestClient, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    fields = {"form_token": form_token(signed_in.cookies["tocsin_session"]), "level": "orange"}
    newsroom.change_level(incident.id, Level.RED)
    back = signed_in.post(f"/incidents/{incident.id}/acknowledge", data=fields)
    after = words(signed_in.get(back.headers["location"], headers=HTML).text)
    assert "The incident has changed since you looked." in after
    assert "nobody has it yet" in after


def test_closing_asks_what_it_was_and_says_who_closed_it(signed_in: TestClient, newsroom: Newsroom) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    token = form_token(signed_in.cookies["tocsin_session"])
    signed_in.post(f"/incidents/{incident.id}/acknowledge", data={"form_token": token, "level": "orange"})
    page = signed_in.get("/", headers=HTML).text
    assert 'name="verdict" required' in page
    version = next(field["value"] for field in Tags(page).of("input") if field["name"] == "version")
    fields = {"form_token": token, "version": str(version), "verdict": "buzz"}
    back = signed_in.post(f"/incidents/{incident.id}/resolve", data=fields)
    after = words(signed_in.get(back.headers["location"], headers=HTML).text)
    assert "This incident was closed at 22:40 by Léa Martin." in after
    assert "Léa Martin closed it: a buzz, without harm." in after
    again = signed_in.post(f"/incidents/{incident.id}/acknowledge", data=fields)
    assert again.headers["location"].endswith("notice=illegal")


def test_whoever_may_only_read_gets_no_button(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    newsroom.alarm(Level.ORANGE)
    page = client.get("/", headers=key("read")).text
    assert not [form for form in Tags(page).of("form") if form["action"] != "/sign-out"]
    assert "You may look, but not act" in words(page)


def test_an_incident_that_is_not_there_is_told_as_a_page(client: TestClient, reader: Headers) -> None:
    answer = client.get("/incidents/00000000-0000-0000-0000-000000000001", headers=reader)
    assert answer.status_code == 404
    assert "This does not work" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_without_brands_the_page_says_what_to_do(client: TestClient, key: KeyMaker, app: object) -> None:
    context = app.state.context  # type: ignore[attr-defined]
    app.state.context = type(context)(  # type: ignore[attr-defined]
        **{
            **{name: getattr(context, name) for name in context.__dataclass_fields__},
            "configuration": context.configuration.model_copy(update={"brands": ()}),
        }
    )
    assert "Write one under “brands” in tocsin.yaml" in client.get("/", headers=key("read")).text


def test_the_words_that_raised_the_risk_are_marked_in_the_mentions_that_are_shown(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    text = "Their <b>kettle</b> burnt my son, boycott them"
    moved = [("burnt", 2.4), ("boycott", 0.9), ("my", -0.5)]
    explanation = tuple(
        ExplainedWord(word=word, start=text.index(word), end=text.index(word) + len(word), weight=weight)
        for word, weight in moved
    )
    newsroom.say("m1", text=text, risk=Risk(score=0.9), explanation=explanation)
    newsroom.complete(NOW)
    newsroom.alarm(Level.RED)
    page = client.get("/", headers=reader).text
    assert re.findall(r'<mark class="(moved-\d)"[^>]*>([^<]*)</mark>', page) == [
        ("moved-2", "burnt"),
        ("moved-1", "boycott"),
    ]
    assert "Their &lt;b&gt;kettle&lt;/b&gt; " in page
    assert "Their <b>kettle</b> burnt my son, boycott them" in " ".join(unescape(words(page)).split())
