"""Hand-over: at the end of a shift, or when a person wants it; accepted by the next, or it escalates after ten minutes."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.alert.room import calling
from services.alert.room.commands import AcceptHandOver, OfferHandOver
from services.alert.room.draft import TIMER, RoomDraft, find
from services.alert.room.phrases import PHRASES
from services.alert.room.team import schedules_of
from tocsin.contracts.incidents import IncidentEventType
from tocsin.contracts.room import AskKind, HandOver, HandOverState, RoomDecision, StepState

LOOK_AHEAD = timedelta(days=8)
"""A shift that ends later than that is looked for again when the incident changes."""


def offer(draft: RoomDraft, command: OfferHandOver, actor: str) -> RoomDecision:
    """Whoever has the incident in hand asks somebody to take it over."""
    held = draft.incident.acknowledged
    if held is None:
        return draft.illegal(
            "nobody has the incident in hand, so there is nothing to hand over; acknowledge it instead"
        )
    if held.by != actor:
        name = draft.team.directory.actor_name(held.by)
        return draft.forbidden(f"{name} has the incident in hand; only they hand it over, or acknowledge it yourself")
    if command.to not in draft.team.directory.people:
        known = ", ".join(sorted(draft.team.directory.people)) or "nobody"
        return draft.illegal(f"there is no person {command.to!r} in the configuration; known are {known}")
    taker = f"person:{command.to}"
    if taker == actor:
        return draft.illegal("you have it in hand already; name somebody else")
    if any(_waiting(handed) and handed.taker == taker for handed in draft.room.hand_overs):
        return draft.decision()
    _drop(draft)
    _offer(draft, actor, taker, command.note, by_itself=False, actor=actor)
    return draft.decision()


def accept(draft: RoomDraft, command: AcceptHandOver, actor: str) -> RoomDecision:
    """The next has it; the incident's own acknowledgement is given by the same transaction, before this."""
    handed = find(draft.room.hand_overs, command.hand_over)
    if handed is None:
        return draft.illegal(f"there is no hand-over {command.hand_over} in this room")
    if handed.state is HandOverState.ACCEPTED and handed.taker == actor:
        return draft.decision()
    if not _waiting(handed):
        return draft.illegal("this hand-over is settled already; look who has the incident in hand now")
    if handed.taker != actor:
        name = draft.team.directory.actor_name(handed.taker)
        return draft.forbidden(f"it was offered to {name}; only they accept it, or acknowledge the incident yourself")
    draft.put("hand_overs", handed, state=HandOverState.ACCEPTED, settled_at=draft.now)
    draft.stop_asking(AskKind.HAND_OVER, handed.number)
    draft.record(IncidentEventType.HAND_OVER_ACCEPTED, actor, hand_over=handed.number, giver=handed.giver)
    set_shift(draft)
    return draft.decision()


def holder_changed(draft: RoomDraft) -> None:
    """Somebody took it in hand, or let it go: a hand-over that waits is over, and another shift's end counts."""
    held = draft.incident.acknowledged
    holder = held.by if held is not None else None
    if holder == draft.room.holder:
        return
    for handed in draft.room.hand_overs:
        if _waiting(handed) and holder not in (handed.giver, None):
            if holder == handed.taker:
                draft.put("hand_overs", handed, state=HandOverState.ACCEPTED, settled_at=draft.now)
                draft.record(
                    IncidentEventType.HAND_OVER_ACCEPTED, handed.taker, hand_over=handed.number, giver=handed.giver
                )
            else:
                draft.put("hand_overs", handed, state=HandOverState.DROPPED, settled_at=draft.now)
            draft.stop_asking(AskKind.HAND_OVER, handed.number)
    draft.change(holder=holder)
    set_shift(draft)


def shift_ended(draft: RoomDraft) -> None:
    """The shift of whoever has it in hand is over: offer it to the next on call."""
    ends, holder = draft.room.shift_ends_at, draft.room.holder
    if ends is None or ends > draft.now:
        return
    taker = _next_on_call(draft, holder, draft.now)
    set_shift(draft)
    if holder is None or taker is None or any(_waiting(handed) for handed in draft.room.hand_overs):
        return
    person = draft.team.directory.people.get(taker.removeprefix("person:"))
    phrases = PHRASES[person.language if person else "en"]
    still_open = sum(step.state is StepState.OPEN for step in draft.room.steps)
    sent = max((update.number for update in draft.room.updates if update.sent_at is not None), default=None)
    note = phrases["shift_note"].format(open=still_open, sent=sent if sent is not None else phrases["never"])
    _offer(draft, holder, taker, note, by_itself=True, actor=TIMER)


def set_shift(draft: RoomDraft) -> None:
    """When the shift ends of whoever has the incident in hand, on the schedules of its policy."""
    held = draft.incident.acknowledged
    holder = held.by if held is not None else None
    draft.change(holder=holder, shift_ends_at=_end_of_shift(draft, holder))


def _end_of_shift(draft: RoomDraft, holder: str | None) -> datetime | None:
    if holder is None or not holder.startswith("person:"):
        return None
    person = holder.removeprefix("person:")
    for name in schedules_of(draft.incident, draft.team.directory):
        directory = draft.team.directory
        if directory.on_call(name, draft.now) != person:
            continue
        for at in directory.changes(name, draft.now, draft.now + LOOK_AHEAD):
            if at > draft.now and directory.on_call(name, at) != person:
                return at
    return None


def _next_on_call(draft: RoomDraft, holder: str | None, at: datetime) -> str | None:
    for name in schedules_of(draft.incident, draft.team.directory):
        found = draft.team.directory.on_call(name, at)
        if found is not None and f"person:{found}" != holder:
            return f"person:{found}"
    return None


def _offer(draft: RoomDraft, giver: str, taker: str, note: str, *, by_itself: bool, actor: str) -> None:
    number = len(draft.room.hand_overs) + 1
    draft.put(
        "hand_overs",
        HandOver(number=number, giver=giver, taker=taker, note=note, offered_at=draft.now, by_itself=by_itself),
    )
    draft.record(
        IncidentEventType.HAND_OVER_OFFERED, actor, hand_over=number, giver=giver, taker=taker, note=note or None,
        by_itself=by_itself or None,
    )  # fmt: skip
    ask = draft.ask(AskKind.HAND_OVER, number, by=draft.now + calling.HAND_OVER_PATIENCE, ring_at=draft.now)
    calling.ring(draft, ask)


def _drop(draft: RoomDraft) -> None:
    for handed in draft.room.hand_overs:
        if _waiting(handed):
            draft.put("hand_overs", handed, state=HandOverState.DROPPED, settled_at=draft.now)
            draft.stop_asking(AskKind.HAND_OVER, handed.number)


def _waiting(handed: HandOver) -> bool:
    return handed.state is HandOverState.OFFERED
