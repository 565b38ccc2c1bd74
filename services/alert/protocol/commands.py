"""What can be asked of an incident, by the evaluator, by timers and by people. `actor` is who asks.

People's commands may carry the `version` they looked at; machines hold the incident's lock and carry none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tocsin.contracts.incidents import Level, PolicySnapshot, Verdict

EVALUATOR = "evaluator"
TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Judged:
    """What detection found, and how far the stream was complete then."""

    level: Level
    score: float
    reasons: Mapping[str, str]
    """One sentence a language, `fr` and `en`."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    complete_up_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A new incident; the escalation begins at once where the level is orange or red."""

    incident_id: UUID
    brand: str
    judged: Judged
    policy: PolicySnapshot | None
    actor: str = EVALUATOR


@dataclass(frozen=True, slots=True)
class ChangeLevel:
    """Another judgement of an open incident. An unchanged level only refreshes reasons and evidence."""

    judged: Judged
    actor: str = EVALUATOR


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody takes it in hand. `level`: at which it was shown to them; fails only where it has risen since."""

    actor: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person says that it is over."""

    actor: str
    version: int | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    """A person says that it was not over. `beside`: the brand's open incident, which it would be a second one to."""

    actor: str
    version: int | None = None
    beside: UUID | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A person writes something into the incident's record."""

    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class StepDue:
    """The timer of the next step went off."""


@dataclass(frozen=True, slots=True)
class AcknowledgementDue:
    """The timer of an acknowledgement's end went off."""


Command = Open | ChangeLevel | Acknowledge | Resolve | Reopen | Note | StepDue | AcknowledgementDue
