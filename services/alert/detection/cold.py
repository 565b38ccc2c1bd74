"""What works before a brand is known: absolute, and stated as such in the alert.

A steady stream, however negative, is no crisis; so beside the absolute number it wants several times the highest hour seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import exp

from services.alert.detection.columns import Columns
from services.alert.detection.findings import Findings
from services.alert.detection.levels import Signals
from services.alert.detection.observations import HOUR, HourCount, start_of_hour
from tocsin.contracts.settings.detection import DetectionSettings

COLD_NOTICE, COLD_CALM = 2 / 3, 1 / 2
"""Of the limit of an alert: what is a notice, and below what an alert is calm again."""


def cold_signals(
    columns: Columns,
    history: Sequence[HourCount],
    instant: datetime,
    known_since: datetime,
    settings: DetectionSettings,
) -> Findings:
    """Signals of a brand with less than `settings.baseline.cold` of history."""
    cold = settings.cold
    count = columns.count(instant, HOUR, settings.gate.author_share)
    if count.distinct_harmful < cold.harmful_authors / 2:
        return Findings(signals=Signals(), cold=True)
    # Only whole hours before the window: the window must not be its own yardstick.
    before = start_of_hour(count.start)
    earlier = [item for item in history if item.hour < before]
    highest = max((item.harmful for item in earlier), default=0)
    known = (before - known_since) / HOUR
    limit = max(float(cold.harmful_authors), cold.times_highest * highest)
    seen, harmful_seen = sum(item.authors for item in earlier), sum(item.harmful for item in earlier)
    share_is_high = count.observed_harmful / max(count.authors, 1.0) >= (harmful_seen + 2) / (seen + 4)
    passes = known >= cold.known_hours and count.distinct_harmful >= limit and share_is_high
    notice = known >= cold.known_hours and count.distinct_harmful >= COLD_NOTICE * limit and share_is_high
    return Findings(
        signals=Signals(
            passes=passes,
            calm=count.distinct_harmful < COLD_CALM * limit,
            notice=notice,
            passed_by=HOUR if passes else None,
        ),
        score=100 * (1 - exp(-count.distinct_harmful / limit)),
        cold=True,
        cold_count=count,
        cold_limit=limit,
        noticed=notice,
        decided_by="cold.harmful_authors" if limit <= cold.harmful_authors else "cold.times_highest",
    )
