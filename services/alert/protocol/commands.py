"""What can be asked of an incident, by the evaluator, by timers and by people. `actor` is who asks.

People's commands may carry the `version` they looked at; machines hold the incident's lock and carry none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tocsin.contracts.incidents import Declaration, Level, PolicySnapshot, Silence, Verdict

EVALUATOR = "evaluator"
TIMER = "timer"
WATCH_RULE = "watch_rule"


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
    """A new incident; the escalation begins at once where the level is orange or red, and nobody has silenced the brand."""

    incident_id: UUID
    brand: str
    judged: Judged
    policy: PolicySnapshot | None
    actor: str = EVALUATOR
    silence: Silence | None = None
    """The brand's silence, where one is in force."""


@dataclass(frozen=True, slots=True)
class Declare:
    """A person rings the bell by hand. Beside an open incident it joins that, and raises it where it is worse.

    A person knows what they do: a declared incident is not held back by a silence of its brands.
    """

    incident_id: UUID
    brands: tuple[str, ...]
    level: Level
    declaration: Declaration
    policy: PolicySnapshot | None
    complete_up_to: datetime | None = None
    """Up to when the stream was complete; None where that is not known."""


@dataclass(frozen=True, slots=True)
class ChangeLevel:
    """Another judgement of a brand of an open incident. An unchanged level only refreshes reasons and evidence."""

    judged: Judged
    brand: str | None = None
    """None: the incident's first brand."""
    actor: str = EVALUATOR


@dataclass(frozen=True, slots=True)
class SetLevel:
    """A person raises or lowers the level; see `LevelBound` for how that meets what detection says afterwards."""

    actor: str
    level: Level
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody takes it in hand. `level`: at which it was shown to them; fails only where it has risen since."""

    actor: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Unacknowledge:
    """Somebody gives it back; the escalation begins again."""

    actor: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Mitigate:
    """Somebody has it in hand and acts on it; as good as an acknowledgement, and times out like one."""

    actor: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """It is `person`'s to see to (None: nobody's in particular)."""

    actor: str
    person: str | None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Escalate:
    """A person wants the next step rung now, whoever has it in hand."""

    actor: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class SilenceUntil:
    """Call nobody until then, unless the level rises. `brand_silence`: the silence of the whole brand that this follows from."""

    actor: str
    until: datetime
    version: int | None = None
    brand_silence: UUID | None = None


@dataclass(frozen=True, slots=True)
class Unsilence:
    """A person ends the silence before its time. `brand_silence`: only where it comes from that silence of the brand."""

    actor: str
    version: int | None = None
    brand_silence: UUID | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """A story becomes an incident of its own, in the hands of whoever split it off."""

    actor: str
    story: str
    incident_id: UUID
    """Of the new incident."""
    title: str | None = None
    level: Level | None = None
    """Of the new incident; None: that of the one it comes from."""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person says that it is over."""

    actor: str
    version: int | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A person has looked back at it: the verdict is final, unless it is reopened."""

    actor: str
    verdict: Verdict | None = None
    """None: the one that it was resolved with."""
    text: str | None = None
    version: int | None = None


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


@dataclass(frozen=True, slots=True)
class SilenceDue:
    """The timer of a silence's end went off."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Two become one; see `services.alert.protocol.merging.merge`, which decides it for both at once."""

    actor: str
    version: int | None = None
    """Of the one that goes on as part of the other."""


Command = (
    Open
    | Declare
    | ChangeLevel
    | SetLevel
    | Acknowledge
    | Unacknowledge
    | Mitigate
    | Assign
    | Escalate
    | SilenceUntil
    | Unsilence
    | Split
    | Resolve
    | Review
    | Reopen
    | Note
    | StepDue
    | AcknowledgementDue
    | SilenceDue
)
"""All that `decide` decides, each on one incident."""
