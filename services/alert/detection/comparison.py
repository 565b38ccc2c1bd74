"""Two replays of one past under different settings, beside each other: which alerts appear, vanish, or change.

An *alert* is a stretch of a brand at orange or red; a stretch that never left yellow is a *notice*. Alerts of the two replays
are the same one where they overlap in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.alert.detection.state import Judgement, Reason
from tocsin.contracts.incidents import Level


@dataclass(frozen=True, slots=True)
class Begun:
    """A level that began: when it would have been known, and why."""

    level: Level
    at: datetime
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A stretch of one brand above green that belongs together."""

    brand: str
    begun: tuple[Begun, ...]
    """The levels, each higher than the one before, by time; at least one."""
    until: datetime | None
    """When it fell below; None where it had not by the end."""

    @property
    def highest(self) -> Begun:
        """The highest level, and when that began."""
        return self.begun[-1]

    @property
    def serious(self) -> bool:
        """Orange or red: somebody is woken."""
        return self.highest.level.serious

    @property
    def began(self) -> datetime:
        """When its first level began."""
        return self.begun[0].at

    def overlaps(self, other: Alert) -> bool:
        """Whether both hold at some moment."""
        return (self.until is None or other.began < self.until) and (other.until is None or self.began < other.until)


class Change(StrEnum):
    """What becomes of an alert under the other settings."""

    APPEARS = "appears"
    VANISHES = "vanishes"
    LEVEL = "level"
    """It reaches another level."""
    TIME = "time"
    """It reaches the same level at another time."""
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Compared:
    """One alert, under the present settings and under the others; one of the two may be missing."""

    present: Alert | None
    other: Alert | None

    @property
    def change(self) -> Change:
        """What differs."""
        if self.present is None:
            return Change.APPEARS
        if self.other is None:
            return Change.VANISHES
        if self.present.highest.level != self.other.highest.level:
            return Change.LEVEL
        times = [[(item.level, item.at) for item in alert.begun] for alert in (self.present, self.other)]
        return Change.SAME if times[0] == times[1] else Change.TIME

    @property
    def sides(self) -> tuple[Alert, ...]:
        """The one or two that there are, that under the other settings first."""
        return tuple(alert for alert in (self.other, self.present) if alert is not None)

    @property
    def either(self) -> Alert:
        """The alert under the other settings, where there is one; else the present one."""
        return self.sides[0]

    @property
    def serious(self) -> bool:
        """Orange or red under either settings."""
        return any(alert.serious for alert in self.sides)

    @property
    def at(self) -> datetime:
        """When it began, under whichever settings was first."""
        return min(alert.began for alert in self.sides)


def alerts_of(changes: Iterable[Judgement]) -> list[Alert]:
    """The alerts and notices of one brand, by time, from the judgements at which its level changed (the others are skipped)."""
    found: list[Alert] = []
    brand = ""
    serious: list[Begun] = []
    notice: list[Begun] = []
    was_serious = False
    for item in changes:
        if item.event is None:
            continue
        brand = item.brand
        begun = Begun(item.level, item.at, item.reasons)
        if item.level.serious:
            if not serious or item.level > serious[-1].level:
                serious.append(begun)
            notice, was_serious = [], True
            continue
        if serious:
            found.append(Alert(brand, tuple(serious), item.at))
            serious = []
        if item.level is Level.GREEN:
            if notice:
                found.append(Alert(brand, tuple(notice), item.at))
            notice, was_serious = [], False
        elif not was_serious:
            # Yellow after an alert is its end, not a notice.
            notice = [begun]
    for open_one in (serious, notice):
        if open_one:
            found.append(Alert(brand, tuple(open_one), None))
    return sorted(found, key=lambda alert: alert.began)


def compare(present: Sequence[Alert], other: Sequence[Alert]) -> list[Compared]:
    """The alerts of one brand under two settings, paired and by time.

    Alerts are paired with alerts first, then an alert with a notice of the other side (it changes its level), then notices.
    """
    left, right = list(present), list(other)
    pairs: list[Compared] = []
    for one, two in ((True, True), (True, False), (False, True), (False, False)):
        for mine in [alert for alert in left if alert.serious is one]:
            theirs = next((alert for alert in right if alert.serious is two and alert.overlaps(mine)), None)
            if theirs is not None:
                left.remove(mine)
                right.remove(theirs)
                pairs.append(Compared(mine, theirs))
    pairs += [Compared(alert, None) for alert in left]
    pairs += [Compared(None, alert) for alert in right]
    return sorted(pairs, key=lambda item: item.at)


def counted(compared: Iterable[Compared]) -> Iterator[tuple[Change, int]]:
    """How many of each change, in a fixed order."""
    changes = [item.change for item in compared]
    for change in Change:
        yield change, changes.count(change)
