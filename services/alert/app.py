"""The composition root of the alert process."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.alert.boards.keeper import CardKeeper, boards
from services.alert.counting import Counting
from services.alert.detection.state import BrandProfile
from services.alert.digests import DigestWriter
from services.alert.drills import Drills
from services.alert.evaluator import Evaluator
from services.alert.handler import AlertHandler
from services.alert.heartbeat import Heartbeat, pinger
from services.alert.incidents import judged
from services.alert.last_resort import LastResort
from services.alert.notify.answering import Answering
from services.alert.notify.channels import channels
from services.alert.notify.limits import PhoneLimits
from services.alert.notify.port import Channel
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import WATCH_RULE
from services.alert.protocol.directory import Directory
from services.alert.pseudonyms import Pseudonyms
from services.alert.rates import harmful_rates
from services.alert.relay import Relay
from services.alert.rooms import RoomKeeper
from services.alert.timers import Timers
from services.alert.upkeep import Upkeep
from services.alert.watching import Watching
from tocsin.bus.worker import Worker, WorkerLimits
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.contracts.topics import CLASSIFIED, MENTIONS, REMOVALS
from tocsin.holiday_calendars import calendars_of
from tocsin.live_settings import Following, LiveSettings
from tocsin.network_card import NetworkCard, read_network_card
from tocsin.overlay import Overlay
from tocsin.process import Component, Surroundings
from tocsin.storage import brands, ticks, timers
from tocsin.storage.database import Database
from tocsin.storage.erasures import JOURNAL, ErasureJournal
from tocsin.storage.figures import Thresholds

GROUP = "alert"
LONGEST_BATCH_SECONDS = 120.0
"""A worker that has not come round for so long is taken for dead."""


def components(given: Surroundings, *, output: TextIO | None = None) -> list[Component]:
    """Handler, evaluator, timers, sender, relay and upkeep. Terminal channels print to `output`, by default standard output.

    Raises NetworkCardUnreadable where the neural network's error rates cannot be read.
    """
    configuration, database, clock, bus, health = (
        given.configuration,
        given.database,
        given.clock,
        given.bus,
        given.health,
    )
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    card = read_network_card(configuration.classifier.name)
    rates = harmful_rates(card)
    directory = Directory.of(configuration, calendars_of(configuration.schedules))
    partitions = bus.partitions(CLASSIFIED), bus.partitions(MENTIONS)
    with database.unit_of_work() as session:
        brands.ensure(session, (brand.id for brand in configuration.brands), due_at=clock.now())
    live = LiveSettings(configuration, database, clock)
    live.refresh()

    def detection(brand: str) -> DetectionSettings:
        return live.overlay().detection(brand)

    def complete_up_to(session: Session) -> datetime | None:
        return ticks.complete_up_to(session, classified_partitions=partitions[0], mentions_partitions=partitions[1])

    watching = Watching(
        database,
        clock,
        detection,
        rates,
        complete_up_to=complete_up_to,
        apply=lambda session, judgement, complete: judged(
            session, clock, configuration, judgement, complete, actor=WATCH_RULE
        ),
        health=health,
        refresh=live.refresh,
    )
    handler = AlertHandler(
        database,
        clock,
        detection,
        bus,
        Pseudonyms(configuration.privacy, Following(live, watched_authors)),
        rates=rates,
        ring=watching.ring,
    )
    worker = Worker(
        bus,
        GROUP,
        [CLASSIFIED, REMOVALS],
        handler.handle,
        clock,
        limits=WorkerLimits.of(configuration.bus),
        beat=lambda: health.beat(GROUP, LONGEST_BATCH_SECONDS),
    )
    evaluator = Evaluator(
        database,
        clock,
        owner,
        settings=detection,
        rates=rates,
        profiles=Following(live, lambda overlay: profiles(overlay, card)),
        unknown=BrandProfile(
            id="", baseline_key=_fingerprint(card.revision), counting_key=counting_key(configuration.detection, card)
        ),
        complete_up_to=complete_up_to,
        count=Counting(detection, rates, clock, kept=configuration.retention.mentions),
        apply=lambda session, judgement, complete: judged(session, clock, configuration, judgement, complete),
        health=health,
    )
    thresholds = Thresholds(risk=card.risk_threshold, relevance=card.relevance_threshold)
    made = channels(configuration, clock, output or sys.stdout)
    return [
        live,
        *cards(given),
        worker,
        evaluator,
        watching,
        Timers(database, clock, directory, health),
        RoomKeeper(
            database,
            clock,
            configuration,
            thresholds,
            health=health,
        ),
        Sender(
            database,
            clock,
            made,
            health,
            answering=Answering(configuration.api.public_url),
            limits=PhoneLimits.of(configuration),
        ),
        *digests(given, made, thresholds),
        LastResort(lambda: _ask(database), configuration.policies, directory, made, clock, health=health),
        *heartbeats(given, complete_up_to),
        Drills(database, clock, owner, configuration, health),
        Relay(database, bus, clock, owner, health),
        Upkeep(
            database,
            clock,
            owner,
            retention=configuration.retention,
            complete_up_to=complete_up_to,
            health=health,
            journal=ErasureJournal(given.environment.home / JOURNAL),
            zones={brand.id: ZoneInfo(brand.time_zone) for brand in configuration.brands},
            thresholds=thresholds,
        ),
    ]


def _ask(database: Database) -> None:
    with database.read() as session:
        timers.oldest(session)


def heartbeats(given: Surroundings, complete_up_to: Callable[[Session], datetime | None]) -> list[Component]:
    """The heartbeat to the outside, where the configuration names one."""
    settings = given.configuration.heartbeat
    if settings is None:
        return []
    ping = pinger(settings, given.clock)
    return [
        Heartbeat(given.database, given.clock, settings, complete_up_to=complete_up_to, ping=ping, health=given.health)
    ]


def cards(given: Surroundings) -> list[Component]:
    """The card keeper, where there are boards."""
    configuration = given.configuration
    if not configuration.boards:
        return []
    made = boards(configuration, given.clock)
    return [CardKeeper(given.database, given.clock, configuration, made, health=given.health)]


def digests(given: Surroundings, made: Mapping[str, Channel], thresholds: Thresholds) -> list[Component]:
    """The digest writer, where somebody wants a digest."""
    if not given.configuration.digests:
        return []
    return [
        DigestWriter(given.database, given.clock, given.configuration, made, thresholds=thresholds, health=given.health)
    ]


def watched_authors(overlay: Overlay) -> tuple[str, ...]:
    """Whom the watch rules name: their names are open."""
    return tuple(author for rule in overlay.configuration.detection.watch for author in rule.authors)


def profiles(overlay: Overlay, card: NetworkCard) -> dict[str, BrandProfile]:
    """What detection knows of each configured brand; a change of query, sources or network marks a break in its baseline."""
    configuration = overlay.configuration
    sources = ",".join(sorted(source.id for source in configuration.sources))
    return {
        brand.id: BrandProfile(
            id=brand.id,
            time_zone=brand.time_zone,
            baseline_key=_fingerprint(card.revision, sources, brand.query or "", *brand.names),
            counting_key=counting_key(overlay.detection(brand.id), card),
        )
        for brand in configuration.brands
    }


def counting_key(detection: DetectionSettings, card: NetworkCard) -> str:
    """By what mentions are counted: where it changes, history is counted again from the rows."""
    thresholds = (card.risk_threshold, card.relevance_threshold, card.toxicity_threshold)
    return _fingerprint(*map(str, thresholds), *detection.crisis_words)


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
