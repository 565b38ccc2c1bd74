"""One incident becomes two, and two become one."""

from __future__ import annotations

from datetime import datetime

from services.alert.protocol.closing import REOPEN_WITHIN
from services.alert.protocol.commands import Merge, Split
from services.alert.protocol.directory import Directory
from services.alert.protocol.draft import Draft
from services.alert.protocol.levels import apply_level
from services.alert.protocol.opening import LONGEST_SENTENCE, raise_floor
from tocsin.contracts.decisions import Decision, NotificationKind, RefusalKind
from tocsin.contracts.incidents import (
    Incident,
    IncidentEventType,
    IncidentState,
    Level,
    LevelBound,
    SetLevel,
    SplitStory,
)


def split(draft: Draft, command: Split) -> Decision:
    """A story becomes an incident of its own. Whoever splits it off has it in hand; it rings when they do not keep at it."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; declare a new one for that story")
    if (stale := draft.stale(command.version)) is not None:
        return stale
    gone = next((item for item in incident.split_off if item.story == command.story), None)
    if gone is not None:
        return draft.refuse(RefusalKind.ILLEGAL, f"that story was split off before; it is incident {gone.incident}")
    title = (command.title or "").strip()
    if not command.story or len(command.story) > LONGEST_SENTENCE or len(title) > LONGEST_SENTENCE:
        return draft.refuse(
            RefusalKind.INVALID,
            f"name the story, and its title where you give one, in at most {LONGEST_SENTENCE} characters",
        )
    draft.change(split_off=(*incident.split_off, SplitStory(story=command.story, incident=command.incident_id)))
    draft.record(
        IncidentEventType.SPLIT,
        command.actor,
        story=command.story,
        title=title or None,
        incident=str(command.incident_id),
    )
    draft.open_another(_split_off(incident, command, title, draft.now, draft.directory))
    return draft.decision()


def _split_off(origin: Incident, command: Split, title: str, now: datetime, directory: Directory) -> Decision:
    level = command.level or origin.level
    draft = Draft(
        Incident(
            id=command.incident_id,
            brand=origin.brand,
            also=origin.also,
            main=False,
            exercise=origin.exercise,
            state=IncidentState.TRIGGERED,
            level=level,
            highest_level=level,
            set_level=SetLevel(level=level, bound=LevelBound.FLOOR, by=command.actor, at=now),
            version=0,
            opened_at=now,
            policy=origin.policy,
            calm_since=now if level is Level.GREEN else None,
            reasons={"fr": title, "en": title} if title else origin.reasons,
            score=origin.score,
            complete_up_to=origin.complete_up_to,
            split_from=origin.id,
            story=command.story,
        ),
        now,
        directory,
    )
    draft.record(IncidentEventType.OPENED, command.actor, split_from=str(origin.id), story=command.story)
    draft.hold(command.actor, IncidentState.ACKNOWLEDGED)
    held = draft.incident.acknowledged
    draft.record(
        IncidentEventType.ACKNOWLEDGED,
        command.actor,
        level=level.value,
        until=held.until.isoformat() if held is not None and held.until is not None else None,
    )
    return draft.decision()


def merge(
    source: Incident, into: Incident, command: Merge, now: datetime, directory: Directory
) -> tuple[Decision, Decision]:
    """`source` goes on as part of `into`, which takes over its brands and is at least as bad; both answers in this order.

    Refused for both or for none. A source that was resolved before may be merged, too: that is how one is reopened beside
    another that has opened since.
    """
    gone, kept = Draft(source, now, directory), Draft(into, now, directory)
    refused = _why_not(gone, kept, command)
    if refused is not None:
        return refused, refused
    was_open = source.state.open
    gone.change(
        state=IncidentState.RESOLVED,
        pending=None,
        silence=None,
        merged_into=into.id,
        resolved_at=source.resolved_at or now,
        resolved_by=source.resolved_by or command.actor,
    )
    gone.record(IncidentEventType.MERGED, command.actor, into=str(into.id))
    actor_name = directory.actor_name(command.actor)
    if was_open:
        gone.tell_those_who_were_called(NotificationKind.MERGED, command.actor, actor_name=actor_name)
    kept.change(
        main=source.main or into.main,
        also=(*into.also, *(brand for brand in source.brands if brand not in into.brands)),
        judged={**source.judged, **into.judged} if was_open else into.judged,
        declarations=(*into.declarations, *source.declarations),
        highest_level=max(into.highest_level, source.highest_level),
    )
    kept.record(IncidentEventType.JOINED, command.actor, incident=str(source.id))
    added = source.reasons.get("en") or next(iter(source.reasons.values()), None)
    kept.tell_those_who_were_called(
        NotificationKind.JOINED, command.actor, each_time=True, actor_name=actor_name, added=added
    )
    if was_open:
        held = kept.incident.set_level
        judged = kept.incident.judged_level
        apply_level(kept, held.applied_to(judged) if held is not None else max(judged, into.level), command.actor)
        raise_floor(kept, source.level, command.actor)
    return gone.decision(), kept.decision()


def _why_not(gone: Draft, kept: Draft, command: Merge) -> Decision | None:
    source, into = gone.incident, kept.incident
    if source.id == into.id:
        return gone.refuse(RefusalKind.INVALID, "an incident cannot be merged into itself; name another one")
    if source.merged_into is not None:
        return gone.refuse(RefusalKind.ILLEGAL, f"it went on as part of incident {source.merged_into} before")
    if (stale := gone.stale(command.version)) is not None:
        return stale
    if source.resolved_at is not None and not source.state.open and gone.now - source.resolved_at > REOPEN_WITHIN:
        return gone.refuse(
            RefusalKind.ILLEGAL,
            f"it was resolved more than {REOPEN_WITHIN.days} days ago; write a note in incident {into.id} instead",
        )
    if not into.state.open:
        return gone.refuse(
            RefusalKind.ILLEGAL, f"incident {into.id} is {into.state}; reopen it first, or merge the other way round"
        )
    return None
