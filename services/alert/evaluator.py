"""The evaluator: takes brands that are due, counts, judges with pure code, and applies what follows, in one transaction each.

No brand lives in a process's memory, so any number of evaluators may run: a brand is claimed like a timer, and locked while it is
judged. Evaluation instants are multiples of five minutes of event time. One is due when ticks say that the stream is complete up to
it, or `PATIENCE` after it, when it is judged on what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from services.alert.detection.blocks import HourBlock
from services.alert.detection.judge import INSTANT, Judge, observed_since
from services.alert.detection.observations import HarmfulRates, HourCount
from services.alert.detection.state import BrandProfile, BrandState, Judgement
from services.alert.detection.voices import Quotes
from services.alert.muting import NO_MUTES, Mutes
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import brands
from tocsin.storage.brands import BrandStatus
from tocsin.storage.database import Database

_log = logger(__name__)

PATIENCE = timedelta(minutes=5)
"""So long is waited for ticks; then an instant is judged on what is there, and no level falls."""
CATCH_UP = timedelta(hours=2)
"""After a longer absence the instants before this are not judged any more: nobody is woken for what is long over."""
CLAIM = timedelta(minutes=2)
"""How long a claim keeps others from the same brand; the lock of its row is what makes judging right."""
LOOK_AGAIN = timedelta(seconds=5)
"""How soon a brand is looked at again whose instant is not complete yet."""
POLL_SECONDS = 1.0
MOST_JUDGES = 512
"""Brands of which a process keeps the learned baseline, about 100 kB each."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the database knows of a brand at an instant."""

    blocks: Mapping[datetime, HourBlock]
    """The mentions since `observed_since(instant)`, by the start of their hour."""
    history: list[HourCount]
    quotes: Quotes
    """Works until the transaction ends."""
    mutes: Mutes = NO_MUTES
    """What they cover is in no block and in no hour of the history."""
    version: int = 0
    """Changes whenever an hour of the history that is over was counted again."""


class Count(Protocol):
    """What the database knows of a brand."""

    def __call__(self, session: Session, brand: str, since: datetime, instant: datetime) -> Counted:
        """Count dirty hours again, then the mentions since `since` and the hours of the baseline."""
        ...

    def forget_counts(self, session: Session, brand: str, instant: datetime) -> None:
        """Have everything counted again at the next call: what a count means has changed."""
        ...


Apply = Callable[[Session, Judgement, datetime | None], object]
"""(session, judgement, complete up to): open, raise or lower the brand's incident; what it returns is not looked at."""
Completeness = Callable[[Session], datetime | None]
"""Up to when the stream is complete; None where no tick came through yet."""


class Evaluator:
    """Judges the brands that are due, one transaction a brand and instant."""

    name = "evaluator"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: str,
        *,
        settings: DetectionSettings | Callable[[str], DetectionSettings],
        rates: HarmfulRates,
        profiles: Mapping[str, BrandProfile] | Callable[[], Mapping[str, BrandProfile]],
        unknown: BrandProfile,
        complete_up_to: Completeness,
        count: Count,
        apply: Apply,
        health: Health,
    ) -> None:
        """`settings` and `profiles` for good, or what tells before each evaluation how they are now.

        `owner` is unique to the process; `unknown` is the profile of brands which the configuration does not know."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._settings_of = settings if callable(settings) else lambda _brand: settings
        self._rates = rates
        self._profiles = profiles if callable(profiles) else lambda: profiles
        self._unknown = unknown
        self._complete_up_to = complete_up_to
        self._count = count
        self._apply = apply
        self._health = health
        self._judges: dict[str, Judge] = {}
        """By brand, the latest used last. Nothing is remembered in them but what the database says at that moment."""

    def run(self, stop: threading.Event) -> None:
        """Judge what is due until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            self._health.beat(self.name)
            try:
                judged = self.evaluate_due()
            except Retryable as error:
                _log.warning("waiting to evaluate", error=str(error))
                judged = 0
            if not judged:
                self._clock.wait(stop, POLL_SECONDS)

    def evaluate_due(self) -> int:
        """Claim the brands that are due and judge each at its next instant; returns how many were judged."""
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            claimed = brands.claim_due(session, self._owner, now=now, length=CLAIM)
        judged = 0
        for brand in claimed:
            judgement = self.evaluate(brand)
            if judgement is not None:
                judged += 1
                self._tell(judgement)
        return judged

    def evaluate(self, brand: str) -> Judgement | None:
        """Judge `brand` at its next instant, if that is due; else look again later and return None."""
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            status = brands.lock(session, brand, now=now)
            instant = next_instant(status, now)
            complete = self._complete_up_to(session)
            waits = now < instant or ((complete is None or complete < instant) and now < instant + PATIENCE)
            if waits:
                brands.postpone(
                    session, brand, self._owner, due_at=max(instant, min(now + LOOK_AGAIN, instant + PATIENCE))
                )
                return None
            state, profile = (
                _remembered(status),
                self._profiles().get(brand) or self._unknown.model_copy(update={"id": brand}),
            )
            if state.counting_key != profile.counting_key:
                self._count.forget_counts(session, brand, instant)
            counted = self._count(session, brand, observed_since(instant), instant)
            judgement = self._judge_of(profile).judge(
                instant,
                counted.blocks,
                counted.history,
                state,
                complete_up_to=complete or datetime.fromtimestamp(0, UTC),
                version=counted.version,
                quotes=counted.quotes,
                muted_sources=counted.mutes.sources(instant),
            )
            judgement = _telling_mutes(judgement, counted.mutes)
            brands.save(
                session,
                brand,
                due_at=instant + INSTANT,
                state=judgement.state.model_dump(mode="json"),
                level=judgement.level,
                score=judgement.score,
                evaluated_at=instant,
                complete_up_to=complete,
                reasons=sentences(judgement),
                evidence=dict(judgement.evidence),
            )
            self._apply(session, judgement, complete)
        metrics.EVALUATION_LATENESS.observe(max(0.0, (self._clock.now() - instant).total_seconds()))
        return judgement

    def _judge_of(self, profile: BrandProfile) -> Judge:
        """One that may still know what it learned of the same hours; it answers as a new one would."""
        settings = self._settings_of(profile.id)
        judge = self._judges.pop(profile.id, None)
        if judge is None or judge.made_for != (profile, settings, self._rates):
            judge = Judge(profile, settings, self._rates)
        self._judges[profile.id] = judge
        while len(self._judges) > MOST_JUDGES:
            self._judges.pop(next(iter(self._judges)))
        return judge

    def _tell(self, judgement: Judgement) -> None:
        metrics.EVALUATIONS.inc()
        metrics.BRAND_LEVEL.labels(brand=judgement.brand).set(judgement.level.rank)
        metrics.BRAND_SCORE.labels(brand=judgement.brand).set(judgement.score)
        if judgement.event is not None:
            _log.info(
                "level changed",
                brand=judgement.brand,
                level=str(judgement.level),
                event_kind=str(judgement.event),
                score=judgement.score,
                at=judgement.at.isoformat(),
            )
        for source in judgement.newly_silent:
            _log.warning("source silent", brand=judgement.brand, source=source, at=judgement.at.isoformat())
            metrics.SILENT_SOURCES.inc()


def _telling_mutes(judgement: Judgement, mutes: Mutes) -> Judgement:
    """Whoever is called is told that something was left out."""
    reason = mutes.reason(judgement.at)
    if reason is None or not judgement.reasons:
        return judgement
    evidence = {**judgement.evidence, "muted": mutes.evidence(judgement.at)}
    return replace(judgement, reasons=(*judgement.reasons, reason), evidence=evidence)


def next_instant(status: BrandStatus, now: datetime) -> datetime:
    """The evaluation instant after the last one: five minutes on; after a long absence, the first within `CATCH_UP`.

    A brand that was never judged begins with the last multiple of five minutes before it was due. That is looked up, not
    taken from `now`: else its first instant would run ahead of it for as long as no tick comes.
    """
    if status.evaluated_at is None:
        following = _instant_at_or_before(status.due_at - timedelta(microseconds=1))
    else:
        following = status.evaluated_at + INSTANT
    return max(following, _instant_at_or_before(now - CATCH_UP))


def sentences(judgement: Judgement) -> dict[str, str]:
    """Why, in one sentence a language; empty while it is calm. The evidence has the others."""
    if not judgement.reasons:
        return {}
    return {"fr": judgement.reasons[0].fr, "en": judgement.reasons[0].en}


def _instant_at_or_before(at: datetime) -> datetime:
    seconds = int(INSTANT.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def _remembered(status: BrandStatus) -> BrandState:
    return BrandState() if status.state is None else BrandState.model_validate(status.state)
