"""Who is on call over the API: exchanged shifts that count at once, feeds behind a secret, the monthly statement."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from icalendar import Calendar

from services.alert.detection.state import BrandState, EventKind, Judgement
from services.alert.incidents import judged as apply_judgement
from services.alert.protocol.directory import Directory
from services.alert.timers import Timers
from services.api.app import create_app
from tests.newsroom import KeyMaker
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.config import Configuration, Environment, parse
from tocsin.contracts import topics
from tocsin.contracts.incidents import Level
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage import incidents, notifications
from tocsin.storage.database import Database

CONFIGURATION: Configuration = parse(
    """
brands: [{id: acme, names: [Acme]}]
channels: [{id: phone, kind: terminal, wakes: true}]
people:
  - {id: lea, name: Léa Martin, language: fr, time_zone: Europe/Paris, channels: [phone]}
  - {id: marc, name: "=Marc", channels: [phone]}
schedules:
  - id: evenings
    time_zone: Europe/Paris
    layers: [{people: [lea], start: 2026-01-05}]
policies:
  - {id: p, orange: {steps: [{notify: ["schedule:evenings"]}, {wait: 5 min, notify: ["schedule:evenings"]}]}}
""",
    variables={},
)
SHIFT = {"schedule": "evenings", "person": "marc", "since": "2026-03-10T22:00:00Z", "until": "2026-03-11T06:00:00Z"}


@pytest.fixture
def desk(database: Database, clock: ManualClock, people_clock: ManualClock, tmp_path: Path) -> Iterator[TestClient]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=2)
    bus.ensure_topics(topics.FLOW)
    environment = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    app = create_app(
        Surroundings(CONFIGURATION, environment, clock, bus, database, Health()), people_clock=people_clock
    )
    yield TestClient(app, base_url="http://tocsin.test")
    bus.close()


@pytest.fixture
def headers(key: KeyMaker) -> dict[str, str]:
    return key("read", "act")


def called(database: Database, incident_id: Any) -> list[str]:
    with database.read() as session:
        return [item.notification.name for item in notifications.notifications(session, incident_id)]


def test_a_shift_that_was_exchanged_counts_at_once_in_every_process(
    desk: TestClient, headers: dict[str, str], database: Database, clock: ManualClock
) -> None:
    # This process was started before anybody thought of it.
    timers = Timers(database, clock, Directory.of(CONFIGURATION))
    judgement = Judgement(clock.now(), "acme", Level.ORANGE, EventKind.OPENED, 70.0, BrandState(level=Level.ORANGE))
    with database.unit_of_work() as session:
        opened = apply_judgement(session, clock, CONFIGURATION, judgement, clock.now())
    assert opened is not None
    assert called(database, opened.incident.id) == ["Léa Martin"]
    given = desk.post("/v1/overrides", json={**SHIFT, "since": "2026-03-10T21:00:00Z"}, headers=headers)
    assert given.status_code == 201
    assert given.json()["since"] == "2026-03-10T21:40:00Z", "what has passed stays with whoever was on call"
    clock.move(300)
    assert timers.ring_due() == 1
    assert called(database, opened.incident.id) == ["Léa Martin", "=Marc"]
    desk.post(f"/v1/overrides/{given.json()['id']}/end", headers=headers)
    with database.read() as session:
        assert incidents.find(session, opened.incident.id) is not None
    now = desk.get("/v1/on-call", headers=headers).json()["schedules"][0]["now"]
    assert now == "lea"


def test_the_rota_shows_exchanges_and_who_made_them(desk: TestClient, headers: dict[str, str]) -> None:
    made = desk.post("/v1/overrides", json=SHIFT, headers=headers).json()
    assert made["by"].startswith("key:")
    (schedule,) = desk.get("/v1/on-call", headers=headers).json()["schedules"]
    assert [(shift["person"], shift["since"], shift["override"]) for shift in schedule["shifts"]] == [
        ("lea", "2026-03-10T21:40:00Z", None),
        ("marc", "2026-03-10T22:00:00Z", made["id"]),
        ("lea", "2026-03-11T06:00:00Z", None),
    ]
    ended = desk.post(f"/v1/overrides/{made['id']}/end", headers=headers).json()
    assert ended["ended_by"].startswith("key:")
    assert desk.post(f"/v1/overrides/{made['id']}/end", headers=headers).status_code == 409
    assert desk.get("/v1/overrides", headers=headers).json()["overrides"] == []
    (audited,) = desk.get("/v1/overrides?past=true", headers=headers).json()["overrides"]
    assert (audited["id"], audited["until"]) == (made["id"], SHIFT["until"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"schedule": "mornings"}, "schedule"),
        ({"person": "zoe"}, "person"),
        ({"until": "2026-03-10T22:00:00Z"}, "until"),
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, "until"),
        ({"until": "2026-09-01T00:00:00Z"}, "until"),
    ],
)
def test_a_wrong_exchange_is_named(
    desk: TestClient, headers: dict[str, str], wrong: dict[str, str], field: str
) -> None:
    answer = desk.post("/v1/overrides", json={**SHIFT, **wrong}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert desk.post(f"/v1/overrides/{uuid4()}/end", headers=headers).status_code == 404


def test_a_calendar_is_read_by_whoever_knows_its_address_until_it_is_revoked(
    desk: TestClient, headers: dict[str, str]
) -> None:
    made = desk.post("/v1/feeds", json={"schedule": "evenings"}, headers=headers).json()
    stranger = desk.get(made["path"])
    assert stranger.headers["content-type"] == "text/calendar; charset=utf-8"
    summaries = {str(event["summary"]) for event in Calendar.from_ical(stranger.content).walk("VEVENT")}
    assert summaries == {"On call evenings: Léa Martin"}
    listed = desk.get("/v1/feeds", headers=headers).json()["feeds"]
    assert [(item["id"], item["path"]) for item in listed] == [(made["id"], None)]
    assert desk.get(made["path"][:-6] + "AA.ics").status_code == 404
    assert desk.post(f"/v1/feeds/{made['id']}/revoke", headers=headers).status_code == 200
    assert desk.get(made["path"]).status_code == 404
    assert desk.post("/v1/feeds", json={"person": "zoe"}, headers=headers).status_code == 422
    assert desk.post("/v1/feeds", json={}, headers=headers).status_code == 422


def test_a_calendar_keeps_to_what_rfc_5545_asks_so_that_any_client_reads_it(
    desk: TestClient, headers: dict[str, str], clock: ManualClock
) -> None:
    desk.post("/v1/overrides", json=SHIFT, headers=headers)
    made = desk.post("/v1/feeds", json={"schedule": "evenings"}, headers=headers).json()
    written = desk.get(made["path"]).content
    lines = written.split(b"\r\n")
    assert b"\n" not in b"".join(lines), "every line ends in CRLF"
    assert lines[-1] == b"", "the last one, too"
    assert max(map(len, lines)) <= 75, "octets"
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert {b"VERSION:2.0", b"END:VCALENDAR"} <= set(lines)
    events = Calendar.from_ical(written).walk("VEVENT")
    assert all({"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY"} <= set(event) for event in events)
    assert all(event["DTSTART"].dt < event["DTEND"].dt for event in events)
    assert all(event["DTSTART"].dt.tzinfo is not None for event in events)
    uids = [str(event["UID"]) for event in events]
    assert len(set(uids)) == len(uids)
    clock.move(3600)
    later = Calendar.from_ical(desk.get(made["path"]).content).walk("VEVENT")
    assert [str(event["UID"]) for event in later] == uids, "the same shifts are the same events an hour later"


def test_the_statement_has_a_line_a_person_with_hours_and_call_outs(
    desk: TestClient, headers: dict[str, str], database: Database, clock: ManualClock
) -> None:
    desk.post("/v1/overrides", json=SHIFT, headers=headers)
    judgement = Judgement(clock.now(), "acme", Level.ORANGE, EventKind.OPENED, 70.0, BrandState(level=Level.ORANGE))
    with database.unit_of_work() as session:
        opened = apply_judgement(session, clock, CONFIGURATION, judgement, clock.now())
        assert opened is not None
        claimed = notifications.claim(session, clock.now(), owner="test", until=lambda _: clock.now())
        assert claimed is not None
    answer = desk.get("/v1/on-call/statement?month=2026-03", headers=headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lea, marc = csv.DictReader(io.StringIO(answer.text))
    assert (lea["person"], lea["on_call_hours"], lea["call_outs"], lea["incidents"]) == ("lea", "735.00", "1", "1")
    assert (marc["name"], marc["on_call_hours"], marc["exchanged_hours"]) == ("'=Marc", "8.00", "8.00")
    assert desk.get("/v1/on-call/statement?month=2026-13", headers=headers).status_code == 422


def test_the_page_shows_the_week_and_exchanges_a_shift_on_the_clock_of_the_schedule(
    desk: TestClient, headers: dict[str, str]
) -> None:
    page = desk.get("/on-call?lang=fr", headers={**headers, "Accept": "text/html"})
    assert page.status_code == 200
    assert "Qui est d’astreinte" in page.text
    assert "En ce moment : Léa Martin" in page.text
    form = {"schedule": "evenings", "person": "marc", "since": "2026-03-11T20:00", "until": "2026-03-12T08:00"}
    done = desk.post("/on-call/exchange", data=form, headers=headers, follow_redirects=False)
    assert done.headers["location"] == "/on-call?week=2026-03-11&notice=exchanged"
    (made,) = desk.get("/v1/overrides", headers=headers).json()["overrides"]
    assert (made["since"], made["until"]) == ("2026-03-11T19:00:00Z", "2026-03-12T07:00:00Z")
    page = desk.get(done.headers["location"] + "&lang=en", headers={**headers, "Accept": "text/html"})
    assert "Wed 11 20:00 – Thu 12 08:00" in page.text
    assert "=Marc" in page.text
    back = desk.post(f"/on-call/{made['id']}/end", headers=headers, follow_redirects=False)
    assert "notice=taken_back" in back.headers["location"]
    wrong = desk.post("/on-call/exchange", data={**form, "since": "soon"}, headers=headers, follow_redirects=False)
    assert wrong.headers["location"] == "/on-call?notice=wrong"
