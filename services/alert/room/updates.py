"""Situation updates: drafted from the data when they are due, edited and sent by a person to those who were named beforehand."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from services.alert.protocol.messages import harmless
from services.alert.protocol.phrases import LEVELS
from services.alert.room.calling import UPDATE_PATIENCE, heading
from services.alert.room.commands import EditUpdate, SendUpdate
from services.alert.room.draft import READING_LIFETIME, TIMER, RoomDraft, find
from services.alert.room.phrases import PHRASES, in_language
from tocsin.contracts.decisions import Language, NotificationKind, NotificationWords
from tocsin.contracts.incidents import IncidentEventType
from tocsin.contracts.room import FACTS_SPAN, AskKind, Facts, LinkNeed, RoomDecision, StatementState, StepState, Update

LANGUAGES: tuple[Language, ...] = ("fr", "en")
_MOST_LINES = 6


def draft_due(draft: RoomDraft, facts: Facts | None) -> None:
    """The cadence: draft the next update, and ring whoever is to send it. One that still waits is drafted anew, not doubled."""
    due = draft.room.update_due_at
    every = draft.room.update_every
    if due is None or due > draft.now or every is None:
        return
    waiting = next((update for update in draft.room.updates if update.sent_at is None), None)
    following = due + every
    while following <= draft.now:  # after an outage one is drafted, not one for each that was missed
        following += every
    draft.change(update_due_at=following)
    if waiting is not None:
        if waiting.edited_by is None:
            _draft_texts(draft, waiting, facts, following, TIMER)
        return
    _new(draft, due, facts, following, TIMER)


def draft_now(draft: RoomDraft, facts: Facts | None, actor: str) -> RoomDecision:
    """A person does not wait for the cadence."""
    if any(update.sent_at is None for update in draft.room.updates):
        return draft.illegal("a drafted update is waiting already; edit and send that one")
    following = draft.now + draft.room.update_every if draft.room.update_every is not None else None
    if following is not None:
        draft.change(update_due_at=following)
    _new(draft, draft.now, facts, following, actor)
    return draft.decision()


def _new(draft: RoomDraft, due: datetime, facts: Facts | None, following: datetime | None, actor: str) -> None:
    number = len(draft.room.updates) + 1
    empty = Update(number=number, due_at=due, drafted_at=draft.now, version=0, texts={})
    _draft_texts(draft, empty, facts, following, actor)
    role = next((playbook.updates_by for playbook in map(draft.team.playbook, draft.room.playbooks) if playbook), None)
    by = draft.now + UPDATE_PATIENCE
    # Whoever drafts one by hand needs no call to be told of it.
    draft.ask(AskKind.UPDATE, number, by=by, ring_at=draft.now if actor == TIMER else by, role=role)


def _draft_texts(draft: RoomDraft, update: Update, facts: Facts | None, following: datetime | None, actor: str) -> None:
    texts = {language: text_of(draft, facts, following, language) for language in LANGUAGES}
    draft.put("updates", update, texts=texts, version=update.version + 1, drafted_at=draft.now, next_at=following)
    draft.record(IncidentEventType.UPDATE_DRAFTED, actor, update=update.number, version=update.version + 1)


def text_of(draft: RoomDraft, facts: Facts | None, following: datetime | None, language: Language) -> str:
    """The draft in a language: what changed, trend, done, next, next update. A person reads and mends it before it goes out."""
    phrases, incident, room = PHRASES[language], draft.incident, draft.room
    zone = ZoneInfo(facts.zone if facts else "UTC")

    def clock(at: datetime) -> str:
        return f"{at.astimezone(zone):%H:%M}"

    since = max((update.sent_at for update in room.updates if update.sent_at is not None), default=None)
    held = incident.acknowledged
    changed = [
        phrases["level_now"].format(level=LEVELS[language][incident.level], score=round(incident.score)),
        phrases["held_by"].format(name=harmless(draft.team.directory.actor_name(held.by)))
        if held
        else phrases["held_by_nobody"],
    ]
    reason = harmless(in_language(incident.reasons, language))
    if reason:
        changed.insert(1, reason)
    minutes = int(FACTS_SPAN.total_seconds() // 60)
    trend = (
        phrases["trend_line"].format(
            now=facts.harmful,
            before=facts.harmful_before,
            minutes=minutes,
            mentions=facts.mentions,
            authors=facts.authors,
        )
        if facts
        else phrases["no_figures"]
    )
    done = [
        phrases["done_line"].format(title=harmless(in_language(step.title, language)), at=clock(step.at))
        for step in room.steps
        if step.state is StepState.DONE and step.at is not None and (since is None or step.at > since)
    ]
    done += [
        phrases["published_line"].format(
            number=statement.number, channel=harmless(statement.channel), at=clock(statement.published_at)
        )
        for statement in room.statements
        if statement.state is StatementState.PUBLISHED
        and statement.published_at is not None
        and (since is None or statement.published_at > since)
    ]
    following_steps = sorted(
        (step for step in room.steps if step.state is StepState.OPEN), key=lambda step: (step.due_at, step.number)
    )
    ahead = [
        phrases["step_line"].format(
            title=harmless(in_language(step.title, language)),
            role=harmless(draft.team.role_name(step.role, language)),
            at=clock(step.due_at),
        )
        for step in following_steps
    ]
    parts = [
        (phrases["changed"], changed),
        (phrases["trend"], [trend]),
        (phrases["done"], _bounded(done, phrases) or [phrases["nothing_done"]]),
        (phrases["next"], _bounded(ahead, phrases) or [phrases["nothing_next"]]),
    ]
    colon = "\u00a0:" if language == "fr" else ":"
    blocks = [f"{title}{colon}\n" + "\n".join(f"- {line}" for line in lines) for title, lines in parts]
    blocks.append(phrases["next_update"].format(at=clock(following)) if following else phrases["last_update"])
    return "\n\n".join(blocks)


def _bounded(lines: list[str], phrases: object) -> list[str]:
    more = len(lines) - _MOST_LINES
    if more <= 0:
        return lines
    return [*lines[:_MOST_LINES], phrases["and_more"].format(number=more)]  # type: ignore[index]


def edit(draft: RoomDraft, command: EditUpdate, actor: str) -> RoomDecision:
    """A person knows more than the data."""
    update = find(draft.room.updates, command.update)
    if (refused := _unfit(draft, update, command.update, command.version)) is not None or update is None:
        return refused or _no_update(draft, command.update)
    given = {"fr": command.fr, "en": command.en}
    texts = {**update.texts, **{language: text for language, text in given.items() if text is not None}}
    if texts == update.texts:
        return draft.decision()
    draft.put("updates", update, texts=texts, version=update.version + 1, edited_by=actor)
    draft.record(IncidentEventType.UPDATE_EDITED, actor, update=update.number, version=update.version + 1)
    return draft.decision()


def send(draft: RoomDraft, command: SendUpdate, actor: str) -> RoomDecision:
    """To the stakeholders, each in their language, with a link that is readable without an account until it expires."""
    update = find(draft.room.updates, command.update)
    if update is not None and update.sent_at is not None and update.version == command.version:
        return draft.decision()  # the same again
    if (refused := _unfit(draft, update, command.update, command.version)) is not None or update is None:
        return refused or _no_update(draft, command.update)
    references = [
        reference
        for playbook in map(draft.team.playbook, draft.room.playbooks)
        if playbook is not None
        for reference in playbook.stakeholders
    ]
    recipients = draft.team.directory.recipients(references, draft.now)
    if not recipients:
        return draft.illegal(
            "no stakeholder can be reached: name some under 'stakeholders' of the playbook, people or channels"
        )
    draft.put("updates", update, sent_at=draft.now, sent_by=actor, to=tuple(recipient.name for recipient in recipients))
    draft.stop_asking(AskKind.UPDATE, update.number)
    draft.record(
        IncidentEventType.UPDATE_SENT,
        actor,
        update=update.number,
        version=update.version,
        to=[{"target": recipient.target, "name": recipient.name} for recipient in recipients],
        next_at=update.next_at.isoformat() if update.next_at else None,
        texts=update.texts,
    )
    for recipient in recipients:
        phrases = PHRASES[recipient.language]
        words = NotificationWords(
            subject=phrases["sent"].format(number=update.number, **heading(draft, recipient.language)),
            lines=tuple(
                line for line in map(harmless, in_language(update.texts, recipient.language).splitlines()) if line
            ),
            link=phrases["open_sent"],
        )
        need = LinkNeed(
            "update", recipient.target, {"number": update.number, "language": recipient.language}, READING_LIFETIME
        )
        draft.notify(recipient, NotificationKind.UPDATE, words, step=update.number, link=need)
    return draft.decision()


def _unfit(draft: RoomDraft, update: Update | None, number: int, version: int) -> RoomDecision | None:
    if update is None:
        return _no_update(draft, number)
    if update.sent_at is not None:
        return draft.illegal(f"update {number} was sent already; draft the next one")
    if version != update.version:
        return draft.stale(f"update {number}", version, update.version)
    return None


def _no_update(draft: RoomDraft, number: int) -> RoomDecision:
    return draft.illegal(f"there is no update {number} in this room; it has {len(draft.room.updates)}")
