"""A storm: 10,000 bad mentions in a minute, in five stories of one event, through handlers, evaluators, timers, senders and rooms of
two processes, on both databases. One incident, one escalation, and no more messages a person than docs/protocol.md says.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sqlalchemy import func, select

from services.alert.notify.limits import PhoneLimits
from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.room.calling import MOST_RINGS
from services.alert.rooms import RoomKeeper
from services.alert.timers import Timers
from tests.integration.alert.house import HOUR, MINUTE, House, calm_weeks
from tests.records import NOON, classified
from tocsin.contracts.decisions import Notification, NotificationKind
from tocsin.contracts.events import ClassifiedMention, Risk
from tocsin.contracts.incidents import Incident, IncidentEventType, Level
from tocsin.contracts.settings.protocol import LevelPolicy, PersonSettings
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.notifications import AttemptOutcome
from tocsin.storage.tables.figures import MentionStoryTable
from tocsin.storage.tables.incidents import NotificationTable

MENTIONS = 10_000
STORIES = (
    "Found shards of glass in a jar of Acme",
    "Acme kept quiet about the glass for two weeks",
    "The head of Acme laughs when asked about the jars",
    "Acme deletes comments about its jars",
    "A plant of Acme was searched this morning",
)
MOST, WITHIN = 6, HOUR
TWILIO = f"twilio: {{account: AC{'0' * 32}, token: a-token, url: 'https://twilio.example'}}"
TEAM = f"""
brands: [{{id: acme, names: [Acme]}}]
channels:
  - {{id: sms, kind: sms, {TWILIO}, sender: "+33700000000", most: {MOST}, within: 1 h}}
  - {{id: call, kind: call, {TWILIO}, sender: "+33700000000", most: {MOST}, within: 1 h}}
  - {{id: wall, kind: terminal}}
people:
  - id: lea
    name: Léa
    language: fr
    phone: "+33600000001"
    channels: [wall]
    chain: [{{channel: sms, wait: 0 s}}, {{channel: call, wait: 2 min}}]
    chain_repeat: 1
  - {{id: sam, name: Sam, phone: "+33600000002", channels: [sms, wall]}}
  - {{id: ines, name: Inès, phone: "+33600000003", channels: [call]}}
policies:
  - id: default
    orange:
      steps: [{{wait: 0 s, notify: ["person:lea"]}}, {{wait: 10 min, notify: ["person:sam", "person:lea"]}}]
      repeat: 2
      repeat_after: 10 min
      acknowledgement_timeout: 2 h
    red:
      steps: [{{wait: 0 s, notify: ["person:lea", "person:sam"]}}, {{wait: 5 min, notify: ["person:ines"]}}]
      repeat: 2
      repeat_after: 5 min
      acknowledgement_timeout: 2 h
    fallback: person:ines
roles:
  - {{id: lead, name: {{fr: Pilote, en: Lead}}, holder: "person:lea", deputy: "person:sam"}}
  - {{id: spokesperson, name: {{fr: Porte-parole, en: Spokesperson}}, holder: "person:sam", deputy: "person:lea"}}
playbooks:
  - id: any
    name: {{fr: Toute crise, en: Any crisis}}
    orange:
      steps:
        - {{id: freeze, title: {{fr: Suspendre, en: Freeze}}, role: lead, due: 5 min, required: true}}
        - {{id: capture, title: {{fr: Capturer, en: Capture}}, role: lead, due: 10 min}}
    approvals: {{orange: [lead], red: [lead, spokesperson]}}
    updates_by: lead
    stakeholders: ["person:ines"]
"""


class Recorder:
    """A channel that takes everything, and writes down what and when."""

    deduplicates = False
    address_hash = "x"
    timeout = timedelta(seconds=1)

    def __init__(self, kind: str, crisis: Crisis) -> None:
        self.kind = kind
        self._crisis = crisis

    def send(self, delivery: Delivery) -> Outcome:
        self._crisis.told.append((self._crisis.house.clock.now(), delivery.notification))
        return Outcome(AttemptOutcome.ACCEPTED, "taken")


class Crisis:
    """Two processes' worth of everything that the alert process does, driven by the test's clock."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.told: list[tuple[datetime, Notification]] = []
        configuration = house.configuration
        self.directory = Directory.of(configuration)
        made: dict[str, Channel] = {item.id: Recorder(item.kind, self) for item in configuration.channels}
        limits = PhoneLimits.of(configuration)
        self._evaluators = [house.evaluator(owner) for owner in ("one", "two")]
        self._handlers = [house.handler, house.another_handler()]
        self._timers = [Timers(house.database, house.clock, self.directory) for _ in range(2)]
        self._senders = [Sender(house.database, house.clock, made, limits=limits) for _ in range(2)]
        self._rooms = [
            RoomKeeper(house.database, house.clock, configuration, Thresholds(0.6, 0.3), people_clock=house.clock)
            for _ in range(2)
        ]

    def comes(self, mentions: list[ClassifiedMention]) -> None:
        """Every other batch goes to the other process."""
        for number, start in enumerate(range(0, len(mentions), 500)):
            self.house.write(*mentions[start : start + 500], handler=self._handlers[number % 2])

    def lasts(self, length: timedelta, step: timedelta = timedelta(seconds=30)) -> None:
        """Time passes; both processes do what is due, in turns."""
        end = self.house.clock.now() + length
        while self.house.clock.now() < end:
            for evaluator, timers, rooms, sender in zip(
                self._evaluators, self._timers, self._rooms, self._senders, strict=True
            ):
                evaluator.evaluate_due()
                timers.ring_due()
                rooms.keep()
                sender.send_due()
            self.house.clock.move(step.total_seconds())

    def incident(self) -> Incident:
        (found,) = self.house.incidents()
        return found

    def acknowledge(self, person: str) -> None:
        with self.house.database.unit_of_work() as session:
            incidents.execute(
                session,
                self.incident().id,
                lambda known: decide(known, Acknowledge(person), self.house.clock.now(), self.directory),
            )

    def pages(self) -> Counter[str]:
        """How many went out, by person and channel."""
        return Counter(
            f"{item.target.removeprefix('person:')}/{item.channel}"
            for _, item in self.told
            if item.kind is NotificationKind.PAGE
        )


def storm(begin: datetime) -> list[ClassifiedMention]:
    """10,000 angry authors within a minute, who tell five stories in turns."""
    numbers = np.random.default_rng(5)
    centres = numbers.normal(size=(len(STORIES), 384))
    chance, said = Random(5), []
    for number in range(MENTIONS):
        story = number % len(STORIES)
        vector = centres[story] + 0.3 * numbers.normal(size=384)
        scaled = np.clip(np.rint(vector / np.abs(vector).max() * 127), -127, 127).astype(np.int8)
        words = f"{STORIES[story]}, says author {number}: {''.join(chance.choices('abcdefgh ', k=60))}"
        said.append(
            classified(
                f"storm-{number}",
                at=begin + MINUTE * (number / MENTIONS),
                author=f"angry-{number}",
                negative=0.97,
                text=words,
                risk=Risk(score=0.5),
                embedding=base64.b64encode(scaled.tobytes()).decode(),
            )
        )
    return said


@pytest.fixture(scope="module")
def mentions() -> list[ClassifiedMention]:
    return storm(NOON)


def starts_of(house: House) -> Mapping[Level, int]:
    """How often the escalation began, by the level that it began at."""
    found = [event for event in house.events(house.incidents()[0]) if event.type is IncidentEventType.ESCALATED]
    return Counter({event.data["start"]: event.level for event in found}.values())


def most_pages(person: PersonSettings, policy: LevelPolicy, fallback: str | None) -> int:
    """docs/protocol.md, "How many messages": of one start of the escalation."""
    links = len(person.channels) + len(person.chain) * (person.chain_repeat + 1)
    named = sum(f"person:{person.id}" in step.notify for step in policy.steps)
    return links * (named * (policy.repeat + 1) + (fallback == f"person:{person.id}"))


def check_bounds(crisis: Crisis) -> None:
    """Nobody was told more than docs/protocol.md says, nor any telephone."""
    configuration, (policy,) = crisis.house.configuration, crisis.house.configuration.policies
    starts = starts_of(crisis.house)
    assert sum(starts.values()) == crisis.incident().start
    levels = {Level.ORANGE: policy.orange, Level.RED: policy.red or policy.orange}
    for person in configuration.people:
        own = [(at, item) for at, item in crisis.told if item.target == f"person:{person.id}"]
        pages = [item for _, item in own if item.kind is NotificationKind.PAGE]
        bound = sum(count * most_pages(person, levels[level], policy.fallback) for level, count in starts.items())
        assert len(pages) <= bound, person.id
        state = [item for _, item in own if not item.kind.rings]
        assert len(state) <= 3 * len(person.every_channel) * sum(starts.values())
        rung = [at for at, item in own if item.channel in ("sms", "call") and not item.first_alert]
        for at in rung:
            assert sum(at <= other < at + WITHIN for other in rung) <= MOST, person.id
        asked = Counter(item.step for _, item in own if item.kind is NotificationKind.TASK)
        assert all(count <= MOST_RINGS * len(person.every_channel) for count in asked.values())
    assert len({item.id for _, item in crisis.told}) == len(crisis.told), "nothing went out twice"


def crisis_of(database: Database, folder: Path, mentions: list[ClassifiedMention], detection: str = "{}") -> Crisis:
    """Quiet weeks, then the storm; nothing was judged since."""
    house = House(database, folder, detection, TEAM)
    house.write(*calm_weeks(NOON))
    house.clock.move(60)
    crisis = Crisis(house)
    crisis.comes(mentions)
    return crisis


@pytest.mark.timeout(300)
def test_a_storm_that_nobody_answers_is_one_incident_one_escalation_and_a_bounded_number_of_messages(
    database: Database, tmp_path: Path, mentions: list[ClassifiedMention]
) -> None:
    crisis = crisis_of(database, tmp_path, mentions)
    house = crisis.house
    crisis.lasts(HOUR, step=MINUTE / 2)
    crisis.lasts(7 * HOUR, step=2 * MINUTE)
    incident = crisis.incident()
    assert incident.level is Level.GREEN
    assert incident.highest_level is Level.RED
    with database.read() as session:
        ours = MentionStoryTable.mention_id.in_([item.mention_id for item in mentions])
        assert session.scalar(select(func.count(MentionStoryTable.story.distinct())).where(ours)) == len(STORIES)
        outcomes = Counter(session.scalars(select(NotificationTable.outcome)))
    assert set(outcomes) <= {"accepted", "superseded"}, "nothing waits any more"
    assert outcomes["accepted"] == len(crisis.told)
    # It began at orange, and once more when it became red: as a rise does, and as nothing else did.
    assert starts_of(house) == {Level.ORANGE: 1, Level.RED: 1}
    assert [item.start for _, item in crisis.told if item.first_alert] == [1, 1], "Léa's wall and her telephone"
    check_bounds(crisis)


@pytest.mark.timeout(300)
def test_a_storm_that_meets_a_watch_rule_rings_as_one(
    database: Database, tmp_path: Path, mentions: list[ClassifiedMention]
) -> None:
    crisis = crisis_of(database, tmp_path, mentions, "{watch: [{id: glass, risk: 0.4}]}")
    assert len(crisis.house.incidents()) == 1, "on the instant"
    crisis.lasts(HOUR, step=MINUTE)
    assert crisis.incident().evidence["watch"]["rings"] == MENTIONS
    assert starts_of(crisis.house) == {Level.ORANGE: 1, Level.RED: 1}
    check_bounds(crisis)


@pytest.mark.timeout(300)
def test_after_an_acknowledgement_in_a_storm_nobody_is_paged_and_each_is_told_once(
    database: Database, tmp_path: Path, mentions: list[ClassifiedMention]
) -> None:
    crisis = crisis_of(database, tmp_path, mentions)
    crisis.lasts(25 * MINUTE, step=MINUTE / 2)
    assert crisis.incident().level is Level.RED
    crisis.acknowledge("person:sam")
    before = crisis.pages()
    assert before
    # Longer than a telephone that has had enough waits, shorter than the acknowledgement holds.
    crisis.lasts(110 * MINUTE, step=2 * MINUTE)
    assert crisis.pages() == before
    told = Counter((item.target, item.channel) for _, item in crisis.told if item.kind is NotificationKind.ACKNOWLEDGED)
    assert told == {("person:lea", "sms"): 1, ("person:lea", "wall"): 1}, (
        "Inès has a telephone alone: not rung for news"
    )
    check_bounds(crisis)
