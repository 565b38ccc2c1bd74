"""The handler: writes what comes on `classified` and `removals` into rows, one transaction a batch.

Every handling can be repeated (`tocsin.storage.merging`), so a batch that was committed here and not on the bus does no harm
when it comes again, nor do two processes that have the same records for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.alert.detection.copies import copy_key
from services.alert.detection.lateness import wakes
from services.alert.detection.observations import SHORT_TEXT, HarmfulRates, observe
from services.alert.detection.watch import rings as find_rings
from services.alert.detection.watch import rules_of
from services.alert.detection.words import crisis_word_finder
from services.alert.pseudonyms import Pseudonyms
from tocsin.bus.erasure import BusErasure
from tocsin.bus.failures import InvalidRecord, InvalidRecords
from tocsin.bus.port import Bus, Outgoing, Record
from tocsin.clock import Clock
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, UnreadableRecord, decode
from tocsin.contracts.events import ClassifiedMention, Removal, RemovalReason, Tick
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.observability import metrics
from tocsin.storage import brands, erasures, mentions, rings, ticks
from tocsin.storage.database import Database
from tocsin.storage.merging import Effect, Received, Removed, decode_embedding

PLACE = "alert"
_KEPT_INTEGERS = range(-(2**63), 2**63)
"""What a database keeps as a number."""
_NUL = "\x00"


@dataclass(slots=True)
class _Batch:
    """What the records of one batch say."""

    received: list[Received] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    ticks: list[tuple[int, int, datetime]] = field(default_factory=list)
    rings: list[tuple[str, str, UUID]] = field(default_factory=list)
    """Brand, watch rule and mention."""


class AlertHandler:
    """Handles batches of `classified` and `removals`, and publishes nothing; `handle` is what a worker loop is given."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: DetectionSettings | Callable[[str], DetectionSettings],
        bus: Bus,
        pseudonyms: Pseudonyms | None = None,
        *,
        rates: HarmfulRates | None = None,
        ring: Callable[[], object] = lambda: None,
    ) -> None:
        """`settings` for good and for every brand, or what tells for each mention how a brand's are now.

        Without `pseudonyms`, every author's name and id is kept in the open.

        `ring` is called after a batch in which a watch rule rang was committed; what it misses waits in the database.
        """
        self._database = database
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._settings_of = settings if callable(settings) else lambda _brand: settings
        self._rates = rates
        self._ring = ring
        self._bus_erasure = BusErasure(bus)

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Write a batch, and how far its ticks say that the stream is complete.

        Raises InvalidRecords, before anything is written; DatabaseUnavailable and BusUnavailable, which are retryable.
        """
        batch = self._read(records)
        with self._database.unit_of_work() as session:
            self._forget_copies(session, batch.removed)
            received = self._pseudonymous(session, batch.received)
            written = mentions.write(session, received, batch.removed)
            if written.effects[Effect.SUPPRESSED]:
                self._forget_suppressed_on_bus(session, batch.received)
            # A brand that nobody configured is judged as well, as soon as somebody sends mentions of it.
            brands.ensure(session, {brand for brand, _ in written.touched}, due_at=self._clock.now())
            ticks.advance(session, batch.ticks)
            rung = rings.notice(session, batch.rings, at=self._clock.now())
        for effect, number in written.effects.items():
            metrics.RECORDS_WRITTEN.labels(effect=str(effect)).inc(number)
        written_at = self._clock.now()
        for item in batch.received:
            if item.wakes:
                metrics.MENTION_SECONDS.observe(max(0.0, (written_at - item.received_at).total_seconds()))
        if rung:
            self._ring()
        return []

    def _read(self, records: Sequence[Record]) -> _Batch:
        batch = _Batch()
        failures: list[InvalidRecord] = []
        for record in records:
            try:
                self._read_one(record, batch)
            except UnreadableRecord as error:
                failures.append(InvalidRecord(record, str(error), f"{PLACE}.decode"))
        if failures:
            raise InvalidRecords(failures)
        return batch

    def _read_one(self, record: Record, batch: _Batch) -> None:
        """Put one record where it belongs; raises UnreadableRecord for what cannot be kept."""
        match decode(record.value, record.headers).event:
            case ClassifiedMention() as mention:
                check_storable(mention)
                batch.received.append(self._received(mention, record))
                batch.rings += self._rings(mention, record)
            case Removal() as removal:
                if removal.revision not in _KEPT_INTEGERS:
                    raise UnreadableRecord("revision: is no time in ms; it has more than 64 bits")
                batch.removed.append(Removed(removal.id, removal.revision, removal.why, record.at))
            case Tick() as tick:
                batch.ticks.append((record.partition, tick.partition, tick.at))
            case other:
                raise UnreadableRecord(f"a {type(other).__name__} does not belong on {record.topic}")

    def _received(self, mention: ClassifiedMention, record: Record) -> Received:
        received_at = mention.received_at or record.at
        settings = self._settings_of(mention.brand)
        in_time = wakes(mention.published_at, received_at, mention.source, settings.lateness)
        opening = mention.text[:SHORT_TEXT]
        words = ""
        if crisis_word_finder(settings.crisis_words)(opening):
            words = " ".join(word for word in settings.crisis_words if crisis_word_finder((word,))(opening))
        return Received(
            mention=mention,
            received_at=received_at,
            wakes=in_time and record.header(TEACHES_ONLY_HEADER) is None,
            copy_key=copy_key(mention.text),
            crisis_words=words,
        )

    def _pseudonymous(self, session: Session, received: Sequence[Received]) -> Sequence[Received]:
        """The same with authors told apart by the installation's own digest, and names kept apart where they are not open."""
        pseudonyms = self._pseudonyms
        if pseudonyms is None:
            return received
        now = self._clock.now()
        return [
            replace(
                item,
                author_key=pseudonyms.key_of(session, item.mention, now),
                names_author=pseudonyms.names(item.mention),
                keeps_author_id=pseudonyms.keeps_id(item.mention),
            )
            for item in received
        ]

    def _rings(self, mention: ClassifiedMention, record: Record) -> list[tuple[str, str, UUID]]:
        """The watch rules that it meets. Late is no hindrance up to a day; an import or a replay rings nothing."""
        rules = rules_of(self._settings_of(mention.brand), mention.brand)
        if not rules or record.header(TEACHES_ONLY_HEADER) is not None:
            return []
        found = find_rings(observe(mention), mention.outlet, self._clock.now(), rules, self._rates)
        return [(mention.brand, ring.rule.id, mention.mention_id) for ring in found]

    def _forget_copies(self, session: Session, removed: Sequence[Removed]) -> None:
        """What was made of erased mentions goes from the database and from the bus."""
        # Before the commit: if the bus is away now, the batch comes again, and the rows still know the brands.
        erased = [item.id for item in removed if item.why is RemovalReason.ERASED]
        erasures.scrub_copies(session, erased, now=self._clock.now())
        known = mentions.brands_of(session, erased)
        for item in erased:
            self._bus_erasure.erase(item, known.get(item, ()))

    def _forget_suppressed_on_bus(self, session: Session, received: Sequence[Received]) -> None:
        """Records of an erased mention that were still under way when it was erased."""
        suppressed = mentions.suppressed(session, {item.mention.mention_id for item in received})
        for item in received:
            if item.mention.mention_id in suppressed:
                self._bus_erasure.erase(item.mention.mention_id, (item.mention.brand, *item.mention.brands))


def check_storable(mention: ClassifiedMention) -> None:
    """Raise UnreadableRecord, naming the field, for a mention that is valid JSON and still cannot be a row."""
    if mention.mention_id != mention.id:
        raise UnreadableRecord("mention_id: is not the id of this source and native_id; a removal would never find it")
    engagement = mention.engagement
    numbers = {
        "revision": mention.version,
        "author.followers": mention.author.followers,
        "engagement.likes": engagement.likes if engagement else None,
        "engagement.reposts": engagement.reposts if engagement else None,
        "engagement.replies": engagement.replies if engagement else None,
        "engagement.views": engagement.views if engagement else None,
    }
    for name, number in numbers.items():
        if number is not None and number not in _KEPT_INTEGERS:
            raise UnreadableRecord(f"{name}: has more than 64 bits")
    others = mention.model_dump_json(exclude={"text", "embedding"}).replace(r"\\", "")
    if _NUL in mention.text or r"\u0000" in others:
        raise UnreadableRecord(
            "a text holds the character U+0000, which PostgreSQL cannot keep; take it out at the source"
        )
    try:
        decode_embedding(mention.embedding)
    except ValueError as error:
        raise UnreadableRecord(str(error)) from error
