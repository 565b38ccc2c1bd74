"""What happened to an incident, put into sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.alert.protocol.closing import LONGEST_NOTE
from services.alert.protocol.directory import Directory
from services.api.pages.loudness import shown_text
from services.api.pages.room_history import ROOM_EVENTS, room_sentence
from services.api.pages.wording import Wording
from tocsin.contracts.incidents import IncidentEvent, IncidentEventType, Level
from tocsin.storage.notifications import NotificationStatus

_LET_GO = {"level_rose": "event.level_rose", "given_back": "event.given_back", "escalated": "event.escalated_by"}
"""Why nobody has it in hand any more; else its time ran out."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the incident's timeline. `kind` is the event's type without `incident.`, for its mark."""

    at: datetime
    kind: str
    sentence: str
    level: Level


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody who was called on a channel, the last time, and what became of it (a key of `outcome.…`)."""

    name: str
    channel: str
    at: datetime
    outcome: str
    notification: UUID
    """Of that last call."""

    @property
    def given_up(self) -> bool:
        """True where it did not come through, and can be tried again."""
        return self.outcome in ("rejected", "dead", "unknown")


def happenings(events: Sequence[IncidentEvent], wording: Wording, directory: Directory) -> list[Happening]:
    """Every event in a sentence, the newest first."""
    lines = []
    for event in events:
        for sentence in _sentences(event, wording, directory):
            lines.append(Happening(event.at, event.type.removeprefix("incident."), sentence, event.level))
    # Turned round as a whole, so that what happened at one instant also reads from the bottom up.
    return lines[::-1]


def calls(told: Sequence[NotificationStatus]) -> list[Call]:
    """Who was called on which channel, the last call of each, in the order of the first ones."""
    last: dict[tuple[str, str], Call] = {}
    for status in told:
        notification = status.notification
        if notification.kind == "page":
            outcome = status.outcome.value if status.outcome else "waiting"
            last[notification.target, notification.channel] = Call(
                notification.name,
                notification.channel,
                status.finished_at or notification.created_at,
                outcome,
                notification.id,
            )
    return list(last.values())


def actor_name(actor: str, wording: Wording, directory: Directory) -> str:
    """How the page calls whoever did something."""
    if actor.startswith("key:"):
        return wording.say("actor.key", prefix=actor.removeprefix("key:"))
    kind, _, name = actor.partition(":")
    if kind in ("channel", "slack", "pagerduty"):
        return wording.say(f"actor.{kind}", name=name)
    return directory.actor_name(actor).removeprefix("person:")


def _sentences(event: IncidentEvent, wording: Wording, directory: Directory) -> list[str]:
    if event.type is IncidentEventType.ESCALATED:
        return _escalated(event.data, wording)
    if event.type in ROOM_EVENTS:
        return [room_sentence(event, wording, directory, actor_name(event.actor, wording, directory))]
    return [wording.say(_phrase(event), **_gaps(event, wording, directory))]


def _phrase(event: IncidentEvent) -> str:  # noqa: PLR0911 - one line a phrase
    """The catalogue's key for an event."""
    data = event.data
    match event.type:
        case IncidentEventType.OPENED if "declared" in data:
            return "event.declared"
        case IncidentEventType.UNACKNOWLEDGED:
            return _LET_GO.get(str(data.get("why")), "event.timed_out")
        case IncidentEventType.LEVEL_CHANGED:
            return "event.raised" if Level(data["to"]) > Level(data["from"]) else "event.lowered"
        case IncidentEventType.RESOLVED if "verdict" in data:
            return "event.resolved_verdict"
        case IncidentEventType.ASSIGNED if "person" not in data:
            return "event.assigned_nobody"
        case IncidentEventType.SILENCED if data.get("whole_brand"):
            return "event.silenced_brand"
        case IncidentEventType.UNSILENCED if data.get("why") in ("lifted", "level_rose"):
            return f"event.unsilenced_{data['why']}"
        case IncidentEventType.JOINED if "incident" in data:
            return "event.joined_incident"
    return f"event.{event.type.removeprefix('incident.')}"


def _gaps(event: IncidentEvent, wording: Wording, directory: Directory) -> dict[str, str]:
    """What fills the gaps of the event's phrase."""
    data = event.data
    match event.type:
        case IncidentEventType.OPENED if "declared" not in data:
            return {"level": wording.say(f"level.{event.level}")}
        case IncidentEventType.UNACKNOWLEDGED if data.get("why") in ("timed_out", "level_rose"):
            return {"who": actor_name(str(data.get("was", "")), wording, directory)}
        case IncidentEventType.LEVEL_CHANGED:
            return {"before": wording.say(f"level.{data['from']}"), "after": wording.say(f"level.{data['to']}")}
    said = data.get("declared", {}).get("sentence") or data.get("title") or data.get("story") or data.get("text", "")
    gaps = {
        "who": actor_name(event.actor, wording, directory),
        "text": shown_text(str(said), LONGEST_NOTE),
        "level": wording.say(f"level.{event.level}"),
        "person": actor_name(f"person:{data.get('person', '')}", wording, directory),
        "verdict": "",
    }
    if "verdict" in data:
        verdict = wording.say(f"verdict.{data['verdict']}")
        gaps["verdict"] = verdict[0].lower() + verdict[1:]
    return gaps


def _escalated(data: dict[str, Any], wording: Wording) -> list[str]:
    called = _names(data.get("called", ()))
    told = _names(data.get("fallback_told", ()))
    sentences = []
    if called:
        sentences.append(wording.say("event.called_fallback" if data.get("fallback") else "event.called", names=called))
    else:
        sentences.append(wording.say("event.nobody_on_call"))
    if told:
        sentences.append(wording.say("event.fallback_told", names=told))
    return sentences


def _names(called: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{person['name']} ({', '.join(person['channels'])})" for person in called)
