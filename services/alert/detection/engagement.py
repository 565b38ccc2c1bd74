"""A post that takes off: 3 likes when it came, 30,000 at 22:40. A signal of its own, because no new author need say anything.

What is much is measured by the brand's own: the median over the days before of the best-received post of each day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from services.alert.detection.blocks import HARMFUL
from services.alert.detection.columns import View
from services.alert.detection.observations import HourCount
from services.alert.detection.state import TakenOff
from tocsin.contracts.settings.detection import EngagementSettings

_DAY = timedelta(days=1)
_TOLD_AGAIN = 4
"""A post that was told is told again when it has so many times as many reactions."""
_MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Growth:
    """A harmful post whose reactions have grown beyond a limit since the last evaluation."""

    mention_id: str
    reactions: int
    limit: float
    serious: bool
    """Beyond the limit of an alert, not only of a notice."""


def usual_best(history: Sequence[HourCount], instant: datetime) -> float:
    """Reactions of the best-received post of a usual day: the median over whole days before the last one; 0 where none is known."""
    days: dict[int, int] = {}
    for count in history:
        age = int((instant - count.hour) / _DAY)
        if age >= 1:
            days[age] = max(days.get(age, 0), count.top_engagement)
    return float(np.median(list(days.values()))) if days else 0.0


def taking_off(
    told: Sequence[TakenOff], view: View, usual: float, instant: datetime, settings: EngagementSettings
) -> tuple[tuple[TakenOff, ...], list[Growth]]:
    """What to remember, and the harmful posts of the last day that have just passed a limit, the largest first.

    A post is told once at the limit of a notice, once at that of an alert, and again whenever it has quadrupled since.
    """
    kept = {item.mention_id: item for item in told if instant - item.at < 2 * _DAY}
    notice = max(float(settings.gain), settings.times_usual * usual)
    serious = max(float(settings.serious_gain), settings.serious_times_usual * usual)
    found = []
    reactions = view.rows["engagement"]
    places = np.flatnonzero(view.has(HARMFUL) & (reactions >= notice))
    for place in places[np.argsort(-reactions[places], kind="stable")].tolist():
        mention_id, number = view.id(place), int(reactions[place])
        before = kept.get(mention_id)
        if before is None or before.reactions < serious <= number or number >= _TOLD_AGAIN * before.reactions:
            grave = number >= serious
            found.append(Growth(mention_id, number, serious if grave else notice, grave))
            kept[mention_id] = TakenOff(mention_id=mention_id, reactions=number, at=instant)
    return tuple(sorted(kept.values(), key=lambda item: item.at)[-_MOST_KEPT:]), found
