"""Fills a database with what the API and the page show: mentions, judgements, an incident. Used by several kinds of tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from services.alert.protocol.commands import ChangeLevel, Command, Judged, Open, StepDue
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tests.records import classified
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.events import ClassifiedMention
from tocsin.contracts.incidents import Incident, Level
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.storage import brands, counts, incidents, mentions, ticks
from tocsin.storage.database import Database
from tocsin.storage.merging import Received

NOW = datetime(2026, 3, 10, 21, 40, tzinfo=UTC)
"""A Tuesday, 22:40 in Paris."""

CONFIGURATION: Configuration = parse(
    """
api: {port: 0, requests_a_minute: 1000000}
brands:
  - {id: acme, names: [Acme], time_zone: Europe/Paris}
  - {id: globex, names: [Globex], time_zone: Asia/Kolkata}
channels:
  - {id: phone-lea, kind: terminal, wakes: true}
  - {id: phone-marc, kind: terminal, wakes: true}
people:
  - {id: lea, name: Léa Martin, language: fr, time_zone: Europe/Paris, channels: [phone-lea]}
  - {id: marc, name: Marc Dubois, channels: [phone-marc]}
policies:
  - id: default
    orange:
      steps:
        - {wait: 0 s, notify: ["person:lea"]}
        - {wait: 10 min, notify: ["person:marc"]}
      acknowledgement_timeout: 30 min
roles:
  - {id: lead, name: {fr: Pilote, en: Lead}, holder: "person:lea", deputy: "person:marc"}
  - {id: spokesperson, name: {fr: Porte-parole, en: Spokesperson}, holder: "person:marc", deputy: "person:lea"}
playbooks:
  - id: any
    name: {fr: Toute crise, en: Any crisis}
    orange:
      steps:
        - id: freeze
          title: {fr: Suspendre les publications programmées, en: Freeze scheduled posts}
          role: lead
          due: 5 min
          required: true
        - {id: capture, title: {fr: Capturer les preuves, en: Capture evidence}, role: lead, due: 10 min}
    approvals: {orange: [spokesperson], red: [spokesperson, lead]}
    updates_by: lead
    stakeholders: ["person:marc"]
statements:
  - id: looking
    title: {fr: Nous vérifions, en: We are looking into it}
    channel: press
    texts: {en: "{{ brand }} knows of it and is looking into it ({{ time }}).", fr: "{{ brand }} en a connaissance."}
    role: spokesperson
    valid_for: 60 d
answers:
  - id: glass
    kinds: [product_safety]
    words: [glass]
    language: en
    text: "Please do not eat it, {{ author }}. Write to us at {{ brand }}."
    service: after-sales
    owner: lea
    version: 3
""",
    variables={},
)

REASONS = {
    "en": "38 harmful mentions in 1 h, 3 expected at this hour; main story: “Shards in the jars” (31 authors).",
    "fr": "38 mentions nuisibles en 1 h, 3 attendues à cette heure ; sujet principal : « Du verre dans les pots » (31 auteurs).",
}


KeyMaker = Callable[..., dict[str, str]]
"""Makes an API key and returns the header that shows it: `key("read", brands=["acme"])`."""


class Newsroom:
    """Writes into one database, as the services would."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self._database = database
        self._clock = clock
        self._directory = Directory.of(CONFIGURATION)
        self._counting = Counting(DetectionSettings(), HarmfulRates(), clock)

    def say(self, name: str, *, minutes_ago: float = 5, wakes: bool = True, **fields: Any) -> ClassifiedMention:
        """A mention of `acme` that was published some minutes ago."""
        at = self._clock.now() - timedelta(minutes=minutes_ago)
        mention = classified(name, at=at, **fields)
        self.write(mention, wakes=wakes)
        return mention

    def write(self, *said: ClassifiedMention, wakes: bool = True) -> None:
        """Mentions, as the handler would write them."""
        received = [Received(item, item.received_at or item.published_at, wakes, copy_key=item.text) for item in said]
        with self._database.unit_of_work() as session:
            mentions.write(session, received)

    def count(self) -> None:
        """Count dirty hours again, as the evaluator would."""
        with self._database.unit_of_work() as session:
            for brand in counts.brands_with_dirty_hours(session):
                counts.recount(session, brand, self._counting.count, now=self._clock.now())

    def complete(self, at: datetime) -> None:
        """Ticks of `at` have come through every partition."""
        with self._database.unit_of_work() as session:
            ticks.advance(session, [(one, other, at) for one in range(2) for other in range(2)])

    def judge(
        self, level: Level, *, brand: str = "acme", score: float = 87.0, reasons: Mapping[str, str] = REASONS
    ) -> None:
        """The evaluation of now."""
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            brands.lock(session, brand, now=now)
            brands.save(
                session,
                brand,
                due_at=now + timedelta(minutes=5),
                state={},
                level=level,
                score=score,
                evaluated_at=now,
                complete_up_to=now,
                reasons=dict(reasons),
                evidence={},
            )

    def alarm(
        self, level: Level = Level.ORANGE, *, brand: str = "acme", reasons: Mapping[str, str] = REASONS
    ) -> Incident:
        """An incident opens now, and its first step rings."""
        opening = Open(uuid.uuid4(), brand, self._judged(level, reasons), snapshot(CONFIGURATION.policies[0]))
        decision = decide(None, opening, self._clock.now(), self._directory)
        with self._database.unit_of_work() as session:
            assert incidents.insert_opened(session, decision)
        self.judge(level, brand=brand, reasons=reasons)
        return decision.incident

    def change_level(self, incident_id: uuid.UUID, level: Level, *, reasons: Mapping[str, str] = REASONS) -> Incident:
        """Another judgement of an open incident."""
        return self.command(incident_id, ChangeLevel(self._judged(level, reasons)))

    def judged_again(self, incident_id: uuid.UUID, judged: Judged) -> Incident:
        """Another judgement, with evidence of its own."""
        return self.command(incident_id, ChangeLevel(judged))

    def ring(self, incident_id: uuid.UUID) -> Incident:
        """The timer of the next step goes off now."""
        return self.command(incident_id, StepDue())

    def command(self, incident_id: uuid.UUID, command: Command) -> Incident:
        """Any command, as its room would execute it."""
        with self._database.unit_of_work() as session:
            return incidents.execute(
                session, incident_id, lambda incident: decide(incident, command, self._clock.now(), self._directory)
            ).incident

    def _judged(self, level: Level, reasons: Mapping[str, str]) -> Judged:
        return Judged(level=level, score=87.0, reasons=dict(reasons), complete_up_to=self._clock.now())
