"""How an incident begins: detection opens it, or a person declares it; what is declared beside an open one joins that."""

from __future__ import annotations

from datetime import datetime

from services.alert.protocol.commands import Declare, Open
from services.alert.protocol.directory import Directory
from services.alert.protocol.draft import Draft
from services.alert.protocol.levels import apply_level, take_in
from tocsin.contracts.decisions import Decision, NotificationKind, RefusalKind
from tocsin.contracts.incidents import (
    Incident,
    IncidentEventType,
    IncidentState,
    Level,
    LevelBound,
    PolicySnapshot,
    SetLevel,
)

LONGEST_SENTENCE = 500
"""Characters of the sentence that a person declares an incident with."""


def open_incident(command: Open, now: datetime, directory: Directory) -> Decision:
    """Detection found a new crisis."""
    judged = command.judged
    silenced = command.silence is not None and command.silence.until > now and judged.level <= command.silence.level
    draft = Draft(
        Incident(
            id=command.incident_id,
            brand=command.brand,
            state=IncidentState.TRIGGERED,
            level=judged.level,
            highest_level=judged.level,
            version=0,
            opened_at=now,
            policy=command.policy,
            calm_since=now if judged.level is Level.GREEN else None,
            silence=command.silence if silenced else None,
        ),
        now,
        directory,
    )
    take_in(draft, judged, command.brand)
    draft.record(
        IncidentEventType.OPENED,
        command.actor,
        score=judged.score,
        reasons=dict(judged.reasons),
        silenced_until=draft.incident.silence.until.isoformat() if draft.incident.silence else None,
        **_policy(command.policy),
    )
    draft.begin_escalation()
    return draft.decision()


def declare(command: Declare, now: datetime, directory: Directory) -> Decision:
    """A person rings the bell, and no incident of these brands is open."""
    said = command.declaration
    brand, *also = command.brands
    draft = Draft(
        Incident(
            id=command.incident_id,
            brand=brand,
            also=tuple(also),
            state=IncidentState.TRIGGERED,
            level=command.level,
            highest_level=command.level,
            set_level=SetLevel(level=command.level, bound=LevelBound.FLOOR, by=said.by, at=now),
            version=0,
            opened_at=now,
            policy=command.policy,
            calm_since=now if command.level is Level.GREEN else None,
            # Nobody says which language it is in; it is shown as it was written.
            reasons={"fr": said.sentence, "en": said.sentence},
            complete_up_to=command.complete_up_to,
            declarations=(said,),
        ),
        now,
        directory,
    )
    if not said.sentence.strip() or len(said.sentence) > LONGEST_SENTENCE:
        return draft.refuse(
            RefusalKind.INVALID, f"say in 1 to {LONGEST_SENTENCE} characters what has happened; more goes into 'text'"
        )
    draft.record(
        IncidentEventType.OPENED,
        said.by,
        declared=said.model_dump(mode="json"),
        also=also or None,
        **_policy(command.policy),
    )
    draft.begin_escalation()
    return draft.decision()


def join(draft: Draft, command: Declare) -> Decision:
    """A person rings the bell while an incident of these brands is open: what they say joins it, and may raise it."""
    said, incident = command.declaration, draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; declare a new one, or reopen it")
    if not said.sentence.strip() or len(said.sentence) > LONGEST_SENTENCE:
        return draft.refuse(
            RefusalKind.INVALID, f"say in 1 to {LONGEST_SENTENCE} characters what has happened; more goes into 'text'"
        )
    new_brands = tuple(brand for brand in command.brands if brand not in incident.brands)
    draft.change(
        also=(*incident.also, *new_brands),
        declarations=(*incident.declarations, said),
        complete_up_to=command.complete_up_to or incident.complete_up_to,
    )
    draft.record(
        IncidentEventType.JOINED,
        said.by,
        declared=said.model_dump(mode="json"),
        brands=list(new_brands) or None,
        declared_level=command.level.value,
    )
    draft.tell_those_who_were_called(
        NotificationKind.JOINED,
        said.by,
        each_time=True,
        actor_name=draft.directory.actor_name(said.by),
        added=said.sentence,
    )
    raise_floor(draft, command.level, said.by)
    return draft.decision()


def raise_floor(draft: Draft, level: Level, actor: str) -> None:
    """The incident is at least that bad from now on; one that is worse already stays as it is."""
    if level > draft.incident.level:
        floor = SetLevel(level=level, bound=LevelBound.FLOOR, by=actor, at=draft.now)
        draft.change(set_level=floor)
        apply_level(draft, level, actor)


def _policy(policy: PolicySnapshot | None) -> dict[str, str | None]:
    return {"policy": policy.id if policy else None, "policy_version": policy.version if policy else None}
