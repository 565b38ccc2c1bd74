"""Who has an incident in hand, whose it is, and whom a person wants called."""

from __future__ import annotations

from services.alert.protocol.commands import Acknowledge, Assign, Escalate, Mitigate, Unacknowledge
from services.alert.protocol.draft import Draft
from tocsin.contracts.decisions import Decision, NotificationKind, RefusalKind
from tocsin.contracts.incidents import Assignment, IncidentEventType, IncidentState, Level

_OVER = "the incident is resolved; reopen it, or leave it closed"


def acknowledge(draft: Draft, command: Acknowledge) -> Decision:
    """Somebody takes it in hand, or says that they are still at it. It stays `mitigating` where it was."""
    state = draft.incident.state if draft.incident.state is IncidentState.MITIGATING else IncidentState.ACKNOWLEDGED
    return _take_in_hand(draft, command, state, IncidentEventType.ACKNOWLEDGED)


def mitigate(draft: Draft, command: Mitigate) -> Decision:
    """Somebody acts on it."""
    return _take_in_hand(draft, command, IncidentState.MITIGATING, IncidentEventType.MITIGATING)


def _take_in_hand(
    draft: Draft, command: Acknowledge | Mitigate, state: IncidentState, event: IncidentEventType
) -> Decision:
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, _OVER)
    if command.level is not None and command.level < incident.level:
        return draft.refuse(
            RefusalKind.STALE,
            f"the level has risen from {command.level} to {incident.level} since; look again, then acknowledge that",
        )
    draft.hold(command.actor, state)
    held = draft.incident.acknowledged
    until = held.until if held is not None else None
    draft.record(event, command.actor, level=incident.level.value, until=until and until.isoformat())
    draft.tell_those_who_were_called(
        NotificationKind.ACKNOWLEDGED, command.actor, actor_name=draft.directory.actor_name(command.actor), until=until
    )
    return draft.decision()


def unacknowledge(draft: Draft, command: Unacknowledge) -> Decision:
    """Somebody gives it back."""
    if not draft.incident.in_hand:
        return draft.refuse(
            RefusalKind.ILLEGAL, f"the incident is {draft.incident.state}: nobody has it in hand who could give it back"
        )
    if (stale := draft.stale(command.version)) is not None:
        return stale
    draft.let_go(command.actor, "given_back")
    draft.begin_escalation()
    return draft.decision()


def acknowledgement_due(draft: Draft) -> Decision:
    """The timer of an acknowledgement: nothing happens before its time, nor where it was renewed."""
    held = draft.incident.acknowledged
    if not draft.incident.in_hand or held is None or held.until is None or held.until > draft.now:
        return draft.decision()
    draft.let_go("timer", "timed_out")
    draft.begin_escalation()
    return draft.decision()


def assign(draft: Draft, command: Assign) -> Decision:
    """It is somebody's to see to. That calls nobody off: it is not in hand before they say so."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, _OVER)
    if (stale := draft.stale(command.version)) is not None:
        return stale
    person = command.person
    if person is not None and person not in draft.directory.people:
        known = ", ".join(sorted(draft.directory.people)) or "nobody"
        return draft.refuse(
            RefusalKind.INVALID, f"there is no person {person!r} in the configuration; known are {known}"
        )
    if person == (incident.assigned.person if incident.assigned else None):
        return draft.decision()
    assigned = Assignment(person=person, by=command.actor, at=draft.now) if person is not None else None
    draft.change(assigned=assigned)
    draft.record(IncidentEventType.ASSIGNED, command.actor, person=person)
    if person is not None and f"person:{person}" != command.actor:
        draft.tell(f"person:{person}", NotificationKind.ASSIGNED, actor_name=draft.directory.actor_name(command.actor))
    return draft.decision()


def step_due(draft: Draft) -> Decision:
    """The timer of the next step: nothing happens before its time, nor while nobody is to be called."""
    if draft.incident.pages:
        draft.ring_what_is_due()
    return draft.decision()


def escalate(draft: Draft, command: Escalate) -> Decision:
    """A person wants the next step rung now: it is taken out of whosever hands it is in, and a silence ends."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, _OVER)
    if (stale := draft.stale(command.version)) is not None:
        return stale
    if incident.level is Level.GREEN:
        return draft.refuse(
            RefusalKind.ILLEGAL, "the incident is green, and nobody is called at green; raise its level first"
        )
    if incident.policy is None:
        return draft.refuse(
            RefusalKind.ILLEGAL, "the incident has no policy that says whom to call; call somebody yourself"
        )
    if incident.silence is not None:
        draft.end_silence(command.actor, "escalated")
    if incident.in_hand:
        draft.let_go(command.actor, "escalated")
    draft.ring_now(command.actor)
    return draft.decision()
