"""The page of settings, and the forms beside a mention: what they say, what they do, and that nobody's words do anything there."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from tests.newsroom import NOW, KeyMaker, Newsroom
from tests.records import classified
from tocsin.access.commands import sign_in_link
from tocsin.access.secrets import form_token
from tocsin.clock import ManualClock
from tocsin.contracts.events import Author
from tocsin.storage import mentions
from tocsin.storage.database import Database
from tocsin.storage.merging import Received

HOSTILE = "</b><script>alert(1)</script>"
API = "/v1/brands/acme/settings"


@pytest.fixture
def lea(client: TestClient, database: Database, people_clock: ManualClock) -> TestClient:
    """Léa, who has signed in."""
    link = sign_in_link(database, people_clock, base_url="", person="lea")
    client.post("/sign-in", data={"link": parse_qs(urlsplit(link).query)["link"][0]})
    return client


def form(client: TestClient, **fields: str) -> dict[str, str]:
    return {"form_token": form_token(client.cookies["tocsin_session"]), "brand": "acme", **fields}


def read(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def language_link(page: str) -> str:
    """Where the page in the other language is."""
    (found,) = re.findall(r'<a href="([^"]*)" hreflang', page)
    return unescape(found)


def test_what_is_set_by_the_form_is_listed_with_author_reason_and_end_and_can_be_withdrawn(lea: TestClient) -> None:
    assert "Nothing is set" in read(lea.get("/settings").text)
    sent = form(lea, kind="mute", terms='"old joke"', reason="known", ends="2026-03-12T22:40")
    answer = lea.post("/settings", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?brand=acme&kind=mute&notice=set")
    page = read(lea.get(answer.headers["location"]).text)
    assert 'Mute Terms: "old joke"' in page
    assert "known" in page
    assert "Léa Martin, 22:40 · in force 09/03/2026 22:40 – 12/03/2026 22:40" in page
    assert "A mute is in force" in read(lea.get("/").text)
    [setting] = lea.get(API).json()["settings"]
    assert setting["ends"] == "2026-03-12T21:40:00Z", "on the wall clock of the brand"
    gone = lea.post(f"/settings/{setting['id']}/withdraw", data=form(lea, reason="no joke", kind="mute"))
    assert gone.headers["location"].endswith("notice=withdrawn")
    assert lea.get(API).json()["settings"] == []
    assert "in force" not in read(lea.get("/").text)
    assert "withdrawn by Léa Martin (no joke)" in read(lea.get("/settings?brand=acme").text)
    again = lea.post(f"/settings/{setting['id']}/withdraw", data=form(lea, reason="no joke", kind="mute"))
    assert again.headers["location"].endswith("notice=over")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "mute", "terms": "joke", "reason": "known"}, "needs an end"),
        ({"kind": "mute", "terms": "joke", "ends": "2026-03-12T22:40"}, "say why"),
        ({"kind": "watch", "reason": "x"}, "has no condition"),
        ({"kind": "crisis_words", "words": "glass", "reason": "x", "ends": "tomorrow"}, "cannot be read"),
        ({"kind": "exclude", "terms": "two words", "reason": "x", "ends": "2026-03-12T22:40"}, "join terms with OR"),
        ({"kind": "policy", "reason": "x"}, "cannot be set"),
    ],
)
def test_what_cannot_be_is_said_beside_what_was_written(lea: TestClient, fields: dict[str, str], told: str) -> None:
    answer = lea.post("/settings", data=form(lea, **fields))
    assert answer.status_code == 422
    assert told in read(answer.text)
    assert lea.get(API).json()["settings"] == []


def test_a_query_is_tried_before_it_can_be_set(lea: TestClient, newsroom: Newsroom) -> None:
    newsroom.say("ours", text="Acme and the aurora")
    newsroom.say("calm", text="Acme opens a shop")
    before = lea.get("/settings?brand=acme&kind=exclude").text
    assert 'method="post" action="/settings"' not in before
    tried = lea.get("/settings?brand=acme&kind=exclude&terms=aurora&lang=fr")
    page = read(tried.text)
    assert "1 écartées" in page
    assert "Acme and the aurora" in page
    assert "n’a pas été conservé" in page
    assert 'name="terms" value="aurora"' in tried.text
    answer = lea.post(
        "/settings", data=form(lea, kind="exclude", terms="aurora", reason="the lights", ends="2026-03-30T12:00")
    )
    assert answer.status_code == 303
    assert lea.get(API).json()["settings"][0]["setting"] == {"kind": "exclude", "terms": "aurora"}
    refused = lea.get("/settings?brand=acme&kind=exclude&terms=two words")
    assert refused.status_code == 422
    assert "join terms with OR" in read(refused.text)


def test_a_watch_list_is_written_with_commas_or_lines(lea: TestClient) -> None:
    sent = form(
        lea, kind="watch", authors="@zoe,  bluesky:7\nMax", risk_kind="legal", risk="0.6", reach="10000", level="red",
        reason="announced",
    )  # fmt: skip
    assert lea.post("/settings", data=sent).status_code == 303
    [setting] = lea.get(API).json()["settings"]
    assert setting["setting"]["authors"] == ["@zoe", "bluesky:7", "Max"]
    assert "10k followers or more" in read(lea.get("/settings").text)


def test_nobodys_words_do_anything_on_the_page(lea: TestClient, newsroom: Newsroom) -> None:
    newsroom.say("hostile", text=f"Acme aurora {HOSTILE}", source="rss")
    lea.post(API, json={"setting": {"kind": "crisis_words", "words": [HOSTILE]}, "reason": HOSTILE},
             headers={"X-Form-Token": form_token(lea.cookies["tocsin_session"])})  # fmt: skip
    assert len(lea.get(API).json()["settings"]) == 1
    for path in ("/settings", "/settings?kind=exclude&terms=aurora", f"/settings?kind=mute&story={HOSTILE}"):
        assert "<script>alert" not in lea.get(path).text


def test_who_may_only_read_sees_no_form_and_other_brands_are_not_there(client: TestClient, key: KeyMaker) -> None:
    html = {"Accept": "text/html"}
    page = client.get("/settings", headers={**key("read"), **html})
    assert page.status_code == 200
    assert "/withdraw" not in page.text
    assert client.get("/settings?brand=globex", headers={**key("read", brands=["acme"]), **html}).status_code == 404


def test_not_about_us_proposes_the_exclusion_one_click_from_its_preview(lea: TestClient, newsroom: Newsroom) -> None:
    text = "Acme lights tonight, aurora over Oslo"
    told = {str(newsroom.say(name, text=text, author=name, embedding=None).mention_id) for name in ("a", "b")}
    for number in range(5):
        newsroom.say(f"calm{number}", text=f"Acme opens shop number {number}", author=f"c{number}")
    incident = newsroom.alarm()
    page = lea.get(f"/incidents/{incident.id}").text
    shown = next(item for item in re.findall(r"/mentions/([0-9a-f-]+)/correction", page) if item in told)
    assert "/settings?brand=acme&amp;kind=mute&amp;source=bluesky#new" in page
    sent = form(lea, **{"is": "story_not_us", "back": f"/incidents/{incident.id}"})
    done = lea.post(f"/mentions/{shown}/correction", data=sent)
    assert done.status_code == 200, done.text
    assert "leave every count: 2" in read(done.text)
    assert language_link(done.text) == f"/incidents/{incident.id}?lang=fr"
    in_french = lea.get(language_link(done.text))
    assert (in_french.status_code, '<html lang="fr">' in in_french.text) == (200, True)
    lea.cookies.delete("tocsin_language")
    links = [unescape(link) for link in re.findall(r'href="(/settings[^"]+)"', done.text) if "aurora" in link]
    assert links
    tried = lea.get(links[0])
    assert "2 kept out" in read(tried.text)
    assert 'method="post" action="/settings"' in tried.text


def test_a_tone_is_corrected_by_the_form(lea: TestClient, newsroom: Newsroom) -> None:
    mention = newsroom.say("a", text="Acme, great again")
    answer = lea.post(f"/mentions/{mention.mention_id}/correction", data=form(lea, **{"is": "positive"}))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert lea.get("/v1/corrections?brand=acme").json()["corrections"][0]["sentiment"] == "positive"
    elsewhere = form(lea, **{"is": "as_read", "back": "https://evil.example/"})
    assert lea.post(f"/mentions/{mention.mention_id}/correction", data=elsewhere).headers["location"] == "/"
    assert lea.post(f"/mentions/{mention.mention_id}/correction", data=form(lea, **{"is": "odd"})).status_code == 422
    refused = lea.post(
        f"/mentions/{mention.mention_id}/correction", data=form(lea, **{"is": "odd"}), headers={"Accept": "text/html"}
    )
    assert language_link(refused.text) == "/?lang=fr"


def test_a_name_that_is_kept_apart_is_opened_beside_its_mention_with_a_reason(
    lea: TestClient, database: Database, newsroom: Newsroom, client: TestClient, key: KeyMaker
) -> None:
    said = classified("a", at=NOW - timedelta(minutes=5), text="Glass in my Acme jar", author="ann-4711")
    said = said.model_copy(update={"author": Author(id="ann-4711", name=f"Ann {HOSTILE}", followers=12)})
    with database.unit_of_work() as session:
        mentions.write(session, [Received(said, said.published_at, True, names_author=False)])
    incident = newsroom.alarm()
    page = lea.get(f"/incidents/{incident.id}").text
    assert "name kept apart" in page
    assert f'action="/mentions/{said.mention_id}/author"' in page
    path, back = f"/mentions/{said.mention_id}/author", f"/incidents/{incident.id}"
    assert lea.post(path, data=form(lea, reason="  ", back=back)).status_code == 422
    opened = lea.post(path, data=form(lea, reason="to apologise", back=back))
    assert "Ann </b><script>alert(1)</script>" in unescape(opened.text)
    assert "<script>alert" not in opened.text
    assert f'href="{back}"' in opened.text
    assert language_link(opened.text) == f"{back}?lang=fr"
    entries = lea.get("/v1/audit?action=author.opened", headers=key("admin")).json()["entries"]
    assert [(entry["actor"], entry["details"]) for entry in entries] == [("person:lea", {"reason": "to apologise"})]
