"""What is remembered of a brand between two evaluations, and what an evaluation answers.

A state is small and bounded (a few kilobytes as JSON), frozen, and everything in it came out of `judge`: the evaluator stores
it in the brand's row and hands it back, so any number of processes can take turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Level

if TYPE_CHECKING:
    from services.alert.detection.measures import WindowMeasure

MOST_INTERVALS = 64
"""Intervals kept of each sort; the oldest is forgotten first."""
MOST_RINGS = 5


class BrandProfile(BaseModel):
    """What detection knows of a brand from the configuration."""

    model_config = ConfigDict(frozen=True)

    id: str
    time_zone: str = "UTC"
    """IANA name; the baseline compares Monday 9 o'clock with other Mondays at 9 there."""
    baseline_key: str = ""
    """A fingerprint of query, sources and the neural network's revision; a change marks a break."""
    counting_key: str = ""
    """A fingerprint of the thresholds and words by which mentions are counted; after a change all are counted again."""


class Interval(BaseModel):
    """A stretch of event time, UTC, `start` excluded."""

    model_config = ConfigDict(frozen=True)

    start: Instant
    end: Instant


class SilentSource(BaseModel):
    """A source that has said nothing since `since`, against its habit."""

    model_config = ConfigDict(frozen=True)

    source: str
    since: Instant
    expected: float | None = None
    """Mentions that it usually has in such a time, when it was found silent."""
    surprise: float | None = None
    """−log10 of how unlikely the silence was then."""


class TakenOff(BaseModel):
    """A post whose reactions were told; see `engagement`."""

    model_config = ConfigDict(frozen=True)

    mention_id: str
    reactions: int
    at: Instant


class Rung(BaseModel):
    """A watch rule rang: the brand keeps at least `level` until `until`, whatever the counts say."""

    model_config = ConfigDict(frozen=True)

    level: Level
    at: Instant
    until: Instant
    rules: tuple[str, ...]
    mentions: tuple[str, ...]
    """The latest that made them ring, at most `MOST_RINGS`."""
    rings: int
    """How many mentions did in all."""
    french: str
    english: str
    """Why, in a sentence: that of the highest rule, the latest."""


class BrandState(BaseModel):
    """The memory of `judge`, one a brand; the default is that of a brand seen for the first time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    level: Level = Level.GREEN
    since: Instant | None = None
    """When the level last changed."""
    onset: Instant | None = None
    """When the harm behind the present alert began, as far as its windows tell; None below orange."""
    opened_by: timedelta | None = None
    """The shortest window that passed the gate during the present alert; the calm is looked for in windows like it."""
    pending_since: Instant | None = None
    """The first of the two evaluations that the gate wants."""
    serious_since: Instant | None = None
    """When the level became orange or red."""
    calm_since: Instant | None = None
    """Since when a lower level than the present one would be due."""
    calm_level: Level = Level.GREEN
    """The highest that was due since then."""
    masks: tuple[Interval, ...] = ()
    """Past alerts: they teach no baseline and are in no window."""
    silences: tuple[Interval, ...] = ()
    """When sources were silent that carry much of the volume: those hours teach nothing."""
    silent: tuple[SilentSource, ...] = ()
    taken_off: tuple[TakenOff, ...] = ()
    """Posts that took off and were told."""
    rung: Rung | None = None
    """The watch rules that rang last."""
    known_since: Instant | None = None
    """The first hour of history that was ever seen."""
    baseline_key: str | None = None
    counting_key: str | None = None
    broken_at: Instant | None = None
    """The latest change of query, sources or neural network."""
    judged: Instant | None = None
    """The last instant that was judged; an earlier one is refused."""


class EventKind(StrEnum):
    """How a brand's level changed."""

    OPENED = "opened"
    RAISED = "raised"
    LOWERED = "lowered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Reason:
    """One plain sentence, in both languages of the team."""

    fr: str
    en: str


class NewsKind(StrEnum):
    """What is worth telling those who have an incident in hand, though the level does not change."""

    STORY = "story"
    SILENT_SOURCE = "silent_source"
    SOURCE_BACK = "source_back"
    ENGAGEMENT = "engagement"
    WATCH_RULE = "watch_rule"


@dataclass(frozen=True, slots=True)
class News:
    """Something new at this evaluation; told once, by its key."""

    kind: NewsKind
    key: str
    reason: Reason
    mention_id: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an evaluation answers."""

    at: datetime
    brand: str
    level: Level
    """After this evaluation."""
    event: EventKind | None
    """None where the level did not change."""
    score: float
    """0–100."""
    state: BrandState
    """To be stored and given to the next evaluation."""
    buzz: bool = False
    """Much talk without the share of harm: shown, wakes nobody."""
    campaign: bool = False
    """Many authors, one text."""
    newly_silent: tuple[str, ...] = ()
    """Sources found silent at this instant: an alarm of its own."""
    back: tuple[str, ...] = ()
    """Sources that were silent and speak again."""
    measures: tuple[WindowMeasure, ...] = ()
    """Each window as it was counted and compared; empty where there was next to nothing, or nothing to compare with."""
    news: tuple[News, ...] = ()
    """Told where an incident is open; otherwise they are on the board."""
    reasons: tuple[Reason, ...] = ()
    """Given with every event, and while the level is above green."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only; see docs/detection.md for its keys. Given with the reasons."""
