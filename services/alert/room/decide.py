"""One function through which every change of a room goes, whoever asks: people, timers, or the incident that has moved on."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.alert.room import calling, handing_over, statements, steps, updates
from services.alert.room.commands import (
    AcceptHandOver,
    AddFollowUp,
    ApproveStatement,
    BeginPlaybook,
    DraftStatement,
    DraftUpdate,
    EditUpdate,
    FinishFollowUp,
    FinishStep,
    OfferHandOver,
    PublishStatement,
    RefuseStatement,
    ReleaseHolding,
    ReopenStep,
    ReviseStatement,
    RoomCommand,
    SendUpdate,
    SkipStep,
    SubmitStatement,
    WithdrawStatement,
)
from services.alert.room.draft import RoomDraft, find
from services.alert.room.statements import HoldingText
from services.alert.room.team import Team
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Incident, IncidentEventType, Level
from tocsin.contracts.room import Facts, FollowUp, Room, RoomDecision

AFTER_REOPENING = timedelta(minutes=5)
"""What was overdue when an incident was closed rings so long after it was reopened, and not at once."""
_AFTER_CLOSING = (AddFollowUp, FinishFollowUp, WithdrawStatement, FinishStep)
"""What still makes sense once the incident is closed."""


def observe(room: Room | None, incident: Incident, now: datetime, team: Team) -> RoomDecision:
    """Take note of what the incident has become: open a room, take over red's steps, rest when it is closed.

    An incident that never was orange or red has no room (None); a second look at the same version changes nothing.
    """
    if room is None and not incident.highest_level.serious:
        return RoomDecision(None, Decision(incident))
    draft = _observed(room, incident, now, team)
    return draft.decision()


def due(room: Room, incident: Incident, now: datetime, team: Team, facts: Facts | None) -> RoomDecision:
    """The room's timer went off. Early, late or twice: what is not due changes nothing."""
    draft = _observed(room, incident, now, team)
    if draft.room.open:
        handing_over.shift_ended(draft)
        updates.draft_due(draft, facts)
        calling.ring_due(draft)
    return draft.decision()


def command(
    room: Room | None,
    incident: Incident,
    asked: RoomCommand,
    *,
    actor: str,
    now: datetime,
    team: Team,
    facts: Facts | None = None,
    holding: HoldingText | None = None,
) -> RoomDecision:
    """What a person asks for. `facts` for a drafted update, `holding` for a released statement, as the database has them.

    A refused command leaves room and incident as they were, also what the room had not yet taken note of.
    """
    draft = _observed(room, incident, now, team)
    if not draft.room.open and not isinstance(asked, _AFTER_CLOSING):
        return draft.illegal("the incident is closed; reopen it first")
    return _decide(draft, asked, actor, facts, holding)


def _decide(  # noqa: PLR0911, PLR0912 - one line a command
    draft: RoomDraft, asked: RoomCommand, actor: str, facts: Facts | None, holding: HoldingText | None
) -> RoomDecision:
    match asked:
        case BeginPlaybook():
            return steps.begin_by_hand(draft, asked, actor)
        case FinishStep():
            return steps.finish(draft, asked, actor)
        case ReopenStep():
            return steps.reopen(draft, asked, actor)
        case SkipStep():
            return steps.skip(draft, asked, actor)
        case DraftStatement():
            return statements.write(draft, asked, actor)
        case ReviseStatement():
            return statements.revise(draft, asked, actor)
        case SubmitStatement():
            return statements.submit(draft, asked, actor)
        case ApproveStatement():
            return statements.approve(draft, asked, actor)
        case RefuseStatement():
            return statements.send_back(draft, asked, actor)
        case PublishStatement():
            return statements.publish(draft, asked, actor)
        case WithdrawStatement():
            return statements.withdraw(draft, asked, actor)
        case ReleaseHolding():
            if holding is None:
                return draft.illegal(f"the holding statement {asked.holding!r} has no approval that still holds")
            return statements.release(draft, holding, asked.address, actor)
        case DraftUpdate():
            return updates.draft_now(draft, facts, actor)
        case EditUpdate():
            return updates.edit(draft, asked, actor)
        case SendUpdate():
            return updates.send(draft, asked, actor)
        case OfferHandOver():
            return handing_over.offer(draft, asked, actor)
        case AcceptHandOver():
            return handing_over.accept(draft, asked, actor)
        case AddFollowUp():
            return _add_follow_up(draft, asked, actor)
        case FinishFollowUp():
            return _finish_follow_up(draft, asked, actor)


def _observed(room: Room | None, incident: Incident, now: datetime, team: Team) -> RoomDraft:
    """A draft of the room that has taken note of its incident."""
    if room is not None and room.seen_version == incident.version:
        return RoomDraft(room, incident, now, team)
    new = room is None
    known = room or Room(
        incident_id=incident.id, opened_at=incident.opened_at, level=Level.GREEN, seen_version=incident.version
    )
    draft = RoomDraft(known, incident, now, team)
    draft.change(seen_version=incident.version)
    if incident.highest_level.serious and incident.highest_level > known.level and incident.state.open:
        _take_over_steps(draft, new=new)
    if not incident.state.open and known.open:
        draft.change(open=False)
    elif incident.state.open and not known.open:
        _wake(draft)
    handing_over.holder_changed(draft)
    return draft


def _take_over_steps(draft: RoomDraft, *, new: bool) -> None:
    start = draft.incident.opened_at if new else draft.now
    draft.change(level=draft.incident.highest_level)
    begun = [playbook for playbook in map(draft.team.playbook, draft.room.playbooks) if playbook is not None]
    found = draft.team.playbook_for(draft.incident) if not begun else None
    for playbook in [*begun, *([found] if found is not None else [])]:
        steps.begin(draft, playbook, start)
    statements.level_rose(draft)


def _wake(draft: RoomDraft) -> None:
    soonest = draft.now + AFTER_REOPENING
    asks = tuple(
        ask.model_copy(update={"ring_at": max(ask.ring_at, soonest)}) if ask.ring_at is not None else ask
        for ask in draft.room.asks
    )
    due_at = draft.room.update_due_at
    draft.change(open=True, asks=asks, update_due_at=max(due_at, soonest) if due_at is not None else None)


def _add_follow_up(draft: RoomDraft, asked: AddFollowUp, actor: str) -> RoomDecision:
    if asked.owner not in draft.team.directory.people:
        known = ", ".join(sorted(draft.team.directory.people)) or "nobody"
        return draft.illegal(f"there is no person {asked.owner!r} in the configuration; known are {known}")
    due_on = asked.due_on.isoformat() if asked.due_on is not None else None
    wanted = (asked.text, f"person:{asked.owner}", due_on)
    if any((item.text, item.owner, item.due_on) == wanted and item.done_at is None for item in draft.room.follow_ups):
        return draft.decision()  # sent again: it is written down already
    number = len(draft.room.follow_ups) + 1
    draft.put("follow_ups", FollowUp(number=number, text=asked.text, owner=f"person:{asked.owner}", due_on=due_on))
    draft.record(
        IncidentEventType.FOLLOW_UP_ADDED,
        actor,
        follow_up=number,
        text=asked.text,
        owner=f"person:{asked.owner}",
        due_on=due_on,
    )
    return draft.decision()


def _finish_follow_up(draft: RoomDraft, asked: FinishFollowUp, actor: str) -> RoomDecision:
    found = find(draft.room.follow_ups, asked.follow_up)
    if found is None:
        return draft.illegal(f"there is no follow-up {asked.follow_up}; there are {len(draft.room.follow_ups)}")
    if found.done_at is not None:
        return draft.decision()
    draft.put("follow_ups", found, done_at=draft.now, done_by=actor)
    draft.record(IncidentEventType.FOLLOW_UP_DONE, actor, follow_up=found.number, text=found.text)
    return draft.decision()
