"""Words about incidents that every room uses: levels, states, the incident itself, and the events of the `incidents` topic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from tocsin.contracts.events import Instant


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
        return _RANKS[self]

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


_RANKS = {level: rank for rank, level in enumerate(Level)}


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
    MITIGATING = "incident.mitigating"
    LEVEL_CHANGED = "incident.level_changed"
    ASSIGNED = "incident.assigned"
    SILENCED = "incident.silenced"
    UNSILENCED = "incident.unsilenced"
    NOTED = "incident.noted"
    JOINED = "incident.joined"
    """Something was added to it: what a person declared, another incident, another brand."""
    SPLIT = "incident.split"
    """One of its stories became an incident of its own."""
    MERGED = "incident.merged"
    """It went on as part of another one."""
    RESOLVED = "incident.resolved"
    REVIEWED = "incident.reviewed"
    REOPENED = "incident.reopened"
    PLAYBOOK_BEGUN = "incident.playbook_begun"
    STEP_DONE = "incident.step_done"
    STEP_REOPENED = "incident.step_reopened"
    STEP_SKIPPED = "incident.step_skipped"
    STEP_OVERDUE = "incident.step_overdue"
    STATEMENT_DRAFTED = "incident.statement_drafted"
    STATEMENT_REVISED = "incident.statement_revised"
    STATEMENT_SUBMITTED = "incident.statement_submitted"
    STATEMENT_APPROVED = "incident.statement_approved"
    STATEMENT_REFUSED = "incident.statement_refused"
    STATEMENT_PUBLISHED = "incident.statement_published"
    STATEMENT_WITHDRAWN = "incident.statement_withdrawn"
    APPROVAL_OVERDUE = "incident.approval_overdue"
    UPDATE_DRAFTED = "incident.update_drafted"
    UPDATE_EDITED = "incident.update_edited"
    UPDATE_SENT = "incident.update_sent"
    UPDATE_OVERDUE = "incident.update_overdue"
    HAND_OVER_OFFERED = "incident.hand_over_offered"
    HAND_OVER_ACCEPTED = "incident.hand_over_accepted"
    HAND_OVER_OVERDUE = "incident.hand_over_overdue"
    FOLLOW_UP_ADDED = "incident.follow_up_added"
    FOLLOW_UP_DONE = "incident.follow_up_done"


class IncidentEvent(BaseModel):
    """One thing that happened to one incident; `sequence` counts from 1 within the incident, without gaps."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident_id: UUID
    sequence: int
    type: IncidentEventType
    at: AwareDatetime
    brand: str
    also: tuple[str, ...] | None = None
    """The other brands that the incident is about; who may see the event may see them all."""
    level: Level
    state: IncidentState
    actor: str
    """Who did it: `evaluator`, `timer`, `watch_rule`, or `person:<id>`, `key:<prefix>`."""
    data: dict[str, Any] = {}


class Verdict(StrEnum):
    """What an incident turned out to be; precision and misses are counted from it."""

    CRISIS = "crisis"
    BUZZ = "buzz"
    FALSE_ALARM = "false_alarm"
    TOO_LATE = "too_late"


class _Part(BaseModel):
    """Part of an incident as it is stored: immutable, and a field that a newer version added is no error."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepSnapshot(_Part):
    """One step of a policy: `wait` after the one before, ring `notify` (`person:…`, `schedule:…`, `channel:…`)."""

    wait: timedelta
    notify: tuple[str, ...]


class EscalationSnapshot(_Part):
    """What happens at one level. `repeat` counts the rounds after the first; no acknowledgement timeout: it holds for good."""

    steps: tuple[StepSnapshot, ...]
    repeat: int
    repeat_after: timedelta
    acknowledgement_timeout: timedelta | None


class PolicySnapshot(_Part):
    """The policy that an incident began with; it keeps it, whatever is written in `tocsin.yaml` later."""

    id: str
    version: str
    """A hash of what the policy says."""
    orange: EscalationSnapshot
    red: EscalationSnapshot | None
    fallback: str | None


class PendingStep(_Part):
    """The step that is rung next, at `due_at`. `loop` counts rounds from 0; the step after the last one is the fallback."""

    loop: int
    step: int
    due_at: Instant


class Acknowledgement(_Part):
    """Who has the incident in hand, since when, at which level, and until when that holds (None: for good)."""

    by: str
    at: Instant
    level: Level
    until: Instant | None


class Reached(_Part):
    """Who was called last when, on which channel, in which start of the escalation. Called, not answered."""

    target: str
    """`person:…` or `channel:…`"""
    name: str
    channel: str
    at: Instant
    start: int


class LevelBound(StrEnum):
    """How a person's level meets that of detection."""

    FLOOR = "floor"
    """It is at least so bad, whatever detection says."""
    CAP = "cap"
    """It is at most so bad, until detection's own level rises anew above it."""


class SetLevel(_Part):
    """The level that a person set; it holds against detection as `bound` says, until a person sets another."""

    level: Level
    bound: LevelBound
    by: str
    at: Instant

    def applied_to(self, judged: Level) -> Level:
        """The incident's level where detection says `judged`."""
        return max(self.level, judged) if self.bound is LevelBound.FLOOR else min(self.level, judged)


class Silence(_Part):
    """Nobody is called until `until`, unless the level rises above `level`."""

    until: Instant
    level: Level
    by: str
    at: Instant
    brand_silence: UUID | None = None
    """The silence of the whole brand that this one comes from."""


class Assignment(_Part):
    """Whose it is to see to; assigning calls nobody off."""

    person: str
    """The id of a person of the configuration."""
    by: str
    at: Instant


class Declaration(_Part):
    """What a person said when they rang the bell by hand: a journalist's call, a screenshot."""

    by: str
    at: Instant
    sentence: str
    link: str | None = None
    text: str | None = None
    picture: UUID | None = None
    """The id of a picture that is kept beside the incident."""


class SplitStory(_Part):
    """A story that became an incident of its own."""

    story: str
    incident: UUID


class TimerKind(StrEnum):
    STEP = "step"
    """The next step of the escalation."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """The end of an acknowledgement."""
    SILENCE = "silence"
    """The end of a silence."""


class Timer(_Part):
    """Something that is to happen to an incident at an instant; one of a kind an incident at most."""

    kind: TimerKind
    due_at: Instant


class Incident(_Part):
    """One crisis of one brand, from the bell to the review. Changed only by `services.alert.protocol.decide`."""

    id: UUID
    brand: str
    also: tuple[str, ...] = ()
    """The other brands that it is about."""
    main: bool = True
    """One main incident a brand is open at most; one that was split off is not main."""
    exercise: bool = False
    """A drill: it rings the real chain, every message says so, and it counts in no figure about the brand."""
    state: IncidentState
    level: Level
    highest_level: Level
    judged: dict[str, Level] = {}
    """What detection said last, by brand; a brand of which it said nothing yet is not there."""
    set_level: SetLevel | None = None
    version: int
    """The sequence of its last event. Refreshed evidence is no event, so a person who reads for long is not out of date."""
    opened_at: Instant
    policy: PolicySnapshot | None = None
    """None where no policy is written down: then nobody is called."""
    start: int = 0
    """How many times the escalation has begun."""
    escalation_level: Level | None = None
    """The level whose steps the present start walks through, also after the level has fallen."""
    pending: PendingStep | None = None
    rung: PendingStep | None = None
    """The last step of the present start that was rung."""
    acknowledged: Acknowledgement | None = None
    assigned: Assignment | None = None
    silence: Silence | None = None
    calm_since: Instant | None = None
    """Since when the level is green."""
    resolved_at: Instant | None = None
    resolved_by: str | None = None
    verdict: Verdict | None = None
    merged_into: UUID | None = None
    """The incident that it went on as part of; it is resolved then, and not reopened."""
    split_from: UUID | None = None
    story: str | None = None
    """The story that it was split off for."""
    split_off: tuple[SplitStory, ...] = ()
    declarations: tuple[Declaration, ...] = ()
    score: float = 0.0
    """0 to 100, as detection says it."""
    reasons: dict[str, str] = {}
    """One sentence a language (`fr`, `en`); it may quote mentions, so it is escaped wherever it is shown."""
    evidence: dict[str, Any] = {}
    complete_up_to: Instant | None = None
    reached: tuple[Reached, ...] = ()
    """The last call of each target and channel."""

    @property
    def brands(self) -> tuple[str, ...]:
        """Every brand that it is about, the first one first."""
        return (self.brand, *self.also)

    @property
    def judged_level(self) -> Level:
        """The worst that detection says of its brands; the incident's own level where it said nothing yet."""
        return max(self.judged.values(), default=Level.GREEN if self.set_level else self.level)

    @property
    def in_hand(self) -> bool:
        """True while somebody has it in hand."""
        return self.state in (IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING)

    @property
    def timers(self) -> tuple[Timer, ...]:
        """Everything that is to happen by itself; the rows of the timers table are made equal to this."""
        timers = []
        if self.state is IncidentState.TRIGGERED and self.pending is not None:
            timers.append(Timer(kind=TimerKind.STEP, due_at=self.pending.due_at))
        if self.in_hand and self.acknowledged is not None and self.acknowledged.until is not None:
            timers.append(Timer(kind=TimerKind.ACKNOWLEDGEMENT, due_at=self.acknowledged.until))
        if self.state.open and self.silence is not None:
            timers.append(Timer(kind=TimerKind.SILENCE, due_at=self.silence.until))
        return tuple(timers)

    @property
    def pages(self) -> bool:
        """True while messages that escalate may go out: nobody has it in hand or silenced it, and it is not calm again."""
        return self.state is IncidentState.TRIGGERED and self.level > Level.GREEN and self.silence is None


def decided_in_words(evidence: Mapping[str, Any]) -> dict[str, str]:
    """Which threshold decided, and with what it would have stayed silent, a sentence a language; empty where evidence has none."""
    decided = evidence.get("decided") or {}
    return {language: decided[language] for language in ("fr", "en") if language in decided}
