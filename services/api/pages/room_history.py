"""What happened in the crisis room, put into sentences of the incident's timeline."""

from __future__ import annotations

from services.alert.protocol.directory import Directory
from services.alert.room.phrases import in_language
from services.api.pages.loudness import shown_text
from services.api.pages.wording import Wording
from tocsin.contracts.incidents import IncidentEvent, IncidentEventType

_QUOTED = 300
_OVERDUE = (
    IncidentEventType.STEP_OVERDUE,
    IncidentEventType.APPROVAL_OVERDUE,
    IncidentEventType.UPDATE_OVERDUE,
    IncidentEventType.HAND_OVER_OVERDUE,
)
ROOM_EVENTS = frozenset(
    {
        *_OVERDUE,
        IncidentEventType.PLAYBOOK_BEGUN,
        IncidentEventType.STEP_DONE,
        IncidentEventType.STEP_REOPENED,
        IncidentEventType.STEP_SKIPPED,
        IncidentEventType.STATEMENT_DRAFTED,
        IncidentEventType.STATEMENT_REVISED,
        IncidentEventType.STATEMENT_SUBMITTED,
        IncidentEventType.STATEMENT_APPROVED,
        IncidentEventType.STATEMENT_REFUSED,
        IncidentEventType.STATEMENT_PUBLISHED,
        IncidentEventType.STATEMENT_WITHDRAWN,
        IncidentEventType.UPDATE_DRAFTED,
        IncidentEventType.UPDATE_EDITED,
        IncidentEventType.UPDATE_SENT,
        IncidentEventType.HAND_OVER_OFFERED,
        IncidentEventType.HAND_OVER_ACCEPTED,
        IncidentEventType.FOLLOW_UP_ADDED,
        IncidentEventType.FOLLOW_UP_DONE,
    }
)


def room_sentence(event: IncidentEvent, wording: Wording, directory: Directory, who: str) -> str:
    """One sentence for an event of the room; `who` is how the page calls its actor."""
    data = event.data

    def named(field: str) -> str:
        return directory.actor_name(str(data.get(field, ""))).removeprefix("person:")

    def quoted(field: str) -> str:
        return shown_text(str(data.get(field) or ""), _QUOTED)

    title = data.get("title") or data.get("name") or {}
    key = f"event.{event.type.removeprefix('incident.')}"
    if event.type is IncidentEventType.STATEMENT_PUBLISHED and data.get("holding"):
        key = "event.holding_released"
    if event.type is IncidentEventType.HAND_OVER_OFFERED and data.get("by_itself"):
        key = "event.shift_ended"
    return wording.say(
        key,
        who=who,
        title=shown_text(in_language(title, wording.language), _QUOTED) if isinstance(title, dict) else "",
        number=data.get("statement") or data.get("update") or data.get("about") or "",
        version=data.get("version", ""),
        role=str(data.get("role") or ""),
        roles=", ".join(map(str, data.get("roles", ()))),
        reason=quoted("reason"),
        text=quoted("text"),
        channel=quoted("channel"),
        giver=named("giver"),
        taker=named("taker"),
        owner=named("owner"),
        names=_names(data.get("called") or data.get("to")),
    )


def _names(people: object) -> str:
    found = [str(item.get("name", "")) for item in people if isinstance(item, dict)] if isinstance(people, list) else []
    return ", ".join(found) or "–"
