"""The crisis room of an incident, as it is stored: the playbook's steps, statements, situation updates, hand-overs, follow-ups.

Changed only by `services.alert.room.decide`. Texts that people wrote are kept as they wrote them, and escaped wherever they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tocsin.contracts.decisions import Decision
from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Level


class _Part(BaseModel):
    """Part of a room: immutable, and a field that a newer version added is no error."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepState(StrEnum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class RoomStep(_Part):
    """One step of the playbook, as it stood when the room took it over. `number` counts from 1 within the room."""

    number: int
    id: str
    playbook: str
    title: dict[str, str]
    detail: dict[str, str] = {}
    role: str
    due_at: Instant
    required: bool
    """Closing asks for it."""
    state: StepState = StepState.OPEN
    by: str | None = None
    at: Instant | None = None
    note: str | None = None


class StatementState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    """Those who must approve it have been asked."""
    APPROVED = "approved"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class TextVersion(_Part):
    """What a text said from `at` on."""

    version: int
    text: str
    by: str
    at: Instant


class Approval(_Part):
    """Somebody, in a role, stands by one version."""

    role: str
    by: str
    at: Instant
    version: int


class Statement(_Part):
    """Words for the public. Approvals are of one version; a change of the text takes them back."""

    number: int
    language: str
    channel: str
    state: StatementState
    versions: tuple[TextVersion, ...]
    roles: tuple[str, ...] = ()
    """In which roles it must be approved, set when it is submitted."""
    approvals: tuple[Approval, ...] = ()
    refused: str | None = None
    """Why it was sent back to its author, by the last who refused it."""
    refused_by: str | None = None
    holding: str | None = None
    """The holding statement that it was released from: approved beforehand."""
    published_at: Instant | None = None
    published_by: str | None = None
    address: str | None = None
    """Where it was published, as the person who did says."""
    withdrawn_at: Instant | None = None
    withdrawn_by: str | None = None
    withdrawn_why: str | None = None

    @property
    def version(self) -> int:
        """The present version, counted from 1."""
        return self.versions[-1].version

    @property
    def text(self) -> str:
        """What it says now."""
        return self.versions[-1].text


class Update(_Part):
    """A situation update: drafted from data, edited and sent by a person."""

    number: int
    due_at: Instant
    drafted_at: Instant
    version: int
    texts: dict[str, str]
    """By language."""
    edited_by: str | None = None
    sent_at: Instant | None = None
    sent_by: str | None = None
    to: tuple[str, ...] = ()
    """The names of whom it was sent to."""
    next_at: Instant | None = None
    """When the next one is due, as this one says."""


class HandOverState(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DROPPED = "dropped"
    """Somebody else took the incident in hand, or it was closed, before it was accepted."""


class HandOver(_Part):
    """The incident passes from one person to the next."""

    number: int
    giver: str
    taker: str
    note: str
    offered_at: Instant
    by_itself: bool = False
    """Offered because the giver's shift ended."""
    state: HandOverState = HandOverState.OFFERED
    settled_at: Instant | None = None


class FollowUp(_Part):
    """What is left to do after the crisis, and whose it is."""

    number: int
    text: str
    owner: str
    due_on: str | None = None
    """A date, `2026-12-01`."""
    done_at: Instant | None = None
    done_by: str | None = None


class AskKind(StrEnum):
    """What a person is wanted for."""

    STEP = "step"
    APPROVAL = "approval"
    UPDATE = "update"
    HAND_OVER = "hand_over"


class Ask(_Part):
    """Somebody is wanted for something; while it is open, one after the other is rung."""

    number: int
    """Counts from 1 within the room, over all kinds."""
    kind: AskKind
    about: int
    """The number of the step, statement, update or hand-over."""
    role: str | None = None
    version: int | None = None
    """Of the statement that is to be approved."""
    rung: int = 0
    """How many times somebody has been rung for it."""
    ring_at: Instant | None
    """When the next one is rung; None where nobody is left."""
    by: Instant
    """When an answer is wanted."""


class Room(_Part):
    """Everything about one incident that is neither its level nor who has it in hand."""

    incident_id: UUID
    opened_at: Instant
    playbooks: tuple[str, ...] = ()
    """The ids of those that were begun, with their versions: `product-safety@4f2a…`."""
    level: Level
    """The highest for which steps were taken over."""
    seen_version: int
    """The incident's version that the room has taken note of."""
    holder: str | None = None
    """Who had the incident in hand then."""
    steps: tuple[RoomStep, ...] = ()
    statements: tuple[Statement, ...] = ()
    updates: tuple[Update, ...] = ()
    hand_overs: tuple[HandOver, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    asks: tuple[Ask, ...] = ()
    """Those that are open."""
    asked: int = 0
    """The number of the last ask."""
    update_every: timedelta | None = None
    update_due_at: Instant | None = None
    shift_ends_at: Instant | None = None
    """When the shift ends of whoever has the incident in hand; None where they are not on a schedule."""
    open: bool = True
    """False while the incident is closed: nothing happens by itself then."""

    @property
    def next_at(self) -> datetime | None:
        """When something is to happen by itself; the row's timer is made equal to this."""
        if not self.open:
            return None
        instants = [ask.ring_at for ask in self.asks if ask.ring_at is not None]
        instants += [at for at in (self.update_due_at, self.shift_ends_at) if at is not None]
        return min(instants, default=None)

    @property
    def missing(self) -> tuple[RoomStep, ...]:
        """The steps that are required before closing and are not done."""
        return tuple(step for step in self.steps if step.required and step.state is not StepState.DONE)


FACTS_SPAN = timedelta(minutes=30)
"""The trend of an update compares the last so long with the same before it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was said of the brand in the last `FACTS_SPAN`, and in the one before; counted by whoever reads the database."""

    harmful: int
    harmful_before: int
    mentions: int
    authors: int
    zone: str = "UTC"
    """The brand's time zone, in which an update tells times."""


@dataclass(frozen=True, slots=True)
class LinkNeed:
    """A link that a message is to carry; it is made when the decision is saved, because its secret is random."""

    purpose: str
    """A `tocsin.storage.links.LinkPurpose`."""
    actor: str
    subject: dict[str, Any]
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class RoomDecision:
    """What a command does to a room, and to its incident: events, notifications, or why it was refused.

    A refused one leaves both as they were.
    """

    room: Room | None
    decision: Decision
    links: dict[UUID, LinkNeed] = field(default_factory=dict)
    """By the id of the notification."""
