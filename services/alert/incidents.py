"""Judgements become incidents: opens, raises and lowers them by the same command as everybody else."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from services.alert.detection.state import EventKind, Judgement
from services.alert.protocol.commands import EVALUATOR, WATCH_RULE, ChangeLevel, Judged, Open
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Level
from tocsin.holiday_calendars import calendars_of
from tocsin.storage import incidents, near_misses, oncall, silences
from tocsin.storage.near_misses import NearMiss


def judged(
    session: Session,
    clock: Clock,
    configuration: Configuration,
    judgement: Judgement,
    complete_up_to: datetime | None = None,
    *,
    actor: str = EVALUATOR,
) -> Decision | None:
    """Let an evaluation have its effect on the brand's incident, in the evaluator's own transaction.

    A level that has just become orange or red opens an incident, or joins the open one; any other judgement only changes an
    open one. So after a person has resolved it, nothing opens again until the level rises anew. `complete_up_to` is what
    messages say the stream was complete up to. None: there was nothing to do. Call it with the judgements of a brand in their
    order; the incident is locked until the transaction ends. `actor` is `WATCH_RULE` where a rule rang: that opens an incident
    whenever none is open, because one mention is enough.
    """
    now = clock.now()
    directory = Directory.of(configuration, calendars_of(configuration.schedules)).with_overrides(
        oncall.overrides(session, now)
    )
    findings = Judged(
        level=judgement.level,
        score=judgement.score,
        reasons=_headline(judgement),
        evidence={**judgement.evidence, "reasons": [{"fr": item.fr, "en": item.en} for item in judgement.reasons]},
        complete_up_to=complete_up_to,
    )
    _note_near_miss(session, judgement)
    rises = judgement.level.serious and (judgement.event in (EventKind.OPENED, EventKind.RAISED) or actor == WATCH_RULE)
    incident = incidents.open_main(session, judgement.brand, lock=True)
    if incident is None and rises:
        policy = configuration.policy_of(judgement.brand)
        silence = silences.in_force(session, judgement.brand, now)
        opening = Open(
            incident_id=uuid4(),
            brand=judgement.brand,
            judged=findings,
            policy=snapshot(policy) if policy else None,
            silence=silence.of_incident() if silence is not None else None,
            actor=actor,
        )
        opened = decide(None, opening, now, directory)
        if incidents.insert_opened(session, opened):
            return opened
        # Somebody else has opened one since we looked; it is committed now, and ours joins it.
        incident = incidents.open_main(session, judgement.brand, lock=True)
    if incident is None:
        return None
    return incidents.save(
        session, incident, decide(incident, ChangeLevel(findings, judgement.brand, actor=actor), now, directory)
    )


def _headline(judgement: Judgement) -> dict[str, str]:
    if not judgement.reasons:
        return {}
    return {"fr": judgement.reasons[0].fr, "en": judgement.reasons[0].en}


def _note_near_miss(session: Session, judgement: Judgement) -> None:
    """What looks bad and wakes nobody is told in the morning, with the reason why it did not."""
    pending = judgement.state.pending_since is not None
    looks_bad = judgement.level is Level.YELLOW or pending or judgement.buzz or judgement.campaign
    if judgement.level.serious or not looks_bad:
        return
    why_not = "below"
    if judgement.evidence.get("planned"):
        why_not = "planned"
    elif judgement.campaign:
        why_not = "campaign"
    elif judgement.buzz:
        why_not = "buzz"
    elif pending:
        why_not = "unconfirmed"
    near_misses.note(
        session,
        NearMiss(judgement.brand, judgement.at, judgement.level, judgement.score, _headline(judgement), why_not),
    )
