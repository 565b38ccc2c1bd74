"""The crisis room over the API, on its page, and by links without an account."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.alert.rooms import RoomKeeper
from tests.newsroom import CONFIGURATION, KeyMaker, Newsroom
from tocsin.access.commands import sign_in_link
from tocsin.access.secrets import form_token
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Level
from tocsin.storage import audit
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.tables.incidents import NotificationTable

WITH_LINKS = CONFIGURATION.model_copy(
    update={"api": CONFIGURATION.api.model_copy(update={"public_url": "http://tocsin.test"})}
)


@pytest.fixture
def keeper(database: Database, clock: ManualClock, people_clock: ManualClock) -> RoomKeeper:
    return RoomKeeper(database, clock, WITH_LINKS, Thresholds(), people_clock=people_clock)


class Person:
    """Somebody at the page, signed in, or with nothing but a link."""

    def __init__(self, client: TestClient, token: str = "") -> None:
        self.client = client
        self.token = token

    def do(self, incident: uuid.UUID, command: str, **fields: Any) -> Any:
        return self.client.post(
            f"/v1/incidents/{incident}/room",
            json={"command": command, **fields},
            headers={"X-Form-Token": self.token},
        )

    def press(self, path: str, **fields: Any) -> Any:
        sent = {name: str(value) for name, value in fields.items()}
        return self.client.post(path, data={"form_token": self.token, **sent}, headers={"Accept": "text/html"})


def person(app: Any, database: Database, people_clock: ManualClock, name: str) -> Person:
    client = TestClient(app, base_url="http://tocsin.test", follow_redirects=False)
    link = sign_in_link(database, people_clock, base_url="", person=name)
    assert client.post("/sign-in", data={"link": parse_qs(urlsplit(link).query)["link"][0]}).status_code == 303
    return Person(client, form_token(client.cookies["tocsin_session"]))


@pytest.fixture
def lea(app: Any, database: Database, people_clock: ManualClock) -> Person:
    app.state.context = _with_links(app)
    return person(app, database, people_clock, "lea")


@pytest.fixture
def marc(app: Any, lea: Person, database: Database, people_clock: ManualClock) -> Person:
    return person(app, database, people_clock, "marc")


@pytest.fixture
def stranger(app: Any, lea: Person) -> TestClient:
    return TestClient(app, base_url="http://tocsin.test", follow_redirects=False)


def _with_links(app: Any) -> Any:
    return replace(app.state.context, configuration=WITH_LINKS)


@pytest.fixture
def incident(newsroom: Newsroom, keeper: RoomKeeper) -> uuid.UUID:
    opened = newsroom.alarm(Level.ORANGE)
    keeper.observe()
    return opened.id


def links_sent(database: Database, purpose: str) -> list[str]:
    with database.read() as session:
        contents = session.scalars(select(NotificationTable.content).order_by(NotificationTable.created_at))
        found = [content["link"] for content in contents if f"/by-link/{purpose}?" in (content["link"] or "")]
    return [link.removeprefix("http://tocsin.test") for link in dict.fromkeys(found)]


def token(link: str) -> str:
    return link.partition("link=")[2]


def submitted(lea: Person, incident: uuid.UUID, database: Database) -> str:
    assert lea.do(incident, "draft_statement", language="en", channel="press", text="We know of it.").status_code == 200
    assert lea.do(incident, "submit_statement", statement=1, version=1).status_code == 200
    return links_sent(database, "approve")[-1]


def state_of(lea: Person, incident: uuid.UUID) -> dict[str, Any]:
    found: dict[str, Any] = lea.client.get(f"/v1/incidents/{incident}/room").json()
    return found


def test_steps_are_done_over_the_api_and_closing_asks_for_the_required_ones(lea: Person, incident: uuid.UUID) -> None:
    refused = lea.client.post(
        f"/v1/incidents/{incident}/resolve", json={"verdict": "crisis"}, headers={"X-Form-Token": lea.token}
    )
    assert refused.status_code == 409
    assert "Freeze scheduled posts" in refused.json()["detail"]
    room = lea.do(incident, "finish_step", step=1, note="all three accounts").json()
    assert (room["steps"][0]["state"], room["steps"][0]["by"]) == ("done", "person:lea")
    closed = lea.client.post(
        f"/v1/incidents/{incident}/resolve", json={"verdict": "crisis"}, headers={"X-Form-Token": lea.token}
    )
    assert closed.status_code == 200


def test_a_command_for_a_room_that_has_changed_since_is_refused_where_it_says_what_it_saw(
    lea: Person, incident: uuid.UUID
) -> None:
    path, token = f"/v1/incidents/{incident}/room", {"X-Form-Token": lea.token}
    seen = lea.client.get(path).headers["etag"]
    finish = {"command": "finish_step", "step": 1}
    done = lea.client.post(path, json=finish, headers={**token, "If-Match": seen})
    assert done.status_code == 200
    assert done.headers["etag"] == lea.client.get(path).headers["etag"] != seen
    skip = {"command": "reopen_step", "step": 1}
    stale = lea.client.post(path, json=skip, headers={**token, "If-Match": seen})
    assert stale.status_code == 412
    assert state_of(lea, incident)["steps"][0]["state"] == "done"
    for tag in ("*", f"W/{done.headers['etag']}"):
        assert lea.client.post(path, json=finish, headers={**token, "If-Match": tag}).status_code == 200
    assert lea.client.post(path, json=finish, headers={**token, "If-Match": "7"}).status_code == 412


def test_a_false_alarm_is_closed_without_a_playbook(lea: Person, incident: uuid.UUID) -> None:
    closed = lea.client.post(
        f"/v1/incidents/{incident}/resolve", json={"verdict": "false_alarm"}, headers={"X-Form-Token": lea.token}
    )
    assert closed.status_code == 200


def language_link(page: str) -> str:
    """Where the page is in another language, as its address goes on."""
    return unescape(re.findall(r'<a href="([^"]*)" hreflang', page)[0])


def test_a_statement_is_approved_by_link_on_a_phone_once(
    lea: Person, stranger: TestClient, incident: uuid.UUID, database: Database
) -> None:
    link = submitted(lea, incident, database)
    for _ in range(2):  # a mail scanner follows it
        page = stranger.get(link)
        assert (page.status_code, "We know of it." in page.text) == (200, True)
    in_french = stranger.get(f"/by-link/approve{language_link(page.text)}")
    assert (in_french.status_code, "We know of it." in in_french.text) == (200, True)
    assert state_of(lea, incident)["statements"][0]["state"] == "submitted"
    done = stranger.post("/by-link/approve", data={"link": token(link), "answer": "approve"})
    assert done.status_code == 200
    statement = state_of(lea, incident)["statements"][0]
    assert statement["state"] == "approved"
    assert [(item["by"], item["role"]) for item in statement["approvals"]] == [("person:marc", "spokesperson")]
    stranger.cookies.clear()
    again = stranger.post("/by-link/approve", data={"link": token(link), "answer": "approve"})
    assert (again.status_code, "used already" in again.text) == (410, True)
    assert stranger.get(f"/by-link/approve{language_link(done.text)}").status_code == 410, "used, and not unknown"


def test_a_version_that_has_changed_is_not_approved_by_the_link_of_the_old_one(
    lea: Person, stranger: TestClient, incident: uuid.UUID, database: Database
) -> None:
    link = submitted(lea, incident, database)
    lea.do(incident, "revise_statement", statement=1, version=1, text="We know of it, and we are sorry.")
    assert "changed since" in stranger.get(link).text
    refused = stranger.post("/by-link/approve", data={"link": token(link), "answer": "approve"})
    assert (refused.status_code, "changed since" in refused.text) == (412, True)
    assert state_of(lea, incident)["statements"][0]["approvals"] == []


def test_an_expired_or_foreign_link_is_refused_and_nothing_has_happened(
    lea: Person,
    stranger: TestClient,
    incident: uuid.UUID,
    database: Database,
    people_clock: ManualClock,
) -> None:
    link = submitted(lea, incident, database)
    assert stranger.post("/by-link/hand-over", data={"link": token(link)}).status_code == 404
    assert stranger.get("/by-link/update?link=guessed").status_code == 404
    assert stranger.post("/by-link/approve", data={"link": "guessed"}).status_code == 404
    people_clock.move(timedelta(hours=13).total_seconds())
    expired = stranger.post("/by-link/approve", data={"link": token(link), "answer": "approve"})
    assert (expired.status_code, "expired" in expired.text) == (410, True)
    assert stranger.get(link).status_code == 410


def test_who_is_asked_may_refuse_and_must_say_why(
    lea: Person, stranger: TestClient, incident: uuid.UUID, database: Database
) -> None:
    link = submitted(lea, incident, database)
    assert stranger.post("/by-link/approve", data={"link": token(link), "answer": "refuse"}).status_code == 422
    done = stranger.post("/by-link/approve", data={"link": token(link), "answer": "refuse", "reason": "too cold"})
    assert done.status_code == 200
    assert state_of(lea, incident)["statements"][0]["refused"] == "too cold"


@pytest.mark.parametrize(
    ("command", "fields", "status"),
    [
        ("approve_statement", {"statement": 1, "version": 1}, 409),
        ("finish_step", {"step": 99}, 409),
        ("finish_step", {"step": "x"}, 422),
        ("finish_step", {"step": 1, "extra": 1}, 422),
        ("no_such_command", {}, 422),
        ("draft_statement", {"language": "de", "channel": "press", "text": "x"}, 422),
        ("release_holding", {"holding": "nothing", "language": "en", "fingerprint": "0"}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_clearly_and_leaves_no_trace(
    lea: Person, incident: uuid.UUID, command: str, fields: dict[str, Any], status: int
) -> None:
    before = state_of(lea, incident)
    refused = lea.do(incident, command, **fields)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"]
    assert state_of(lea, incident) == before


def test_only_the_role_approves_and_the_refusal_is_forbidden(
    lea: Person, marc: Person, incident: uuid.UUID, newsroom: Newsroom, keeper: RoomKeeper, database: Database
) -> None:
    newsroom.change_level(incident, Level.RED)
    keeper.observe()
    submitted(lea, incident, database)
    assert lea.do(incident, "approve_statement", statement=1, version=1, role="lead").status_code == 200
    twice = lea.do(incident, "approve_statement", statement=1, version=1, role="spokesperson")
    assert (twice.status_code, "two different people" in twice.json()["detail"]) == (403, True)
    assert marc.do(incident, "approve_statement", statement=1, version=1).json()["statements"][0]["state"] == "approved"


def test_a_holding_statement_is_approved_beforehand_and_released_by_whoever_is_on_call(
    lea: Person, marc: Person, incident: uuid.UUID, clock: ManualClock
) -> None:
    page = marc.client.get("/statements", headers={"Accept": "text/html"}).text
    found = re.search(r'value="en"><input type="hidden" name="fingerprint" value="([0-9a-f]{16})"', page)
    assert found is not None
    mark = found[1]
    release = {"holding": "looking", "language": "en", "fingerprint": mark}
    assert lea.do(incident, "release_holding", **release).status_code == 409
    changed = marc.press("/statements", statement="looking", language="en", fingerprint="0" * 16)
    assert changed.status_code == 412
    assert marc.press("/statements", statement="looking", language="en", fingerprint=mark).status_code == 303
    assert marc.do(incident, "release_holding", **release).status_code == 403, "he is not on call"
    lea.client.post(f"/v1/incidents/{incident}/acknowledge", headers={"X-Form-Token": lea.token})
    assert lea.do(incident, "release_holding", **{**release, "fingerprint": "0" * 16}).status_code == 412
    statement = lea.do(incident, "release_holding", **release).json()["statements"][0]
    assert (statement["state"], statement["published_by"]) == ("published", "person:lea")
    assert statement["versions"][0]["text"] == "Acme knows of it and is looking into it (22:40)."
    clock.move(timedelta(days=60).total_seconds())
    expired = lea.do(incident, "release_holding", **release)
    assert (expired.status_code, "expired" in expired.json()["detail"]) == (409, True)


def test_an_update_goes_out_and_is_read_by_a_link_without_an_account(
    lea: Person, stranger: TestClient, incident: uuid.UUID, database: Database, people_clock: ManualClock
) -> None:
    lea.do(incident, "draft_update")
    lea.do(incident, "edit_update", update=1, version=1, en="All <b>calm</b> now.")
    assert lea.do(incident, "send_update", update=1, version=1).status_code == 412
    assert lea.do(incident, "send_update", update=1, version=2).status_code == 200
    (link,) = links_sent(database, "update")
    for _ in range(3):
        page = stranger.get(link)
        assert (page.status_code, "All &lt;b&gt;calm&lt;/b&gt; now." in page.text) == (200, True)
    people_clock.move(timedelta(hours=48).total_seconds())
    assert stranger.get(link).status_code == 410


def test_a_hand_over_by_link_puts_the_incident_into_the_next_ones_hands(
    lea: Person, stranger: TestClient, incident: uuid.UUID, database: Database
) -> None:
    lea.client.post(f"/v1/incidents/{incident}/acknowledge", headers={"X-Form-Token": lea.token})
    lea.do(incident, "offer_hand_over", to="marc", note="Press called.")
    (link,) = links_sent(database, "hand-over")
    assert "Press called." in stranger.get(link).text
    assert stranger.post("/by-link/hand-over", data={"link": token(link)}).status_code == 200
    held = lea.client.get(f"/v1/incidents/{incident}").json()["acknowledged"]
    assert held["by"] == "person:marc"
    assert state_of(lea, incident)["hand_overs"][0]["state"] == "accepted"


def test_each_step_is_in_the_audit_log(lea: Person, incident: uuid.UUID, database: Database) -> None:
    submitted(lea, incident, database)
    lea.do(incident, "finish_step", step=1)
    with database.read() as session:
        written = [(entry.action, entry.actor) for entry in audit.entries(session, brands=["acme"])]
    for expected in (
        ("incident.statement_drafted", "person:lea"),
        ("incident.statement_submitted", "person:lea"),
        ("incident.step_done", "person:lea"),
        ("incident.playbook_begun", "timer"),
    ):
        assert expected in written


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_shows_the_room_and_its_buttons_do_what_they_say(
    lea: Person, incident: uuid.UUID, database: Database, clock: ManualClock, language: str
) -> None:
    submitted(lea, incident, database)
    lea.do(incident, "draft_update")
    clock.move(360)
    page = lea.client.get(f"/incidents/{incident}/room?lang={language}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    expected = "en retard depuis 22:45" if language == "fr" else "overdue since 22:45"
    assert expected in page.text
    on_incident = lea.client.get(f"/incidents/{incident}", headers={"Accept": "text/html"})
    assert expected in on_incident.text
    done = lea.press(f"/incidents/{incident}/room", command="finish_step", step=1, place="step-1", back="incident")
    assert (done.status_code, done.headers["location"]) == (303, f"/incidents/{incident}#step-1")
    assert state_of(lea, incident)["steps"][0]["state"] == "done"


def test_what_is_refused_is_said_on_the_page_and_the_text_is_not_lost(lea: Person, incident: uuid.UUID) -> None:
    path = f"/incidents/{incident}/room"
    lea.press(path, command="draft_statement", language="en", channel="press", text="First words")
    lea.press(path, command="revise_statement", statement=1, version=1, text="Second words")
    refused = lea.press(path, command="revise_statement", statement=1, version=1, text="Words that took long")
    assert refused.status_code == 412
    assert "Words that took long" in refused.text
    assert "has changed since" in refused.text


def test_a_key_for_another_brand_finds_no_room(client: TestClient, key: KeyMaker, incident: uuid.UUID) -> None:
    assert client.get(f"/v1/incidents/{incident}/room", headers=key("read", brands=["globex"])).status_code == 404
    refused = client.post(
        f"/v1/incidents/{incident}/room", json={"command": "draft_update"}, headers=key("act", brands=["globex"])
    )
    assert refused.status_code == 404
