"""The forms of an incident's page: which are offered in which state, what each does, and what is said where it cannot."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from services.alert.notify.port import Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge, Judged, Resolve
from services.api.pages.command_menu import SILENCES
from tests.newsroom import NOW, KeyMaker, Newsroom
from tocsin.access.commands import sign_in_link
from tocsin.access.secrets import form_token
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState, Level, Verdict
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome

Headers = dict[str, str]
NOBODY = "00000000-0000-0000-0000-000000000001"


class Page:
    """The page of one incident, as somebody sees it who may act."""

    def __init__(self, client: TestClient, database: Database, headers: Headers, incident: Incident) -> None:
        self._client, self._database, self._headers = client, database, headers
        self.id = incident.id

    def offered(self, language: str = "en") -> set[str]:
        return set(re.findall(r'id="command-([a-z]+)"', self.text(language)))

    def text(self, language: str = "en") -> str:
        return self._client.get(f"/incidents/{self.id}?lang={language}", headers=self._headers).text

    def send(self, command: str, *, version: int | None = None, **fields: str) -> str:
        """Send a form; where it leads."""
        version = self.incident().version if version is None else version
        form = {"command": command, "version": str(version), **fields}
        answer = self._client.post(f"/incidents/{self.id}/command", data=form, headers=self._headers)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def does(self, command: str, **fields: str) -> Incident:
        assert self.send(command, **fields) == f"/incidents/{self.id}?notice=done"
        return self.incident()

    def incident(self, identifier: UUID | None = None) -> Incident:
        with self._database.read() as session:
            found = incidents.find(session, identifier or self.id)
        assert found is not None
        return found

    def events(self) -> list[IncidentEventType]:
        with self._database.read() as session:
            return [event.type for event in incidents.events(session, self.id)]


@pytest.fixture
def page(client: TestClient, database: Database, key: KeyMaker, newsroom: Newsroom) -> Page:
    return Page(client, database, key("read", "act"), newsroom.alarm())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_state_offers_what_it_allows(page: Page, newsroom: Newsroom, language: str) -> None:
    always = {"note", "mitigate", "level", "assign", "silence"}
    assert page.offered(language) == {*always, "escalate", "resolve"}
    newsroom.command(page.id, Acknowledge("person:lea"))
    assert page.offered(language) == {*always, "escalate", "unacknowledge"}
    newsroom.change_level(page.id, Level.GREEN)
    assert page.offered(language) == {*always, "unacknowledge"}
    newsroom.command(page.id, Resolve("person:lea"))
    assert page.offered(language) == {"note", "review", "reopen"}


def test_who_may_only_read_is_offered_nothing(client: TestClient, key: KeyMaker, page: Page) -> None:
    reader = key("read")
    assert "command-" not in client.get(f"/incidents/{page.id}", headers=reader).text
    form = {"command": "escalate", "version": "1"}
    assert client.post(f"/incidents/{page.id}/command", data=form, headers=reader).status_code == 403


def test_the_board_has_the_two_large_buttons_alone(client: TestClient, key: KeyMaker, page: Page) -> None:
    board = client.get("/", headers=key("read", "act")).text
    assert "command-" not in board
    assert f"/incidents/{page.id}/acknowledge" in board


def test_every_command_does_what_it_says(page: Page) -> None:
    assert page.does("mitigate", shown="orange").state is IncidentState.MITIGATING
    assert page.does("unacknowledge").state is IncidentState.TRIGGERED
    before = page.events().count(IncidentEventType.ESCALATED)
    page.does("escalate")
    assert page.events().count(IncidentEventType.ESCALATED) == before + 1
    assert page.does("level", level="red").level is Level.RED
    assigned = page.does("assign", person="marc").assigned
    assert assigned is not None
    assert assigned.person == "marc"
    assert page.does("assign", person="").assigned is None
    silence = page.does("silence", hours="4").silence
    assert silence is not None
    assert silence.until == NOW + timedelta(hours=4)
    assert page.offered() >= {"unsilence"}
    assert page.does("unsilence").silence is None
    page.does("note", text="  Called the plant.\r\nThey know.  ")
    assert "Called the plant." in page.text()
    resolved = page.does("resolve", verdict="buzz")
    assert (resolved.state, resolved.verdict) == (IncidentState.RESOLVED, Verdict.BUZZ)
    reviewed = page.does("review", verdict="", text="We were slow.")
    assert (reviewed.state, reviewed.verdict) == (IncidentState.REVIEWED, Verdict.BUZZ)
    assert page.does("reopen").state is IncidentState.TRIGGERED


@pytest.mark.parametrize("hours", SILENCES)
def test_every_silence_that_is_offered_is_allowed(page: Page, hours: int) -> None:
    assert page.does("silence", hours=str(hours)).silence is not None


def test_a_story_is_split_off_and_merged_back(page: Page, newsroom: Newsroom) -> None:
    evidence = {"stories": [{"id": "00000000000000a1", "title": "Glass <b>in</b> the jars"}]}
    newsroom.judged_again(page.id, Judged(Level.ORANGE, 80.0, {"en": "More."}, evidence))
    assert page.offered() >= {"split"}
    assert "Glass &lt;b&gt;in&lt;/b&gt; the jars" in page.text()
    place = page.send("split", story="00000000000000a1", title="Glass")
    found = re.fullmatch(r"/incidents/([0-9a-f-]{36})\?notice=done", place)
    assert found is not None
    other = page.incident(UUID(found[1]))
    assert (other.split_from, other.reasons["en"], other.state) == (page.id, "Glass", IncidentState.ACKNOWLEDGED)
    assert "split" not in page.offered(), "that story is gone"
    assert page.offered() >= {"merge"}
    assert page.send("merge", into=str(other.id)) == f"/incidents/{other.id}?notice=done"
    assert page.incident().merged_into == other.id
    assert page.offered() == {"note", "review"}, "what went on elsewhere is not reopened here"


def test_what_is_refused_is_said(page: Page) -> None:
    old = page.incident().version
    page.does("assign", person="marc")
    assert page.send("level", version=old, level="red").endswith("?notice=stale")
    assert page.send("unacknowledge").endswith("?notice=refused")
    for command, fields in (
        ("note", {"text": " "}),
        ("level", {"level": "purple"}),
        ("assign", {"person": "nobody-known"}),
        ("silence", {"hours": "169"}),
        ("merge", {"into": "x"}),
        ("resolve", {"verdict": "x"}),
        ("split", {"story": ""}),
        ("send_again", {"notification": "x"}),
        ("dance", {}),
        ("", {}),
    ):
        assert page.send(command, **fields).endswith("?notice=wrong"), command
    assert page.incident().level is Level.ORANGE


def test_a_form_without_the_token_of_its_session_is_refused(
    client: TestClient, database: Database, people_clock: ManualClock, page: Page
) -> None:
    form = {"command": "escalate", "version": "2"}
    place, before = f"/incidents/{page.id}/command", page.incident().version
    assert client.post(place, data=form).status_code == 401
    link = sign_in_link(database, people_clock, base_url="", person="lea")
    client.post("/sign-in", data={"link": parse_qs(urlsplit(link).query)["link"][0]})
    assert client.post(place, data=form).status_code == 403
    assert client.post(place, data={**form, "form_token": form_token("another session")}).status_code == 403
    assert page.incident().version == before
    (token, *_) = re.findall(r'name="form_token" value="([^"]+)"', client.get(f"/incidents/{page.id}").text)
    done = client.post(place, data={**form, "form_token": token})
    assert done.headers["location"] == f"/incidents/{page.id}?notice=done"
    assert page.incident().version > before


class Refusing:
    """A channel that takes nothing."""

    kind = "terminal"
    deduplicates = True
    address_hash = "x"
    timeout = timedelta(seconds=1)

    def send(self, delivery: Delivery) -> Outcome:
        return Outcome(AttemptOutcome.REJECTED, "wrong number")


def test_a_call_that_did_not_come_through_is_tried_again_by_a_button(
    page: Page, database: Database, clock: ManualClock
) -> None:
    assert "send_again" not in page.text()
    sender = Sender(database, clock, {"phone-lea": Refusing(), "phone-marc": Refusing()})
    sender.send_due()
    shown = page.text("fr")
    assert "Réessayer" in shown
    (notification,) = re.findall(r'name="notification" value="([^"]+)"', shown)
    assert page.send("send_again", notification=notification) == f"/incidents/{page.id}?notice=sent_again"
    assert "send_again" not in page.text()
    assert sender.send_due() == 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_administrator_seals_a_copy_from_the_page_and_finds_it_there(
    client: TestClient, database: Database, key: KeyMaker, newsroom: Newsroom, language: str
) -> None:
    admin = key("read", "act", "admin")
    page = Page(client, database, admin, newsroom.alarm())
    assert 'id="seal"' in page.text(language)
    assert 'id="seal"' not in Page(client, database, key("read", "act"), page.incident()).text(language)

    def seal(until: str, reason: str = "case <12>") -> str:
        form = {"reason": reason, "until": until}
        answer = client.post(f"/incidents/{page.id}/legal-hold", data=form, headers=admin)
        assert answer.status_code == 303
        return answer.headers["location"].rpartition("=")[2]

    last = (NOW + timedelta(days=30)).date()
    assert seal(last.isoformat()) == "sealed"
    (hold,) = client.get(f"/v1/incidents/{page.id}/legal-holds", headers=admin).json()["legal_holds"]
    # To the end of that day in Paris.
    assert hold["until"][:16] in (f"{last}T22:00", f"{last}T23:00")
    text = page.text(language)
    assert f"/v1/incidents/{page.id}/legal-holds/{hold['id']}" in text
    assert hold["sha256"] in text
    assert "case &lt;12&gt;" in text
    assert seal("2001-01-01") == seal("9990-01-01") == "hold_refused"
    assert seal("soon") == seal(last.isoformat(), reason=" ") == seal("9999-12-31") == "wrong"
    for notice in ("sealed", "hold_refused"):
        assert f"notice-{notice}" in client.get(f"/incidents/{page.id}?notice={notice}", headers=admin).text
