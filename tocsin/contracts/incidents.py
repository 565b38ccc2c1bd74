"""Words about incidents that every room uses: levels, states, and the events that go to the `incidents` topic."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Level(StrEnum):
    """How bad it is, from calm to crisis; ordered: `Level.ORANGE > Level.YELLOW`."""

    GREEN = "green"
    YELLOW = "yellow"
    """A notice that wakes nobody."""
    ORANGE = "orange"
    """Serious: somebody is woken."""
    RED = "red"
    """A crisis."""

    @property
    def rank(self) -> int:
        """0 for green to 3 for red."""
        return list(Level).index(self)

    @property
    def serious(self) -> bool:
        """True for orange and red, which open an incident and wake people."""
        return self >= Level.ORANGE

    # All four, because each would else be inherited from str, by the alphabet: green < orange < red < yellow.

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return self.rank < other.rank

    def __gt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return self.rank > other.rank

    def __le__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return self.rank <= other.rank

    def __ge__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return self.rank >= other.rank


class IncidentState(StrEnum):
    """Where people are with an incident; level, escalation step and silence are separate fields."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"

    @property
    def open(self) -> bool:
        """True until a person resolves it."""
        return self not in (IncidentState.RESOLVED, IncidentState.REVIEWED)


class IncidentEventType(StrEnum):
    """What can happen to an incident, as its CloudEvents type says it."""

    OPENED = "incident.opened"
    ESCALATED = "incident.escalated"
    ACKNOWLEDGED = "incident.acknowledged"
    UNACKNOWLEDGED = "incident.unacknowledged"
    LEVEL_CHANGED = "incident.level_changed"
    NOTED = "incident.noted"
    RESOLVED = "incident.resolved"
    REOPENED = "incident.reopened"


class IncidentEvent(BaseModel):
    """One thing that happened to one incident; `sequence` counts from 1 within the incident, without gaps."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident_id: UUID
    sequence: int
    type: IncidentEventType
    at: AwareDatetime
    brand: str
    level: Level
    state: IncidentState
    actor: str
    """Who did it: `evaluator`, `timer`, `watch_rule`, or `person:<id>`, `key:<prefix>`."""
    data: dict[str, Any] = {}
