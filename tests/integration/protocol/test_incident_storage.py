"""Incidents in the database: one open a brand, every effect of a decision in one transaction, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from services.alert.detection.state import BrandState, EventKind, Judgement, Reason
from services.alert.incidents import judged as apply_judgement
from services.alert.protocol.commands import Acknowledge, Command, Note, Open, Reopen, Resolve
from services.alert.protocol.decide import decide
from services.alert.timers import Timers
from tests.team import DIRECTORY, INCIDENT, START, judged, opening, policy
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.decisions import Decision, RefusalKind
from tocsin.contracts.incidents import IncidentEventType, IncidentState, Level
from tocsin.storage import incidents, notifications
from tocsin.storage.database import Database
from tocsin.storage.tables.flow import OutboxTable
from tocsin.storage.tables.incidents import IncidentTable, TimerTable

CONFIGURATION = parse(
    """
brands: [{id: lunea, names: [Lunéa]}]
people: [{id: lea, name: Léa, channels: [wall]}]
channels: [{kind: terminal, id: wall}]
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}]}}]
"""
)


def judgement(level: Level, event: EventKind | None, score: float = 60.0) -> Judgement:
    reasons = (Reason(fr="Beaucoup de colère.", en="Much anger."), Reason(fr="Deux.", en="Two."))
    return Judgement(START, "lunea", level, event, score, BrandState(level=level), reasons=reasons, evidence={"n": 38})


def judge(
    database: Database, *judgements: Judgement, configuration: Configuration = CONFIGURATION
) -> list[Decision | None]:
    decided = []
    for item in judgements:
        with database.unit_of_work() as session:
            decided.append(apply_judgement(session, ManualClock(START), configuration, item, START))
    return decided


def open_incident(database: Database, incident_id: UUID = INCIDENT, brand: str = "lunea") -> bool:
    command = Open(incident_id, brand, judged(), policy())
    with database.unit_of_work() as session:
        return incidents.insert_opened(session, decide(None, command, START, DIRECTORY))


def ask(database: Database, command: Command, minutes: float = 1) -> Decision:
    now = START + timedelta(minutes=minutes)
    with database.unit_of_work() as session:
        return incidents.execute(session, INCIDENT, lambda incident: decide(incident, command, now, DIRECTORY))


def published(database: Database) -> Sequence[str]:
    with database.read() as session:
        return session.scalars(select(OutboxTable.event_id).order_by(OutboxTable.id)).all()


def test_what_was_decided_comes_back_whole(database: Database) -> None:
    decision = decide(None, opening(), START, DIRECTORY)
    with database.unit_of_work() as session:
        assert incidents.insert_opened(session, decision)
    with database.read() as session:
        assert incidents.find(session, INCIDENT) == decision.incident
        assert incidents.open_main(session, "lunea") == decision.incident
        assert tuple(incidents.events(session, INCIDENT)) == decision.events
        statuses = notifications.notifications(session, INCIDENT)
    by_target = sorted(decision.notifications, key=lambda notification: notification.target)
    assert [status.notification for status in statuses] == by_target
    assert {(status.outcome, status.attempts) for status in statuses} == {(None, 0)}


def test_events_go_into_the_outbox_in_their_order(database: Database) -> None:
    open_incident(database)
    ask(database, Acknowledge("person:lea"))
    assert published(database) == [f"{INCIDENT}:{sequence}" for sequence in (1, 2, 3)]


def test_timers_are_always_those_of_the_incident(database: Database) -> None:
    open_incident(database)

    def rows() -> list[tuple[str, object]]:
        with database.read() as session:
            return [(row.kind, row.next_at) for row in session.scalars(select(TimerTable))]

    assert rows() == [("step", START + timedelta(minutes=5))]
    ask(database, Acknowledge("person:lea"), minutes=1)
    assert rows() == [("acknowledgement", START + timedelta(minutes=31))]
    ask(database, Resolve("person:lea"), minutes=2)
    assert rows() == []


def test_a_refused_command_saves_nothing(database: Database) -> None:
    open_incident(database)
    before = published(database)
    decision = ask(database, Resolve("person:lea", version=1))
    assert decision.refused is not None
    assert published(database) == before


def test_a_unit_of_work_that_fails_leaves_neither_incident_nor_messages(database: Database) -> None:
    def cut_off() -> None:
        with database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, opening(), START, DIRECTORY))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power"):
        cut_off()
    with database.read() as session:
        assert incidents.list_incidents(session) == []
        assert notifications.notifications(session, INCIDENT) == []
    assert published(database) == []


def test_an_unknown_incident_is_told_as_such(database: Database) -> None:
    with pytest.raises(incidents.IncidentNotFound, match=str(INCIDENT)):
        ask(database, Note("person:lea", "?"))


def test_a_brand_has_one_open_main_incident_and_may_have_more_that_are_over(database: Database) -> None:
    assert open_incident(database)
    assert not open_incident(database, uuid4())
    assert open_incident(database, uuid4(), brand="other")
    ask(database, Resolve("person:lea"))
    second = uuid4()
    assert open_incident(database, second)
    refused = ask(database, Reopen("person:lea")).refused
    assert refused is not None
    assert refused.kind is RefusalKind.ILLEGAL
    with database.read() as session:
        found = incidents.open_main(session, "lunea")
        assert found is not None
        assert found.id == second


def test_of_two_evaluators_at_the_same_moment_one_opens_and_the_other_joins(database: Database) -> None:
    joined: list[Decision | None] = []
    other = threading.Thread(target=lambda: joined.extend(judge(database, judgement(Level.RED, EventKind.OPENED))))
    with database.unit_of_work() as session:
        first = apply_judgement(
            session, ManualClock(START), CONFIGURATION, judgement(Level.ORANGE, EventKind.OPENED), START
        )
        other.start()
        if database.is_postgresql:
            # The other has looked, found nothing open, and waits for us to commit what it cannot see.
            wait_until(lambda: waiting_for_a_lock(database))
    other.join(30)
    assert first is not None
    assert joined[0] is not None
    assert joined[0].incident.id == first.incident.id
    with database.read() as session:
        assert len(incidents.list_incidents(session)) == 1
        kinds = [event.type for event in incidents.events(session, first.incident.id)]
    assert kinds.count(IncidentEventType.OPENED) == 1
    assert IncidentEventType.LEVEL_CHANGED in kinds


def waiting_for_a_lock(database: Database) -> bool:
    with database.read() as session:
        return bool(session.scalar(text("select count(*) from pg_locks where not granted")))


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def test_a_judgement_opens_raises_lowers_and_never_resolves(database: Database) -> None:
    judge(
        database,
        judgement(Level.YELLOW, EventKind.OPENED),
        judgement(Level.ORANGE, EventKind.RAISED),
        judgement(Level.ORANGE, None, score=66.0),
        judgement(Level.RED, EventKind.RAISED),
        judgement(Level.GREEN, EventKind.CLOSED),
    )
    with database.read() as session:
        incident = incidents.open_main(session, "lunea")
        assert incident is not None
        history = [(event.type.value, event.level.value) for event in incidents.events(session, incident.id)]
    assert history == [
        ("incident.opened", "orange"),
        ("incident.escalated", "orange"),
        ("incident.level_changed", "red"),
        ("incident.escalated", "red"),
        ("incident.level_changed", "green"),
    ]
    assert (incident.state, incident.level, incident.highest_level) == (IncidentState.TRIGGERED, Level.GREEN, Level.RED)
    assert incident.reasons == {"fr": "Beaucoup de colère.", "en": "Much anger."}


def test_what_a_person_resolved_stays_resolved_until_the_level_rises_anew(database: Database) -> None:
    first = judge(database, judgement(Level.ORANGE, EventKind.OPENED))[0]
    assert first is not None
    with database.unit_of_work() as session:
        incidents.execute(session, first.incident.id, lambda it: decide(it, Resolve("person:lea"), START, DIRECTORY))
    assert judge(database, judgement(Level.ORANGE, None)) == [None]
    raised = judge(database, judgement(Level.RED, EventKind.RAISED))[0]
    assert raised is not None
    assert raised.incident.id != first.incident.id


def test_a_calm_brand_has_no_incident(database: Database) -> None:
    assert judge(database, judgement(Level.GREEN, None), judgement(Level.YELLOW, EventKind.OPENED)) == [None, None]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(IncidentTable)) == 0


def test_lists_are_the_newest_first_by_brand_state_and_page(database: Database) -> None:
    for number in range(4):
        command = Open(UUID(int=number), f"brand-{number}", judged(), policy())
        with database.unit_of_work() as session:
            # Two of them in the same moment: the id decides.
            incidents.insert_opened(session, decide(None, command, START + timedelta(minutes=number // 2), DIRECTORY))
    with database.read() as session:
        everything = [incident.id.int for incident in incidents.list_incidents(session)]
        assert everything == [3, 2, 1, 0]
        page = incidents.list_incidents(session, limit=3)
        rest = incidents.list_incidents(session, limit=3, before=(page[-1].opened_at, page[-1].id))
        assert [incident.id.int for incident in rest] == [0]
        assert [i.id.int for i in incidents.list_incidents(session, brands=["brand-2", "brand-1"])] == [2, 1]
        assert incidents.list_incidents(session, states=[IncidentState.RESOLVED]) == []


def test_the_timers_ring_what_is_due_and_only_that(database: Database) -> None:
    open_incident(database)
    clock = ManualClock(START)
    timers = Timers(database, clock, DIRECTORY)
    assert timers.ring_due() == 0
    clock.move(5 * 60)
    assert timers.ring_due() == 1
    assert timers.ring_due() == 0
    clock.move(-3600)  # the clock jumps back: nothing rings again
    assert timers.ring_due() == 0
    clock.move(3600 + 600)
    assert timers.ring_due() == 1
    with database.read() as session:
        kinds = [event.type for event in incidents.events(session, INCIDENT)]
    assert kinds.count(IncidentEventType.ESCALATED) == 3


def test_two_timer_loops_at_once_ring_each_step_once(database: Database) -> None:
    for number in range(30):
        command = Open(UUID(int=number), f"brand-{number}", judged(), policy())
        with database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, command, START, DIRECTORY))
    clock = ManualClock(START + timedelta(minutes=5))
    rung: list[int] = []

    def ring() -> None:
        loop = Timers(database, clock, DIRECTORY)
        for _ in range(5):
            rung.append(loop.ring_due())

    threads = [threading.Thread(target=ring) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.read() as session:
        for number in range(30):
            events = incidents.events(session, UUID(int=number))
            assert [event.type for event in events].count(IncidentEventType.ESCALATED) == 2
    assert sum(rung) >= 30
