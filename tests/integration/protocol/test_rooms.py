"""Crisis rooms over each database: opened behind their incident, rung by their timer, their links in the messages."""

from __future__ import annotations

import io
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.alert.notify.sender import Sender
from services.alert.notify.terminal import Terminal
from services.alert.protocol.commands import Acknowledge, ChangeLevel, Open, Resolve
from services.alert.protocol.decide import decide
from services.alert.protocol.policies import snapshot
from services.alert.room.commands import (
    ApproveStatement,
    DraftStatement,
    FinishStep,
    RoomCommand,
    SendUpdate,
    SubmitStatement,
)
from services.alert.room.decide import command
from services.alert.room.team import Team
from services.alert.rooms import RoomKeeper
from tests.team import START, judged
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.incidents import Level, Verdict
from tocsin.contracts.room import Room, RoomDecision
from tocsin.storage import incidents, links, rooms
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.links import LinkPurpose
from tocsin.storage.tables.incidents import NotificationTable
from tocsin.storage.tables.room import RoomTable

CONFIGURATION: Configuration = parse(
    """
api: {public_url: "https://tocsin.example"}
brands: [{id: lunea, names: [Lunéa], time_zone: Europe/Paris}]
channels: [{id: phone, kind: terminal, wakes: true}]
people:
  - {id: lea, name: Léa, language: fr, channels: [phone]}
  - {id: sam, name: Sam, channels: [phone]}
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}], repeat: 0}, fallback: "person:sam"}]
roles:
  - {id: lead, name: {fr: Pilote, en: Lead}, holder: "person:lea", deputy: "person:sam"}
  - {id: legal, name: {fr: Juridique, en: Legal}, holder: "person:sam"}
playbooks:
  - id: any
    name: {fr: Crise, en: Crisis}
    orange:
      steps: [{id: freeze, title: {fr: Suspendre, en: Freeze}, role: lead, due: 5 min, required: true}]
    approvals: {orange: [legal], red: [legal, lead]}
    updates_by: lead
    stakeholders: ["person:sam"]
""",
    variables={},
)
TEAM = Team.of(CONFIGURATION)
INCIDENT = UUID(int=7)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def keeper(database: Database, clock: ManualClock) -> RoomKeeper:
    return RoomKeeper(database, clock, CONFIGURATION, Thresholds(), people_clock=clock)


@pytest.fixture
def alarm(database: Database) -> UUID:
    """An orange incident opens."""
    opening = Open(INCIDENT, "lunea", judged(Level.ORANGE), snapshot(CONFIGURATION.policies[0]))
    with database.unit_of_work() as session:
        incidents.insert_opened(session, decide(None, opening, START, TEAM.directory))
    return INCIDENT


def room_of(database: Database) -> Room:
    with database.read() as session:
        found = rooms.find(session, INCIDENT)
    assert found is not None
    return found


def ask(database: Database, clock: ManualClock, asked: RoomCommand, actor: str = "person:lea") -> RoomDecision:
    with database.unit_of_work() as session:
        return rooms.execute(
            session,
            INCIDENT,
            lambda incident, room: command(room, incident, asked, actor=actor, now=clock.now(), team=TEAM),
            people_now=clock.now(),
            public_url=CONFIGURATION.api.public_url,
        )


def told(database: Database, kind: str) -> list[NotificationTable]:
    with database.read() as session:
        return list(session.scalars(select(NotificationTable).where(NotificationTable.kind == kind)))


def test_a_room_opens_behind_its_incident_once_and_takes_note_of_what_happens_to_it(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    assert keeper.observe() == 1
    assert keeper.observe() == 0
    assert [step.id for step in room_of(database).steps] == ["freeze"]
    with database.unit_of_work() as session:
        for wanted in (Acknowledge("person:lea"), ChangeLevel(judged(Level.RED))):
            incidents.execute(
                session,
                alarm,
                lambda incident, wanted=wanted: decide(incident, wanted, clock.now(), TEAM.directory),  # type: ignore[misc]
            )
    assert keeper.observe() == 1
    assert room_of(database).level is Level.RED
    with database.unit_of_work() as session:
        over = Resolve("person:lea", verdict=Verdict.FALSE_ALARM)
        incidents.execute(session, alarm, lambda one: decide(one, over, clock.now(), TEAM.directory))
    keeper.observe()
    assert (room_of(database).open, room_of(database).next_at) == (False, None)
    assert keeper.keep() == 0


def test_an_overdue_step_rings_through_the_same_outbox_until_it_is_done(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    keeper.observe()
    clock.move(300)
    assert keeper.ring_due() == 1
    assert keeper.ring_due() == 0
    assert [row.name for row in told(database, "task")] == ["Léa"]
    ask(database, clock, FinishStep(step=1))
    output = io.StringIO()
    Sender(database, clock, {"phone": Terminal(output)}).send_due()
    assert "étape en retard" not in output.getvalue(), "it was done before it was sent"
    assert [row.outcome for row in told(database, "task")] == ["superseded"]


def test_a_task_that_is_still_wanted_is_sent_with_its_words(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    keeper.observe()
    clock.move(300)
    keeper.ring_due()
    output = io.StringIO()
    Sender(database, clock, {"phone": Terminal(output)}).send_due()
    assert "[ORANGE] Lunéa : étape en retard : Suspendre" in output.getvalue()


def test_whoever_must_approve_gets_a_link_of_their_own_that_stands_nowhere_else(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    keeper.observe()
    ask(database, clock, DraftStatement(language="en", channel="press", text="We are looking into it."))
    ask(database, clock, SubmitStatement(statement=1, version=1))
    (row,) = told(database, "task")
    link = row.content["link"]
    assert link.startswith("https://tocsin.example/by-link/approve?link=")
    with database.read() as session:
        found = links.look(session, link.partition("link=")[2], LinkPurpose.APPROVE, clock.now())
    assert (found.actor, found.incident_id, found.subject["version"]) == ("person:sam", INCIDENT, 1)


def test_a_refused_command_leaves_no_trace(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    keeper.observe()
    before = room_of(database)
    refused = ask(database, clock, ApproveStatement(statement=1, version=1))
    assert refused.decision.refused is not None
    assert room_of(database) == before


def test_an_update_is_drafted_from_what_the_database_counts_and_sent_with_a_link_to_read_it(
    database: Database, keeper: RoomKeeper, clock: ManualClock, alarm: UUID
) -> None:
    keeper.observe()
    ask(database, clock, FinishStep(step=1))
    clock.move(1800)
    keeper.ring_due()
    update = room_of(database).updates[0]
    assert "0 harmful mentions in 30 min" in update.texts["en"]
    ask(database, clock, SendUpdate(update=1, version=1))
    (row,) = told(database, "update")
    assert row.content["link"].startswith("https://tocsin.example/by-link/update?link=")
    output = io.StringIO()
    Sender(database, clock, {"phone": Terminal(output)}).send_due()
    assert "situation update no. 1" in output.getvalue()


def test_two_keepers_ring_once(database: Database, clock: ManualClock, alarm: UUID) -> None:
    first, second = (RoomKeeper(database, clock, CONFIGURATION, Thresholds(), people_clock=clock) for _ in range(2))
    first.observe()
    second.observe()
    clock.move(300)
    assert first.ring_due() + second.ring_due() == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(RoomTable)) == 1
    assert len(told(database, "task")) == 1
    assert room_of(database).next_at == START + timedelta(minutes=10)
