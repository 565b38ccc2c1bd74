"""A page is answered from outside: by link, telephone key, Slack's button, PagerDuty; what is forged, old or used is refused."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from joserfc import jwt
from joserfc.jwk import OctKey
from pytest_httpserver import HTTPServer
from werkzeug import Request
from werkzeug import Response as Answer

from services.alert.notify.answering import LIFETIME, Answering
from services.alert.notify.channels import channels
from services.alert.notify.sender import Sender
from services.alert.protocol.answers import dedup_key
from services.alert.protocol.commands import Acknowledge, ChangeLevel, Command, Open, Resolve
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from services.alert.timers import Timers
from services.api.app import create_app
from services.api.callbacks import pagerduty, slack, twilio
from tests.channels import (
    PAGERDUTY_SECRET,
    PEOPLE,
    PUBLIC_URL,
    SLACK_SECRET,
    TWILIO_TOKEN,
    VONAGE_APPLICATION,
    VONAGE_SECRET,
    configuration_of,
)
from tests.team import INCIDENT, judged
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.config import Environment
from tocsin.contracts.incidents import Incident, IncidentState, Level
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage import incidents, notifications
from tocsin.storage.database import Database

HTML = {"Accept": "text/html", "Accept-Language": "fr"}


class Team:
    """Léa, rung on one channel against a server of this machine, and the page where she is answered."""

    def __init__(self, database: Database, server: HTTPServer, folder: Path, *, channel: str, chain: Any = ()) -> None:
        self.database = database
        self.clock = ManualClock(datetime.now(UTC))
        self.people_clock = ManualClock(self.clock.now())
        self.sent: list[tuple[str, str]] = []
        server.expect_request(re.compile(".*"), method="POST").respond_with_handler(self._take)
        pages = channel == "pagerduty"
        steps: list[dict[str, Any]] = [{"notify": ["channel:pagerduty" if pages else "person:lea"]}]
        if chain:
            steps.append({"wait": "5 min", "notify": ["person:sam"]})
        orange = {"steps": steps, "repeat": 0}
        policy = {"id": "night", "orange": orange, "escalation": "pagerduty" if pages else "tocsin"}
        rung = ["webhook"] if pages else [] if chain else [channel]
        self.configuration = configuration_of(
            server.url_for("").rstrip("/"),
            people=[{**PEOPLE[0], "channels": rung, "chain": list(chain)}, {**PEOPLE[1], "channels": ["sms"]}],
            policies=[policy],
        )
        self.directory = Directory.of(self.configuration)
        self.sender = Sender(
            database,
            self.clock,
            channels(self.configuration, self.clock),
            jitter=lambda: 0.0,
            answering=Answering(PUBLIC_URL),
        )
        opening = Open(INCIDENT, "lunea", judged(), snapshot(self.configuration.policies[0]))
        with database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, opening, self.clock.now(), self.directory))
        self.sender.send_due()
        bus = EmbeddedBus(folder / "bus.sqlite", self.clock)
        environment = Environment.read({"TOCSIN_HOME": str(folder)})
        surroundings = Surroundings(self.configuration, environment, self.clock, bus, database, Health())
        app = create_app(surroundings, people_clock=self.people_clock)
        self.client = TestClient(app, base_url=PUBLIC_URL, follow_redirects=False)

    def _take(self, request: Request) -> Answer:
        self.sent.append((request.path, request.get_data(as_text=True)))
        return Answer('{"ok": true}', status=200, content_type="application/json")

    @property
    def incident(self) -> Incident:
        with self.database.read() as session:
            found = incidents.find(session, INCIDENT)
        assert found is not None
        return found

    @property
    def held_by(self) -> str | None:
        return self.incident.acknowledged.by if self.incident.acknowledged else None

    def outcomes(self) -> list[tuple[str, str | None]]:
        with self.database.read() as session:
            told = notifications.notifications(session, INCIDENT)
        return [(item.notification.channel, item.outcome and item.outcome.value) for item in told]

    def ask(self, command: Command) -> None:
        with self.database.unit_of_work() as session:
            incidents.execute(
                session, INCIDENT, lambda incident: decide(incident, command, self.clock.now(), self.directory)
            )

    def from_twilio(self, url: str, fields: dict[str, str], *, token: str = TWILIO_TOKEN) -> Response:
        signature = twilio.signature_of(token, url, list(fields.items()))
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        return self.client.post(url, content=urlencode(fields), headers=headers)

    def from_vonage(self, url: str, said: dict[str, Any], *, secret: str = VONAGE_SECRET, **claims: Any) -> Response:
        body = json.dumps(said)
        told = {
            "iat": int(self.people_clock.now().timestamp()),
            "jti": "one",
            "application_id": VONAGE_APPLICATION,
            "payload_hash": hashlib.sha256(body.encode()).hexdigest(),
            **claims,
        }
        token = jwt.encode({"alg": "HS256"}, told, OctKey.import_key(secret))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.client.post(url, content=body, headers=headers)

    def from_slack(
        self, value: str, *, user: str = "U01234567", secret: str = SLACK_SECRET, old: float = 0
    ) -> Response:
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": "sam <x>"},
            "actions": [{"action_id": "tocsin_acknowledge", "value": value}],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        timestamp = str(int(self.people_clock.now().timestamp() - old))
        headers = {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": slack.signature_of(secret, timestamp, body),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.client.post("/callbacks/slack/slack", content=body, headers=headers)

    def from_pagerduty(
        self,
        event_type: str = "incident.acknowledged",
        *,
        secret: str = PAGERDUTY_SECRET,
        identifier: str = "01",
        start: int = 1,
    ) -> Response:
        event = {
            "id": identifier,
            "event_type": event_type,
            "agent": {"id": "PLEA123", "summary": "Léa", "type": "user_reference"},
            "data": {"type": "incident", "incident_key": dedup_key(INCIDENT, start)},
        }
        body = json.dumps({"event": event}).encode()
        signatures = f"v1=00,{pagerduty.signature_of(secret, body)}"
        headers = {"X-PagerDuty-Signature": signatures, "Content-Type": "application/json"}
        return self.client.post("/callbacks/pagerduty/pagerduty", content=body, headers=headers)


@pytest.fixture
def team(request: pytest.FixtureRequest, database: Database, httpserver: HTTPServer, tmp_path: Path) -> Team:
    return Team(database, httpserver, tmp_path, channel=request.param)


on = pytest.mark.parametrize


def link_in(team: Team) -> str:
    """The acknowledge link of the text message that was sent."""
    (text,) = parse_qs(team.sent[-1][1])["Body"]
    found = re.search(rf"{re.escape(PUBLIC_URL)}(/a/\S+)$", text)
    assert found is not None, text
    assert len(text) <= 160
    return found[1]


@on("team", ["sms"], indirect=True)
def test_looking_at_a_link_does_nothing_and_confirming_it_acknowledges_once(team: Team) -> None:
    link = link_in(team)
    for _ in range(3):
        shown = team.client.get(link, headers=HTML)
        assert shown.status_code == 200
        assert "38 mentions hostiles" in shown.text
        assert "Je prends en charge" in shown.text
    assert team.held_by is None
    confirmed = team.client.post(link, headers=HTML)
    assert confirmed.status_code == 200
    assert "C&#39;est à vous" in confirmed.text
    assert team.held_by == "person:lea"
    assert team.outcomes()[0] == ("sms", "acknowledged")
    again = team.client.post(link, headers=HTML)
    assert again.status_code == 410
    assert "a déjà servi" in again.text


@on("team", ["sms"], indirect=True)
def test_who_comes_second_reads_who_has_it_in_hand_already(team: Team) -> None:
    link = link_in(team)
    team.ask(Acknowledge("channel:control-room"))
    shown = team.client.get(link, headers=HTML)
    assert "quelqu&#39;un sur control-room s&#39;en occupe déjà" in shown.text
    assert "Je prends en charge" in shown.text


@on("team", ["sms"], indirect=True)
def test_a_link_opens_nothing_when_it_is_changed_expired_or_too_late(team: Team) -> None:
    link = link_in(team)
    wrong = link[:-1] + ("A" if link[-1] != "A" else "B")
    assert team.client.post(wrong, headers=HTML).status_code == 404
    assert team.client.post(link, headers={**HTML, "Origin": "https://evil.example"}).status_code == 403
    team.ask(ChangeLevel(judged(Level.RED)))
    risen = team.client.post(link, headers=HTML)
    assert risen.status_code == 412
    assert "niveau a monté" in risen.text
    assert team.incident.state is IncidentState.TRIGGERED
    team.ask(Resolve("person:sam"))
    assert team.client.post(link, headers=HTML).status_code == 409
    team.clock.move(LIFETIME.total_seconds())
    assert team.client.get(link, headers=HTML).status_code == 410


def key_callback(team: Team) -> str:
    """Where the call that was sent reports keys."""
    path, body = team.sent[-1]
    if "Calls" in path:
        found = re.search(r'action="([^"]+)"', parse_qs(body)["Twiml"][0])
        assert found is not None
        return found[1]
    return str(json.loads(body)["ncco"][1]["eventUrl"][0])


@on("team", ["call"], indirect=True)
def test_key_1_acknowledges_by_twilio_and_the_caller_hears_it(team: Team) -> None:
    url = key_callback(team)
    heard = team.from_twilio(url, {"Digits": "5", "CallSid": "CA1"})
    assert (heard.status_code, team.held_by) == (200, None)
    assert "Aucune réponse" in heard.text
    heard = team.from_twilio(url, {"Digits": "1", "CallSid": "CA1"})
    assert heard.headers["content-type"].startswith("text/xml")
    assert '<Say language="fr-FR">Merci' in heard.text
    assert team.held_by == "person:lea"
    team.ask(Resolve("person:sam"))
    assert "plus possible" in team.from_twilio(url, {"Digits": "1"}).text


@on("team", ["call"], indirect=True)
def test_a_forged_key_is_refused(team: Team) -> None:
    url = key_callback(team)
    assert team.from_twilio(url, {"Digits": "1"}, token="another").status_code == 401
    assert team.client.post(url, data={"Digits": "1"}).status_code == 401
    signed_for_another = twilio.signature_of(TWILIO_TOKEN, url + "x", [("Digits", "1")])
    answer = team.client.post(url, data={"Digits": "1"}, headers={"X-Twilio-Signature": signed_for_another})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert team.from_twilio(url.replace("/call/", "/webhook/"), {"Digits": "1"}).status_code == 404
    assert team.held_by is None


@on("team", ["second-call"], indirect=True)
def test_key_1_acknowledges_by_the_second_provider_and_forged_old_or_foreign_tokens_do_not(team: Team) -> None:
    url = key_callback(team)
    pressed = {"dtmf": {"digits": "1", "timed_out": False}}
    assert team.from_vonage(url, pressed, secret="another-secret-of-some-length").status_code == 401
    assert team.from_vonage(url, pressed, payload_hash="0" * 64).status_code == 401
    assert team.from_vonage(url, pressed, application_id="another").status_code == 401
    old = int(team.people_clock.now().timestamp()) - 301
    assert team.from_vonage(url, pressed, iat=old).status_code == 401
    assert team.client.post(url, json=pressed).status_code == 401
    assert team.held_by is None
    assert "Aucune" in team.from_vonage(url, {"dtmf": {"digits": "", "timed_out": True}}).json()[0]["text"]
    heard = team.from_vonage(url, pressed)
    assert heard.json()[0]["text"].startswith("Merci")
    assert team.held_by == "person:lea"


@on("team", ["slack"], indirect=True)
def test_slacks_button_acknowledges_as_whoever_clicked(team: Team) -> None:
    value = json.loads(team.sent[-1][1])["blocks"][2]["elements"][0]["value"]
    assert team.from_slack(value, secret="another").status_code == 401
    assert team.from_slack(value, old=301).status_code == 401
    assert team.from_slack("no-such-token").status_code == 404
    assert team.held_by is None
    assert team.from_slack(value, user="U99999999").status_code == 200
    assert team.held_by == "slack:sam ‹x›"
    assert team.from_slack(value).status_code == 200
    assert team.held_by == "person:lea"
    team.ask(Resolve("person:sam"))
    assert team.from_slack(value).status_code == 409


@on("team", ["pagerduty"], indirect=True)
def test_what_is_acknowledged_at_pagerduty_is_acknowledged_here_before_its_request_is_answered(team: Team) -> None:
    assert team.from_pagerduty(secret="another").status_code == 401
    assert team.from_pagerduty("incident.annotated").status_code == 202
    assert team.held_by is None
    assert team.from_pagerduty().status_code == 202
    assert team.held_by == "person:lea"
    version = team.incident.version
    assert team.from_pagerduty().status_code == 202
    assert team.incident.version == version, "the same event again changes nothing"


@on("team", ["pagerduty"], indirect=True)
def test_trigger_acknowledge_and_resolve_share_a_dedup_key(team: Team) -> None:
    team.from_pagerduty()
    team.sender.send_due()
    team.ask(Resolve("person:lea"))
    team.sender.send_due()
    events = [json.loads(body) for _, body in team.sent]
    assert [event["event_action"] for event in events] == ["trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in events} == {dedup_key(INCIDENT)}


@on("team", ["pagerduty"], indirect=True)
def test_where_pagerduty_escalates_tocsin_rings_it_once_and_nobody_else(team: Team) -> None:
    timers = Timers(team.database, team.clock, team.directory)
    for _ in range(48):
        team.clock.move(1800)
        timers.ring_due()
        team.sender.send_due()
    (told,) = team.sent
    assert told[0] == "/v2/enqueue"
    said = json.loads(told[1])
    assert said["event_action"] == "trigger"
    text = said["payload"]["custom_details"]["text"]
    assert "38 hostile mentions" in text
    assert "Called: pagerduty (" in text
    assert "PagerDuty calls whoever is next." in text


@on("team", ["pagerduty"], indirect=True)
def test_a_level_that_rises_after_an_acknowledgement_at_pagerduty_rings_there_anew_and_all_of_it_is_closed(
    team: Team,
) -> None:
    team.from_pagerduty()
    team.ask(ChangeLevel(judged(Level.RED)))
    team.sender.send_due()
    assert team.from_pagerduty(identifier="02").status_code == 202
    assert team.held_by is None, "what was acknowledged there was the earlier, lower one"
    assert team.from_pagerduty(identifier="03", start=2).status_code == 202
    assert team.held_by == "person:lea"
    team.ask(Resolve("person:sam"))
    team.sender.send_due()
    events = [(event["event_action"], event["dedup_key"]) for event in (json.loads(body) for _, body in team.sent)]
    first, second = dedup_key(INCIDENT), dedup_key(INCIDENT, 2)
    assert [key for action, key in events if action == "trigger"] == [first, second]
    assert sorted(key for action, key in events if action == "resolve") == [first, second]
