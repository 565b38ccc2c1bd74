"""A handler, watch rules, evaluators and incidents on one database, with a clock that the test moves: alert without its threads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from services.alert.detection.state import BrandProfile, Judgement
from services.alert.evaluator import Evaluator
from services.alert.handler import AlertHandler
from services.alert.incidents import judged
from services.alert.protocol.commands import WATCH_RULE
from services.alert.watching import Watching
from tests.records import NOON, classified, record
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.port import Record
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts import topics
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, encode_classified
from tocsin.contracts.events import ClassifiedMention
from tocsin.contracts.incidents import Incident, IncidentEvent, Level
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.live_settings import LiveSettings
from tocsin.observability.health import Health
from tocsin.storage import brands, incidents
from tocsin.storage.brands import BrandStatus
from tocsin.storage.database import Database

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RATES = HarmfulRates(risk_threshold=0.6, relevance_threshold=0.3, toxicity_threshold=1.0)
TEAM = """
brands: [{id: acme, names: [Acme]}, {id: zenith, names: [Zenith]}]
channels: [{id: phone, kind: terminal, wakes: true}]
people: [{id: lea, name: Léa, language: fr, channels: [phone]}]
policies:
  - id: default
    orange: {steps: [{wait: 0 s, notify: ["person:lea"]}]}
"""


class House:
    """One installation. `judgements` is what was judged, in order; `detection` is that section, as YAML, `team` the others."""

    def __init__(self, database: Database, folder: Path, detection: str = "{}", team: str = TEAM) -> None:
        self.database = database
        self.clock = ManualClock(NOON + timedelta(seconds=1))
        self.configuration: Configuration = parse(f"{team}\ndetection: {detection}\n", variables={})
        self.judgements: list[Judgement] = []
        self.profile = BrandProfile(id="")
        self.live = LiveSettings(self.configuration, database, self.clock)
        self.watching = self.another_watching()
        self.bus = EmbeddedBus(folder / "bus.sqlite", self.clock)
        self.handler = self.another_handler()

    def another_watching(self) -> Watching:
        """As another process has one."""
        return Watching(
            self.database, self.clock, self.detection, RATES,
            complete_up_to=lambda _session: self.clock.now(),
            apply=lambda session, judgement, complete: judged(
                session, self.clock, self.configuration, judgement, complete, actor=WATCH_RULE
            ),
            health=Health(), refresh=self.live.refresh,
        )  # fmt: skip

    def detection(self, brand: str) -> DetectionSettings:
        """As this process knows it, from its last look at what was set at run time."""
        return self.live.overlay().detection(brand)

    def another_handler(self, *, rings: bool = True) -> AlertHandler:
        """As another process has one; without `rings`, one that dies before it can ring."""
        ring = self.watching.ring if rings else lambda: None
        return AlertHandler(self.database, self.clock, self.detection, self.bus, rates=RATES, ring=ring)

    def evaluator(self, owner: str = "one") -> Evaluator:
        """An evaluator for whom the stream is always complete, and that applies what it judges."""

        def apply(session: object, judgement: Judgement, complete: datetime | None) -> None:
            self.judgements.append(judgement)
            judged(session, self.clock, self.configuration, judgement, complete)  # type: ignore[arg-type]

        return Evaluator(
            self.database, self.clock, owner, settings=self.detection, rates=RATES, profiles={}, unknown=self.profile,
            complete_up_to=lambda _session: self.clock.now(), count=Counting(self.detection, RATES, self.clock),
            apply=apply, health=Health(),
        )  # fmt: skip

    def write(self, *mentions: ClassifiedMention, imported: bool = False, handler: AlertHandler | None = None) -> None:
        """Mentions as they come from the bus, in batches."""
        records = [self._record(item, imported=imported) for item in mentions]
        for start in range(0, len(records), 500):
            (handler or self.handler).handle(records[start : start + 500])

    def _record(self, mention: ClassifiedMention, *, imported: bool) -> Record:
        made = record(topics.CLASSIFIED, encode_classified(mention, source="test", at=NOON))
        if not imported:
            return made
        headers = (*made.headers, (TEACHES_ONLY_HEADER, b"1"))
        return Record(made.topic, made.partition, made.offset, made.key, made.value, headers, made.at)

    def until(
        self, end: datetime, *, evaluator: Evaluator | None = None, said: Iterable[ClassifiedMention] = ()
    ) -> None:
        """Let time pass to `end`, instant by instant; `said` comes when it is received."""
        waiting = sorted(said, key=lambda item: item.received_at or item.published_at)
        judge = evaluator or self.evaluator()
        while self.clock.now() < end:
            now = self.clock.now()
            due = [item for item in waiting if (item.received_at or item.published_at) <= now]
            self.write(*due)
            waiting = waiting[len(due) :]
            while judge.evaluate_due():
                pass
            self.clock.move(min(300.0, (end - now).total_seconds()))
        self.write(*waiting)
        while judge.evaluate_due():
            pass

    def status(self, brand: str = "acme") -> BrandStatus:
        """What the board says."""
        with self.database.read() as session:
            return brands.board(session, [brand])[0]

    def level(self, brand: str = "acme") -> Level:
        """The brand's level."""
        return self.status(brand).level

    def incidents(self) -> list[Incident]:
        """All of them, the newest first."""
        with self.database.read() as session:
            return incidents.list_incidents(session)

    def events(self, incident: Incident) -> list[IncidentEvent]:
        """What happened to one."""
        with self.database.read() as session:
            return incidents.events(session, incident.id)


def calm_weeks(until: datetime, days: int = 10, *, source: str = "bluesky", rate: int = 2) -> list[ClassifiedMention]:
    """So many authors an hour, one of ten negative."""
    return [
        classified(
            f"calm-{source}-{hour}-{which}",
            source=source,
            at=until - timedelta(hours=hour) + (which + 1) * HOUR / (rate + 1),
            author=f"calm-{hour}-{which}",
            negative=0.9 if (hour + which) % 10 == 0 else 0.1,
        )
        for hour in range(1, 24 * days)
        for which in range(rate)
    ]


def burst(
    begin: datetime, count: int, *, name: str = "angry", lasting: timedelta = MINUTE, **fields: object
) -> list[ClassifiedMention]:
    """So many authors within a stretch after `begin`."""
    return [
        classified(
            f"{name}-{number}",
            at=begin + lasting * ((number + 0.5) / count),
            **{"author": f"{name}-{number}", "negative": 0.95, **fields},  # type: ignore[arg-type]
        )
        for number in range(count)
    ]
