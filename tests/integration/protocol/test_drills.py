"""Exercises ring the real chain, say so in every message, end when they are answered, and are remembered for each person."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta

import pytest

from services.alert.drills import UNANSWERED_AFTER, Drills, ring_by_hand
from services.alert.notify.channels import channels
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.drill import latest_due
from services.alert.timers import Timers
from tests.team import START, opening
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.incidents import Incident, IncidentState
from tocsin.contracts.settings.protocol import DrillSettings
from tocsin.storage import drills, incidents
from tocsin.storage.database import Database

CONFIGURATION = parse(
    """
brands: [{id: lunea, names: [Lunéa]}]
people:
  - {id: lea, name: Léa, language: fr, channels: [wall]}
  - {id: sam, name: Sam, channels: [wall]}
channels: [{kind: terminal, id: wall}]
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}, {wait: 5 min, notify: ["person:sam"]}], repeat: 0}}]
drills: [{id: monthly, people: [lea, sam], start: 2026-03-02, at: "22:00", every: 28 d}]
"""
)


class House:
    """Timers, a sender and drills on one database, with a clock that the test moves."""

    def __init__(self, database: Database, configuration: Configuration = CONFIGURATION) -> None:
        self.database = database
        self.configuration = configuration
        self.clock = ManualClock(START)
        self.output = io.StringIO()
        self.directory = Directory.of(configuration)
        self.drills = Drills(database, self.clock, "one", configuration)
        self.sender = Sender(database, self.clock, channels(configuration, self.clock, self.output))
        self.timers = Timers(database, self.clock, self.directory)

    def go_on(self, minutes: float = 0) -> None:
        self.clock.move(minutes * 60)
        self.drills.look()
        self.timers.ring_due()
        self.sender.send_due()

    def exercises(self) -> list[Incident]:
        with self.database.read() as session:
            return [incident for incident in incidents.list_incidents(session) if incident.exercise]

    def acknowledge(self, incident: Incident, actor: str) -> None:
        with self.database.unit_of_work() as session:
            incidents.execute(
                session,
                incident.id,
                lambda found: decide(found, Acknowledge(actor), self.clock.now(), self.directory),
            )

    def answered(self) -> dict[str, datetime]:
        with self.database.read() as session:
            return {actor: last.at for actor, last in drills.last_answered(session).items()}


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_a_drill_of_a_policy_walks_its_steps_marked_in_every_message_and_ends_when_answered(house: House) -> None:
    ring_by_hand(house.database, house.clock, house.configuration, policy="night")
    house.sender.send_due()
    house.go_on(5)
    said = house.output.getvalue()
    assert "EXERCICE · [ORANGE] Lunéa : alerte" in said
    assert "EXERCISE · [ORANGE] Lunéa: alarm" in said
    [exercise] = house.exercises()
    house.acknowledge(exercise, "person:sam")
    house.go_on(1)
    assert house.exercises()[0].state is IncidentState.RESOLVED
    assert house.answered() == {"person:sam": START + timedelta(minutes=5)}
    titles = [line for line in house.output.getvalue().splitlines() if "ORANGE" in line]
    assert all("EXERCI" in line for line in titles)


def test_a_drill_of_people_rings_each_by_themselves(house: House) -> None:
    ring_by_hand(house.database, house.clock, house.configuration, people=("lea", "sam"))
    house.sender.send_due()
    lea, sam = sorted(house.exercises(), key=lambda exercise: exercise.policy.id if exercise.policy else "")
    house.acknowledge(lea, "person:lea")
    house.go_on(30)
    with house.database.read() as session:
        assert [found.id for found in drills.open_exercises(session)] == [sam.id]
    assert set(house.answered()) == {"person:lea"}


def test_an_exercise_is_in_the_way_of_no_alarm(house: House) -> None:
    ring_by_hand(house.database, house.clock, house.configuration, policy="night")
    with house.database.unit_of_work() as session:
        assert incidents.open_main(session, "lunea") is None
        assert incidents.insert_opened(session, decide(None, opening(), START, house.directory))
    with house.database.read() as session:
        found = incidents.open_main(session, "lunea")
    assert found is not None
    assert not found.exercise


def test_a_scheduled_drill_rings_once_when_it_is_due_whoever_looks(house: House) -> None:
    house.go_on()
    assert house.exercises() == []
    house.go_on(60)
    assert len(house.exercises()) == 2
    house.clock.move(60)
    assert Drills(house.database, house.clock, "two", house.configuration).look() == 0
    house.go_on(10)
    assert len(house.exercises()) == 2
    house.clock.move(timedelta(days=28).total_seconds() - 600)
    house.go_on()
    assert len(house.exercises()) == 4


def test_an_exercise_that_nobody_answers_is_closed_after_a_day_and_is_nobodys_success(house: House) -> None:
    ring_by_hand(house.database, house.clock, house.configuration, people=("lea",))
    house.go_on(UNANSWERED_AFTER.total_seconds() / 60 + 1)
    assert all(
        exercise.state is IncidentState.RESOLVED for exercise in house.exercises() if exercise.opened_at == START
    )
    assert house.answered() == {}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-02T08:59:00", None),
        ("2026-03-02T09:00:00", "2026-03-02T09:00:00"),
        ("2026-03-02T11:00:00", "2026-03-02T09:00:00"),
        ("2026-03-02T11:00:01", None),
        ("2026-03-30T07:59:59", None),
        ("2026-03-30T08:00:00", "2026-03-30T08:00:00"),  # summer time has begun the night before
    ],
)
def test_when_a_drill_is_due_on_the_wall_clock(now: str, due: str | None) -> None:
    drill = DrillSettings(
        id="monthly",
        policy="night",
        start=date(2026, 3, 2),
        at=time(10, 0),
        time_zone="Europe/Paris",
        every=timedelta(days=28),
    )
    expected = datetime.fromisoformat(due).replace(tzinfo=UTC) if due else None
    assert latest_due(drill, datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected
