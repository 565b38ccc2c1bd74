"""Drills: exercises that ring the real chain. They run through the same machine as any incident, marked in every message.

A drill of people rings each of them by themselves, so that everybody's own chain is proved; one of a policy walks through its
steps until somebody acknowledges. An exercise is never a brand's main incident, so that a real alarm opens beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.alert.protocol.commands import Judged, Open
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import EscalationSnapshot, Level, PolicySnapshot, StepSnapshot
from tocsin.contracts.settings.protocol import DrillSettings, PolicySettings

DRILL_NAMESPACE = UUID("6f0f3a1e-0f57-5c0c-9d3b-6d7c3a1a8b11")
"""The namespace of the ids of scheduled exercises, so that each is rung once, however many processes look."""
ACTOR = "drill"
REASONS: Mapping[str, str] = {
    "fr": "Exercice : personne ne parle mal de la marque, on vérifie que la chaîne d'appel fonctionne.",
    "en": "Exercise: nobody speaks ill of the brand; this is to see that the chain of calls works.",
}
LATE = timedelta(hours=2)
"""A scheduled exercise that could not be rung for so long is left out: nobody is rung at night for a morning's drill."""


def begin(
    incident_id: UUID, brand: str, policy: PolicySnapshot, *, level: Level, now: datetime, directory: Directory
) -> Decision:
    """Open one exercise and ring its first step."""
    judged = Judged(level=level, score=0.0, reasons=REASONS)
    decision = decide(None, Open(incident_id, brand, judged, policy, actor=ACTOR), now, directory)
    marked = {"exercise": True}
    return Decision(
        incident=decision.incident.model_copy(update={"main": False, **marked}),
        events=tuple(event.model_copy(update={"data": {**event.data, **marked}}) for event in decision.events),
        notifications=tuple(
            notification.model_copy(update={"content": notification.content.model_copy(update=marked)})
            for notification in decision.notifications
        ),
    )


def chains(
    people: tuple[str, ...], policies: Mapping[str, PolicySettings], policy: str | None
) -> Iterator[PolicySnapshot]:
    """What is rung, an exercise each: a policy as it stands, or one person after the other with nobody behind them."""
    if policy is not None:
        yield snapshot(policies[policy])
    for person in people:
        rung = EscalationSnapshot(
            steps=(StepSnapshot(wait=timedelta(0), notify=(f"person:{person}",)),),
            repeat=0,
            repeat_after=timedelta(minutes=5),
            acknowledgement_timeout=None,
        )
        yield PolicySnapshot(id=f"drill-{person}", version="drill", orange=rung, red=None, fallback=None)


def latest_due(drill: DrillSettings, now: datetime) -> datetime | None:
    """When a scheduled drill was due last, on the wall clock of its zone; None before its first, or where that is too late."""
    zone = ZoneInfo(drill.time_zone)
    today = now.astimezone(zone).date()
    days = max(drill.every // timedelta(days=1), 1)
    for back in (0, 1):  # it may be due later today; then the one before counts
        rounds = (today - timedelta(days=back) - drill.start).days // days
        if rounds < 0:
            return None
        due = datetime.combine(drill.start + timedelta(days=rounds * days), drill.at, zone).astimezone(UTC)
        if due <= now:
            return due if now - due <= LATE else None
    return None


def exercise_id(drill: str, due: datetime, chain: str) -> UUID:
    """The id of one exercise of a scheduled drill."""
    return uuid5(DRILL_NAMESPACE, f"{drill}/{due.isoformat()}/{chain}")
