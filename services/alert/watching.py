"""The second door: a mention that a watch rule names rings at once, whatever the counts say.

The handler writes down that a rule rang, with the mention, in one transaction; here that becomes the brand's level and an incident, in
another. So a ring survives a crash in between, and neither a repeated record nor a restart makes it ring again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.alert.detection.observations import HarmfulRates, Observation
from services.alert.detection.state import BrandState, Judgement, News, NewsKind, Rung
from services.alert.detection.voices import shorten
from services.alert.detection.watch import (
    OLDEST,
    Ring,
    after_ring,
    decided_by_rules,
    next_rung,
    rings,
    rules_of,
    rung_evidence,
)
from services.alert.muting import mutes_of, stories_told
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.events import AuthorRole, RiskKind, SourceKind
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import brands
from tocsin.storage import rings as stored
from tocsin.storage.brands import BrandStatus
from tocsin.storage.database import Database
from tocsin.storage.rings import WatchedRow

_log = logger(__name__)

POLL_SECONDS = 1.0
_KINDS = frozenset(RiskKind)
Apply = Callable[[Session, Judgement, datetime | None], object]
"""(session, judgement, complete up to): open or raise the brand's incident, also where the level does not rise."""


class Watching:
    """Makes rings into levels and incidents, one transaction a brand. Any number may run."""

    name = "watching"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: DetectionSettings | Callable[[str], DetectionSettings],
        rates: HarmfulRates,
        *,
        complete_up_to: Callable[[Session], datetime | None],
        apply: Apply,
        health: Health,
        refresh: Callable[[], object] = lambda: None,
    ) -> None:
        """`settings` for good and for every brand, or what tells how a brand's are now; `refresh` brings them up to date.

        The brand is locked while `apply` is called.
        """
        self._database = database
        self._clock = clock
        self._settings_of = settings if callable(settings) else lambda _brand: settings
        self._rates = rates
        self._complete_up_to = complete_up_to
        self._apply = apply
        self._health = health
        self._refresh = refresh

    def run(self, stop: threading.Event) -> None:
        """Take care of what the handler of a process that died has left; a database that is away is waited for."""
        while not stop.is_set():
            self._health.beat(self.name)
            try:
                self.ring()
            except Retryable as error:
                _log.warning("waiting to ring", error=str(error))
            self._clock.wait(stop, POLL_SECONDS)

    def ring(self) -> int:
        """Handle every ring that waits; returns for how many brands somebody is called."""
        with self._database.read() as session:
            waiting = stored.waiting_brands(session)
        return sum(self._ring(brand) for brand in waiting)

    def _ring(self, brand: str) -> bool:
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            status = brands.lock(session, brand, now=now)
            waiting = stored.waiting(session, brand)
            known = stored.watched(session, brand, {mention for _, mention in waiting})
            # Judged again by the rules of now: a rule that was taken out since, or a mention, rings nothing.
            found = self._found(brand, self._heard(session, brand, known, now), waiting, now)
            stored.handled(session, brand, waiting, at=now)
            if not found:
                return False
            rung = next_rung(_remembered(status).rung, found, now, self._settings_of(brand))
            judgement = _judged(brand, status, rung, found, known, now)
            brands.raise_level(
                session,
                brand,
                state=judgement.state.model_dump(mode="json"),
                level=judgement.level,
                reasons={"fr": rung.french, "en": rung.english},
                evidence=dict(judgement.evidence),
            )
            self._apply(session, judgement, self._complete_up_to(session))
        for ring in found:
            metrics.WATCH_RINGS.labels(rule=ring.rule.id).inc()
        _log.info("watch rule rang", brand=brand, rules=list(rung.rules), level=str(judgement.level))
        return True

    def _heard(
        self, session: Session, brand: str, known: Mapping[UUID, WatchedRow], now: datetime
    ) -> Mapping[UUID, WatchedRow]:
        """Those that no mute covers."""
        mutes = mutes_of(session, brand, now - OLDEST)
        if not mutes:
            return known
        told = stories_told(session, brand, known, self._settings_of(brand).stories) if mutes.stories else {}
        return {
            mention: row
            for mention, row in known.items()
            if not mutes.mutes(
                at=row.at, author=row.author_key, source=row.source, text=row.text, story=told.get(mention)
            )
        }

    def _found(
        self, brand: str, known: Mapping[UUID, WatchedRow], waiting: Sequence[tuple[str, UUID]], now: datetime
    ) -> list[Ring]:
        rules = {rule.id: rule for rule in rules_of(self._settings_of(brand), brand)}
        if any(name not in rules for name, _ in waiting):
            # The handler that noticed it may know of a rule that was set a moment ago, and we not yet.
            self._refresh()
            rules = {rule.id: rule for rule in rules_of(self._settings_of(brand), brand)}
        found: list[Ring] = []
        for name, mention in waiting:
            rule, row = rules.get(name), known.get(mention)
            if rule is not None and row is not None:
                found += rings(_observed(row), row.outlet, now, [rule], self._rates)
        return found


def _judged(  # noqa: PLR0917 - everything that a judgement is made of
    brand: str, status: BrandStatus, rung: Rung, found: Sequence[Ring], known: Mapping[UUID, WatchedRow], now: datetime
) -> Judgement:
    """What the rings of one brand make of its level, as a judgement between two evaluations."""
    state, event = after_ring(_remembered(status), rung, now)
    reasons = tuple(ring.reason for ring in found)
    rows = {row.mention_id: row for row in known.values()}
    told = [rows[ring.mention_id] for ring in found if ring.mention_id in rows]
    evidence = {
        "decided": decided_by_rules(rung),
        "watch": rung_evidence(rung),
        "stories": [
            {
                "title": shorten(row.text),
                "authors": 1,
                "mentions": 1,
                "examples": [row.mention_id],
                "kinds": list(row.risk_kinds),
                "first_at": row.at.isoformat(),
            }
            for row in {row.mention_id: row for row in told}.values()
        ][:3],
        "loudest": [
            {"author": row.author_name or row.author_id, "followers": row.followers, "mention": row.mention_id}
            for row in sorted(told, key=lambda row: -(row.followers or 0))[:3]
        ],
        "sources": {
            source: sum(row.source == source for row in told) for source in sorted({row.source for row in told})
        },
    }
    return Judgement(
        at=now,
        brand=brand,
        level=state.level,
        event=event,
        score=status.score,
        state=state,
        news=tuple(
            News(NewsKind.WATCH_RULE, f"{ring.rule.id}/{ring.mention_id}", ring.reason, ring.mention_id)
            for ring in found
        ),
        reasons=reasons,
        evidence=evidence,
    )


def _remembered(status: BrandStatus) -> BrandState:
    return BrandState() if status.state is None else BrandState.model_validate(status.state)


def _observed(row: WatchedRow) -> Observation:
    return Observation(
        mention_id=row.mention_id,
        at=row.at,
        author=None if row.author_id is None else f"{row.source}:{row.author_id}",
        negative=False,
        risk=row.risk,
        kinds=tuple(RiskKind(kind) for kind in row.risk_kinds if kind in _KINDS),
        relevance=row.relevance,
        followers=row.followers,
        author_name=row.author_name or row.author_id,
        role=AuthorRole(row.author_role),
        source=row.source,
        source_kind=SourceKind(row.source_kind),
        text=row.text,
        counted=row.author_role != AuthorRole.OWN,
    )
