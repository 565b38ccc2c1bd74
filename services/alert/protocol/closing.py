"""How an incident ends: a person resolves it, somebody looks back at it, or it turns out not to have been over."""

from __future__ import annotations

from datetime import timedelta

from services.alert.protocol.commands import Note, Reopen, Resolve, Review
from services.alert.protocol.draft import Draft
from tocsin.contracts.decisions import Decision, NotificationKind, RefusalKind
from tocsin.contracts.incidents import IncidentEventType, IncidentState

REOPEN_WITHIN = timedelta(days=7)
"""Later than this after it was resolved, a crisis is a new incident."""
LONGEST_NOTE = 10_000
"""Characters of a note."""


def resolve(draft: Draft, command: Resolve) -> Decision:
    """A person says that it is over."""
    incident = draft.incident
    if not incident.state.open and command.verdict in (None, incident.verdict):
        return draft.decision()  # the same again: a repeated request is no mistake
    if (stale := draft.stale(command.version)) is not None:
        return stale
    if not incident.state.open:
        verdict = f" as {incident.verdict}" if incident.verdict else ""
        return draft.refuse(RefusalKind.ILLEGAL, f"the incident is resolved already{verdict}; reopen it to change that")
    draft.change(
        state=IncidentState.RESOLVED,
        pending=None,
        silence=None,
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


def review(draft: Draft, command: Review) -> Decision:
    """Somebody looked back at a resolved incident and says what it was."""
    incident = draft.incident
    verdict = command.verdict or incident.verdict
    if incident.state is IncidentState.REVIEWED and verdict is incident.verdict and not command.text:
        return draft.decision()  # the same again
    if (stale := draft.stale(command.version)) is not None:
        return stale
    text = (command.text or "").strip()
    if verdict is None or len(text) > LONGEST_NOTE:
        return draft.refuse(
            RefusalKind.INVALID,
            f"say what it was: a verdict (crisis, buzz, false_alarm or too_late), and at most {LONGEST_NOTE} characters of text",
        )
    if incident.merged_into is not None or incident.state is not IncidentState.RESOLVED:
        why = f"{incident.state}; only a resolved one is reviewed"
        if incident.merged_into is not None:
            why = f"part of incident {incident.merged_into} now; review that one"
        return draft.refuse(RefusalKind.ILLEGAL, f"the incident is {why}")
    draft.change(state=IncidentState.REVIEWED, verdict=verdict)
    draft.record(IncidentEventType.REVIEWED, command.actor, verdict=verdict.value, text=text or None)
    return draft.decision()


def reopen(draft: Draft, command: Reopen) -> Decision:
    """It was not over: the escalation begins again."""
    incident = draft.incident
    if (stale := draft.stale(command.version)) is not None:
        return stale
    if incident.state.open or incident.resolved_at is None:
        return draft.refuse(
            RefusalKind.ILLEGAL, f"the incident is {incident.state}; only one that was closed can be reopened"
        )
    if incident.merged_into is not None:
        return draft.refuse(
            RefusalKind.ILLEGAL, f"it went on as part of incident {incident.merged_into}; go on with that one"
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


def note(draft: Draft, command: Note) -> Decision:
    """A person writes something down; allowed at any time."""
    text = command.text.strip()
    if not text or len(text) > LONGEST_NOTE:
        return draft.refuse(RefusalKind.INVALID, f"a note has 1 to {LONGEST_NOTE} characters, this one has {len(text)}")
    draft.record(IncidentEventType.NOTED, command.actor, text=text)
    return draft.decision()
