"""How bad it is: what detection says, what a person says, and what follows from a level that rises or falls."""

from __future__ import annotations

from typing import Any

from services.alert.protocol.commands import ChangeLevel, Judged, SetLevel
from services.alert.protocol.draft import Draft
from tocsin.contracts import incidents
from tocsin.contracts.decisions import Decision, RefusalKind
from tocsin.contracts.incidents import IncidentEventType, Level, LevelBound


def change_level(draft: Draft, command: ChangeLevel) -> Decision:
    """Detection has judged one of the incident's brands again."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; a new crisis opens a new one")
    before = incident.judged_level
    take_in(draft, command.judged, command.brand or incident.brand)
    judged, held = draft.incident.judged_level, draft.incident.set_level
    if held is not None and held.bound is LevelBound.CAP and judged > max(before, held.level):
        # What the person lowered is not what rises now.
        draft.change(set_level=None)
        held = None
    apply_level(
        draft,
        held.applied_to(judged) if held is not None else judged,
        command.actor,
        score=command.judged.score,
        reasons=dict(command.judged.reasons),
    )
    return draft.decision()


def set_level(draft: Draft, command: SetLevel) -> Decision:
    """A person has another view of it than detection, or takes that back."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; reopen it, or declare a new one")
    if (stale := draft.stale(command.version)) is not None:
        return stale
    judged = incident.judged_level
    bound = LevelBound.FLOOR if command.level > judged else LevelBound.CAP
    held = incidents.SetLevel(level=command.level, bound=bound, by=command.actor, at=draft.now)
    draft.change(set_level=held if command.level is not judged else None)
    apply_level(draft, command.level, command.actor)
    return draft.decision()


def take_in(draft: Draft, judged: Judged, brand: str) -> None:
    """Keep what detection found; of several brands the worst one gives score and reasons."""
    draft.change(judged={**draft.incident.judged, brand: judged.level}, complete_up_to=judged.complete_up_to)
    if judged.level < draft.incident.judged_level:
        return
    draft.change(score=judged.score)
    if judged.reasons:
        # A calm judgement gives none; why the bell rang stays readable.
        draft.change(reasons=dict(judged.reasons), evidence=dict(judged.evidence))


def apply_level(draft: Draft, after: Level, actor: str, **data: Any) -> None:
    """Set the incident's level, and let follow what follows from a change; the same level changes nothing."""
    before = draft.incident.level
    if after is before:
        return
    draft.change(
        level=after,
        highest_level=max(draft.incident.highest_level, after),
        calm_since=draft.now if after is Level.GREEN else None,
    )
    draft.record(IncidentEventType.LEVEL_CHANGED, actor, **{"from": before.value, "to": after.value}, **data)
    if after is Level.GREEN:
        draft.change(pending=None)
    if after < before:
        return
    silence, held = draft.incident.silence, draft.incident.acknowledged
    if silence is not None and silence.level < after:
        draft.end_silence(actor, "level_rose")
    if held is not None:
        if held.level >= after:
            return
        draft.let_go(actor, "level_rose")
    draft.begin_escalation()
