"""The state machine: one function through which every change of an incident goes. docs/protocol.md has it as a table."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    ChangeLevel,
    Command,
    Judged,
    Note,
    Open,
    Reopen,
    Resolve,
    StepDue,
)
from services.alert.protocol.directory import Directory
from services.alert.protocol.draft import Draft
from services.alert.protocol.policies import escalation_of
from tocsin.contracts.decisions import Decision, EventData, NotificationKind, RefusalKind
from tocsin.contracts.incidents import Acknowledgement, Incident, IncidentEventType, IncidentState, Level

REOPEN_WITHIN = timedelta(days=7)
"""Later than this after it was resolved, a crisis is a new incident."""
LONGEST_NOTE = 10_000
"""Characters of a note."""


def decide(  # noqa: PLR0911 - one line a command
    incident: Incident | None, command: Command, now: datetime, directory: Directory
) -> Decision:
    """What `command` does to `incident` at `now` (aware, UTC).

    Only `Open` goes without an incident, and no other does; anything else is a bug and raises ValueError. Timers may go off
    early, late, or twice: what is not due any more changes nothing. A command that changes nothing returns the incident
    it was given, without events.
    """
    if isinstance(command, Open):
        if incident is not None:
            raise ValueError(f"incident {incident.id} is open already; change its level instead")
        return _open(command, now, directory)
    if incident is None:
        raise ValueError(f"{type(command).__name__} needs an incident; only Open makes one")
    draft = Draft(incident, now, directory)
    match command:
        case ChangeLevel():
            return _change_level(draft, command)
        case Acknowledge():
            return _acknowledge(draft, command)
        case Resolve():
            return _resolve(draft, command)
        case Reopen():
            return _reopen(draft, command)
        case Note():
            return _note(draft, command)
        case StepDue():
            if incident.pages:
                draft.ring_what_is_due()
            return draft.decision()
        case AcknowledgementDue():
            return _acknowledgement_due(draft)


def _open(command: Open, now: datetime, directory: Directory) -> Decision:
    judged = command.judged
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
        ),
        now,
        directory,
    )
    _take_in(draft, judged)
    policy = command.policy
    draft.record(
        IncidentEventType.OPENED,
        command.actor,
        score=judged.score,
        reasons=dict(judged.reasons),
        policy=policy.id if policy else None,
        policy_version=policy.version if policy else None,
    )
    draft.begin_escalation()
    return draft.decision()


def _change_level(draft: Draft, command: ChangeLevel) -> Decision:
    before, after = draft.incident.level, command.judged.level
    if not draft.incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; a new crisis opens a new one")
    _take_in(draft, command.judged)
    if after is before:
        return draft.decision()
    draft.change(
        level=after,
        highest_level=max(draft.incident.highest_level, after),
        calm_since=draft.now if after is Level.GREEN else None,
    )
    data: EventData = {"from": before.value, "to": after.value, "score": command.judged.score}
    draft.record(IncidentEventType.LEVEL_CHANGED, command.actor, **data, reasons=dict(command.judged.reasons))
    if after is Level.GREEN:
        draft.change(pending=None)
    if after < before:
        return draft.decision()
    held = draft.incident.acknowledged
    if held is not None:
        if held.level >= after:
            return draft.decision()
        _let_go(draft, command.actor, "level_rose")
    draft.begin_escalation()
    return draft.decision()


def _take_in(draft: Draft, judged: Judged) -> None:
    draft.change(score=judged.score, complete_up_to=judged.complete_up_to)
    if judged.reasons:
        # A calm judgement gives none; why the bell rang stays readable.
        draft.change(reasons=dict(judged.reasons), evidence=dict(judged.evidence))


def _acknowledge(draft: Draft, command: Acknowledge) -> Decision:
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; reopen it, or leave it closed")
    if command.level is not None and command.level < incident.level:
        return draft.refuse(
            RefusalKind.STALE,
            f"the level has risen from {command.level} to {incident.level} since; look again, then acknowledge that",
        )
    timeout = escalation_of(incident.policy, incident.level).acknowledgement_timeout if incident.policy else None
    until = draft.now + timeout if timeout is not None else None
    draft.change(
        state=IncidentState.ACKNOWLEDGED,
        acknowledged=Acknowledgement(by=command.actor, at=draft.now, level=incident.level, until=until),
        pending=None,
    )
    draft.record(
        IncidentEventType.ACKNOWLEDGED, command.actor, level=incident.level.value, until=until and until.isoformat()
    )
    draft.tell_those_who_were_called(
        NotificationKind.ACKNOWLEDGED, command.actor, actor_name=draft.directory.actor_name(command.actor), until=until
    )
    return draft.decision()


def _acknowledgement_due(draft: Draft) -> Decision:
    incident = draft.incident
    held = incident.acknowledged
    due = incident.state is IncidentState.ACKNOWLEDGED and held is not None and held.until is not None
    if not due or held is None or held.until is None or held.until > draft.now:
        return draft.decision()
    _let_go(draft, "timer", "timed_out")
    draft.begin_escalation()
    return draft.decision()


def _let_go(draft: Draft, actor: str, why: str) -> None:
    held = draft.incident.acknowledged
    draft.change(state=IncidentState.TRIGGERED, acknowledged=None)
    draft.record(IncidentEventType.UNACKNOWLEDGED, actor, why=why, was=held.by if held else None)


def _resolve(draft: Draft, command: Resolve) -> Decision:
    incident = draft.incident
    if not incident.state.open and command.verdict in (None, incident.verdict):
        return draft.decision()  # the same again: a repeated request is no mistake
    if command.version is not None and command.version != incident.version:
        return _stale(draft, command.version)
    if not incident.state.open:
        verdict = f" as {incident.verdict}" if incident.verdict else ""
        return draft.refuse(RefusalKind.ILLEGAL, f"the incident is resolved already{verdict}; reopen it to change that")
    draft.change(
        state=IncidentState.RESOLVED,
        pending=None,
        resolved_at=draft.now,
        resolved_by=command.actor,
        verdict=command.verdict,
    )
    draft.record(IncidentEventType.RESOLVED, command.actor, verdict=command.verdict and command.verdict.value)
    draft.tell_those_who_were_called(
        NotificationKind.RESOLVED,
        command.actor,
        actor_name=draft.directory.actor_name(command.actor),
        verdict=command.verdict,
    )
    return draft.decision()


def _reopen(draft: Draft, command: Reopen) -> Decision:
    incident = draft.incident
    if command.version is not None and command.version != incident.version:
        return _stale(draft, command.version)
    if incident.state is not IncidentState.RESOLVED or incident.resolved_at is None:
        return draft.refuse(
            RefusalKind.ILLEGAL, f"the incident is {incident.state}; only a resolved one can be reopened"
        )
    if draft.now - incident.resolved_at > REOPEN_WITHIN:
        return draft.refuse(
            RefusalKind.ILLEGAL,
            f"it was resolved more than {REOPEN_WITHIN.days} days ago; a new crisis opens a new incident",
        )
    if incident.main and command.beside is not None:
        return draft.refuse(
            RefusalKind.ILLEGAL, f"incident {command.beside} of the same brand is open; go on with that one"
        )
    draft.change(
        state=IncidentState.TRIGGERED, acknowledged=None, resolved_at=None, resolved_by=None, verdict=None, pending=None
    )
    draft.record(IncidentEventType.REOPENED, command.actor)
    draft.begin_escalation()
    return draft.decision()


def _note(draft: Draft, command: Note) -> Decision:
    text = command.text.strip()
    if not text or len(text) > LONGEST_NOTE:
        return draft.refuse(RefusalKind.ILLEGAL, f"a note has 1 to {LONGEST_NOTE} characters, this one has {len(text)}")
    draft.record(IncidentEventType.NOTED, command.actor, text=text)
    return draft.decision()


def _stale(draft: Draft, seen: int) -> Decision:
    return draft.refuse(
        RefusalKind.STALE,
        f"the incident has changed since (version {draft.incident.version}, not {seen}); look again, then decide again",
    )
