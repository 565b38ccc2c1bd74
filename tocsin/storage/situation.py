"""How a brand stands at this moment, in the figures that a situation update is drafted from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tocsin.contracts.room import FACTS_SPAN, Facts
from tocsin.storage.figures import Thresholds, count_spans


def facts_of(session: Session, brand: str, now: datetime, *, thresholds: Thresholds, zone: str) -> Facts:
    """What was said of a brand in the last half hour and in the one before; `zone` is the brand's."""
    before, last = count_spans(session, brand, [now - 2 * FACTS_SPAN, now - FACTS_SPAN, now], thresholds=thresholds)
    return Facts(
        harmful=last.harmful, harmful_before=before.harmful, mentions=last.mentions, authors=last.authors, zone=zone
    )
