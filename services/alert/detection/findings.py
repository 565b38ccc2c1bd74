"""What an evaluation found, before it becomes a level."""

from __future__ import annotations

from dataclasses import dataclass

from services.alert.detection.columns import WindowCount
from services.alert.detection.engagement import Growth
from services.alert.detection.levels import Signals
from services.alert.detection.measures import WindowMeasure
from services.alert.detection.state import Rung


@dataclass(frozen=True, slots=True)
class Findings:
    """What an evaluation found, before it becomes a level."""

    signals: Signals
    brand: str = ""
    score: float = 0.0
    measures: tuple[WindowMeasure, ...] = ()
    deciding: WindowMeasure | None = None
    """The window that passes, else the most surprising one."""
    decided_by: str | None = None
    """The threshold that made it pass at once, or by another door than the surprise of harm."""
    buzz: bool = False
    cold: bool = False
    cold_count: WindowCount | None = None
    cold_limit: float = 0.0
    growth: tuple[Growth, ...] = ()
    """Harmful posts that have just taken off, the largest first."""
    noticed: bool = False
    """The counts by themselves are worth a notice; else it is a source that is silent, or a post that takes off."""
    grave: tuple[str, int] | None = None
    """Why orange is red at once: the threshold, and how many authors met it."""
    rung: Rung | None = None
    """The watch rules that hold the level."""
