"""Whom a room rings: first whoever is asked, then the deputy, then the policy's fallback, each as an alert would ring them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Recipient
from services.alert.protocol.messages import harmless
from services.alert.protocol.phrases import LEVELS
from services.alert.room.draft import LINK_LIFETIME, TIMER, RoomDraft, find
from services.alert.room.phrases import PHRASES, in_language
from tocsin.contracts.decisions import NotificationKind, NotificationWords
from tocsin.contracts.incidents import IncidentEventType, Level
from tocsin.contracts.room import Ask, AskKind, LinkNeed

HAND_OVER_PATIENCE = timedelta(minutes=10)
"""A hand-over that nobody accepted by then escalates."""
UPDATE_PATIENCE = timedelta(minutes=10)
"""So long after it is due an update may wait for its sender before the deputy is rung."""
RING_AGAIN = timedelta(minutes=5)
"""Between the rings after the first, where the playbook says nothing else."""
LOOK_AGAIN = timedelta(minutes=5)
"""How soon to look again while nobody may be rung: the incident is green."""
MOST_RINGS = 8
"""After so many nobody new is left; it stays visible on the page."""

_OVERDUE = {
    AskKind.STEP: IncidentEventType.STEP_OVERDUE,
    AskKind.APPROVAL: IncidentEventType.APPROVAL_OVERDUE,
    AskKind.UPDATE: IncidentEventType.UPDATE_OVERDUE,
    AskKind.HAND_OVER: IncidentEventType.HAND_OVER_OVERDUE,
}
_LINKS = {AskKind.APPROVAL: "approve", AskKind.HAND_OVER: "hand-over"}


def ring_due(draft: RoomDraft) -> None:
    """Ring whoever is wanted for what is due, and set when the next one is."""
    for ask in draft.room.asks:
        if ask.ring_at is not None and ask.ring_at <= draft.now:
            ring(draft, ask)


def ring(draft: RoomDraft, ask: Ask) -> None:
    """Ring the next in line for one ask; while the incident is green nobody is rung."""
    if draft.incident.level is Level.GREEN:
        draft.put("asks", ask, ring_at=draft.now + LOOK_AGAIN)
        return
    line = _line(draft, ask)
    place = ask.rung
    # Whoever cannot be reached at all is passed over at once.
    while place < len(line) and not line[place]:
        place += 1
    if place >= len(line):
        repeats = bool(line) and ask.rung < MOST_RINGS and ask.kind is not AskKind.STEP
        if not (repeats and line[-1]):
            draft.put("asks", ask, ring_at=None)
            return
        place = len(line) - 1
    called = line[place]
    rung = max(place, ask.rung) + 1
    first = ask.rung == 0
    late = draft.now >= ask.by
    draft.put("asks", ask, rung=rung, ring_at=_next_ring(draft, ask, first=first))
    if late:
        draft.record(
            _OVERDUE[ask.kind],
            TIMER,
            **{"about": ask.about, "title": _title(draft, ask), "role": ask.role},
            called=[{"target": found.target, "name": found.name, "channels": list(found.channels)} for found in called],
        )
    waited_for = line[0][0].name if line and line[0] and place > 0 else None
    for recipient in called:
        draft.notify(
            recipient,
            NotificationKind.TASK,
            _words(draft, ask, recipient, waited_for if recipient.name != waited_for else None),
            step=ask.number,
            loop=rung,
            link=_link(ask, recipient),
        )


def _next_ring(draft: RoomDraft, ask: Ask, *, first: bool) -> object:
    if first and ask.by > draft.now:
        return ask.by
    return draft.now + (escalate_after(draft) if ask.kind is not AskKind.HAND_OVER else HAND_OVER_PATIENCE)


def escalate_after(draft: RoomDraft) -> timedelta:
    """The playbook's pause between one ring and the next."""
    playbooks = (draft.team.playbook(begun) for begun in draft.room.playbooks)
    return next((playbook.escalate_after for playbook in playbooks if playbook), RING_AGAIN)


def _line(draft: RoomDraft, ask: Ask) -> list[Sequence[Recipient]]:
    """Who is rung, one group after the other; each is looked up now."""
    directory, now = draft.team.directory, draft.now
    policy = draft.incident.policy
    fallback = directory.recipients([policy.fallback], now) if policy is not None and policy.fallback else ()
    if ask.kind is AskKind.HAND_OVER:
        handed = find(draft.room.hand_overs, ask.about)
        if handed is None:
            return []
        taker = directory.recipients([handed.taker], now)
        giver = directory.recipients([handed.giver], now) if handed.giver.startswith("person:") else ()
        return [taker, _each_once((*taker, *giver, *fallback))]
    holder = draft.team.holder(ask.role, now) if ask.role else None
    deputy = draft.team.deputy(ask.role, now) if ask.role else None
    first: tuple[Recipient, ...] = (holder,) if holder else ()
    second: tuple[Recipient, ...] = (deputy,) if deputy else ()
    if ask.kind is AskKind.APPROVAL:
        busy = _already_approved(draft, ask)
        first = tuple(person for person in first if person.target not in busy)
        second = tuple(person for person in second if person.target not in busy)
        return [first, second, _each_once((*second, *fallback))]
    if ask.kind is AskKind.UPDATE and draft.room.holder is not None:
        first = directory.recipients([draft.room.holder], now) or first
    return [first, second, fallback]


def _already_approved(draft: RoomDraft, ask: Ask) -> set[str]:
    """People who stand by the statement in another role: one person answers for one role only."""
    statement = find(draft.room.statements, ask.about)
    return {approval.by for approval in statement.approvals} if statement is not None else set()


def _each_once(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    return tuple({recipient.target: recipient for recipient in recipients}.values())


def _link(ask: Ask, recipient: Recipient) -> LinkNeed | None:
    purpose = _LINKS.get(ask.kind)
    if purpose is None or not recipient.target.startswith("person:"):
        return None
    subject = {"number": ask.about, "version": ask.version, "role": ask.role}
    return LinkNeed(purpose, recipient.target, subject, LINK_LIFETIME)


def _title(draft: RoomDraft, ask: Ask) -> dict[str, str] | None:
    step = find(draft.room.steps, ask.about) if ask.kind is AskKind.STEP else None
    return step.title if step is not None else None


def heading(draft: RoomDraft, language: str) -> dict[str, str]:
    """What every subject line begins with."""
    return {
        "level": LEVELS[language][draft.incident.level],  # type: ignore[index]
        "brand": harmless(draft.team.directory.brand_name(draft.incident.brand)),
    }


def _words(draft: RoomDraft, ask: Ask, recipient: Recipient, instead_of: str | None) -> NotificationWords:
    phrases, language = PHRASES[recipient.language], recipient.language
    zone = ZoneInfo(recipient.time_zone)
    at = f"{ask.by.astimezone(zone):%H:%M}"
    names = heading(draft, language)
    lines: list[str] = [phrases["instead"].format(name=harmless(instead_of))] if instead_of else []
    match ask.kind:
        case AskKind.STEP:
            step = find(draft.room.steps, ask.about)
            names["title"] = harmless(in_language(step.title, language)) if step else "?"
            lines.append(phrases["step_due"].format(at=at))
            if step and step.detail:
                lines.append(harmless(in_language(step.detail, language)))
        case AskKind.APPROVAL:
            statement = find(draft.room.statements, ask.about)
            if statement is not None:
                lines.append(
                    phrases["approval_text"].format(
                        number=statement.number,
                        version=statement.version,
                        channel=harmless(statement.channel),
                        text=harmless(statement.text),
                    )
                )
        case AskKind.UPDATE:
            update = find(draft.room.updates, ask.about)
            planned = update.due_at if update is not None else ask.by
            lines.append(phrases["update_due"].format(at=f"{planned.astimezone(zone):%H:%M}"))
        case AskKind.HAND_OVER:
            handed = find(draft.room.hand_overs, ask.about)
            names["giver"] = harmless(draft.team.directory.actor_name(handed.giver)) if handed else "?"
            if handed and handed.note:
                lines.append(phrases["hand_over_note"].format(note=harmless(handed.note)))
            lines.append(phrases["hand_over_by"].format(at=at))
    if ask.role is not None:
        key = "approval_role" if ask.kind is AskKind.APPROVAL else "role"
        lines.append(phrases[key].format(role=harmless(draft.team.role_name(ask.role, language))))
    return NotificationWords(
        subject=phrases[ask.kind.value].format(at=at, **names), lines=tuple(lines), link=phrases[f"open_{ask.kind}"]
    )
