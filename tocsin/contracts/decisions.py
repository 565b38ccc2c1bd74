"""What a command does to an incident: the incident after it, what happened, whom to tell; or why it was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Incident, IncidentEvent, Level, Verdict

NOTIFICATION_NAMESPACE = UUID("0b0de5ab-5d4a-5f0c-8e3f-8f6f0f2b7c02")
"""The namespace of notification ids; changing it would make receivers take repeated messages for new ones."""

Language = Literal["fr", "en"]


class NotificationKind(StrEnum):
    PAGE = "page"
    """Escalates: somebody is wanted. None begins after an acknowledgement, a resolve, a silence, or a fall to green."""
    ACKNOWLEDGED = "acknowledged"
    """Tells those who were called that somebody has it in hand."""
    RESOLVED = "resolved"
    """Tells those who were called that it is over."""
    TASK = "task"
    """Somebody is wanted for something in the crisis room: a step, an approval, an update, a hand-over; rings like a page."""
    UPDATE = "update"
    """A situation update, to a stakeholder."""
    ASSIGNED = "assigned"
    """Tells a person that it is theirs to see to."""
    JOINED = "joined"
    """Tells those who were called that something was added: `content.added` says what."""
    MERGED = "merged"
    """Tells those who were called that it goes on as part of another incident."""

    @property
    def rings(self) -> bool:
        """True where somebody is wanted: it goes along a person's chain, is repeated where its fate is unknown, and may stop."""
        return self in (NotificationKind.PAGE, NotificationKind.TASK)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Called(_Fact):
    """Who was called, and when."""

    name: str
    at: Instant


class NotificationWords(_Fact):
    """A message that was put into words when it was decided, in its recipient's language; harmless on every channel."""

    subject: str
    lines: tuple[str, ...] = ()
    link: str = ""
    """What stands before the link."""


class NotificationContent(_Fact):
    """What a message says, before it is put into words; stored, so that every attempt says the same."""

    incident_id: UUID
    brand: str
    brand_name: str
    kind: NotificationKind
    level: Level
    score: float
    reasons: dict[str, str] = {}
    at: Instant
    """When it was decided."""
    opened_at: Instant
    complete_up_to: Instant | None = None
    called: tuple[Called, ...] = ()
    """Everybody called in this start of the escalation, the recipient too."""
    next_names: tuple[str, ...] = ()
    """Who is called next when nobody acknowledges; none: nobody is left."""
    next_at: Instant | None = None
    actor_name: str | None = None
    """Who acknowledged or resolved."""
    until: Instant | None = None
    """Until when the acknowledgement holds."""
    verdict: Verdict | None = None
    added: str | None = None
    """What joined the incident, in the words of whoever added it."""
    link: str | None = None
    exercise: bool = False
    """A drill, and marked as one in every message."""
    first_step: dict[str, str] = {}
    """The playbook's first step, a sentence a language; empty where there is no playbook."""
    words: NotificationWords | None = None
    """Of messages from the crisis room."""
    fallback: bool = False
    """True where the recipient is the fallback owner, called because nobody else answered or was on call."""


class Notification(_Fact):
    """One message to one target on one channel. Its key is unique, so a repeated decision never tells twice."""

    incident_id: UUID
    start: int
    step: int
    loop: int
    round: int = 0
    """The place in a person's chain; 0 is what is rung at once."""
    target: str
    name: str
    channel: str
    kind: NotificationKind
    language: Language
    time_zone: str
    level: Level
    created_at: Instant
    due_at: Instant | None = None
    """When it is to go out first, where that is later than `created_at`."""
    content: NotificationContent

    @property
    def begins_at(self) -> datetime:
        """When it is to go out first."""
        return self.due_at or self.created_at

    @property
    def first_alert(self) -> bool:
        """True for what rings first when an incident begins: nothing goes before it, and nothing holds it up."""
        page = self.kind is NotificationKind.PAGE
        return page and (self.start, self.loop, self.step, self.round) == (1, 0, 0, 0)

    @property
    def urgency(self) -> int:
        """What is sent first where many wait: 0 the first page of a start, 1 other pages and tasks, 2 the rest."""
        if self.kind is not NotificationKind.PAGE:
            return 1 if self.kind.rings else 2
        return 0 if (self.loop, self.step, self.round) == (0, 0, 0) else 1

    @property
    def id(self) -> UUID:
        """The same for the same key: what receivers deduplicate on."""
        key = (self.start, self.step, self.loop, self.round, self.target, self.channel, self.kind.value)
        return uuid5(NOTIFICATION_NAMESPACE, f"{self.incident_id}/" + "/".join(str(part) for part in key))


class RefusalKind(StrEnum):
    STALE = "stale"
    """The incident has changed since the person looked at it (HTTP: 412); look again, then decide again."""
    ILLEGAL = "illegal"
    """The incident is in no state for that (HTTP: 409)."""
    FORBIDDEN = "forbidden"
    """It is somebody else's to do: the person has not the role (HTTP: 403)."""
    INVALID = "invalid"
    """What was asked for makes no sense in any state (HTTP: 422)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was refused, and what would work."""

    kind: RefusalKind
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of one command. A refused one leaves the incident as it was and has neither events nor notifications."""

    incident: Incident
    events: tuple[IncidentEvent, ...] = ()
    notifications: tuple[Notification, ...] = ()
    refused: Refusal | None = None
    opened: Decision | None = None
    """Another incident that came of it: a story that was split off."""


EventData = dict[str, Any]
"""What an `IncidentEvent` carries beside the incident's own fields; see docs/protocol.md."""
