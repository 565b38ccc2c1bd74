"""Figures for charts that many people look at again every few seconds: what is long past is remembered for a minute."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tocsin.storage.figures import Figures, Thresholds, count_spans

_Span = tuple[str, datetime, datetime]

CLOSED_AFTER = timedelta(hours=1)
"""A span that ended longer ago hardly changes any more: only by what comes late, is edited or removed."""
REMEMBERED_SECONDS = 60
"""So long may the page not show such a change."""
_MOST = 20_000


class RememberedFigures:
    """One for a process, safe to use from any thread. `monotonic` tells how long ago something was counted."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counted: dict[_Span, tuple[Figures, float]] = {}

    def count(
        self, session: Session, brand: str, borders: Sequence[datetime], *, thresholds: Thresholds, now: datetime
    ) -> list[Figures]:
        """As `count_spans` says it; spans that are closed at `now` perhaps a minute old."""
        known = self._beginning_known(brand, borders)
        counted = count_spans(session, brand, borders[len(known) :], thresholds=thresholds)
        self._remember(brand, [figures for figures in counted if now - figures.until >= CLOSED_AFTER])
        return [*known, *counted]

    def _beginning_known(self, brand: str, borders: Sequence[datetime]) -> list[Figures]:
        """Figures of the first spans, as far as all of them are remembered."""
        oldest = self._monotonic() - REMEMBERED_SECONDS
        known = []
        with self._lock:
            for since, until in itertools.pairwise(borders):
                figures, at = self._counted.get((brand, since, until), (None, 0.0))
                if figures is None or at <= oldest:
                    break
                known.append(figures)
        return known

    def _remember(self, brand: str, closed: Sequence[Figures]) -> None:
        at = self._monotonic()
        with self._lock:
            if len(self._counted) + len(closed) > _MOST:
                self._counted.clear()
            for figures in closed:
                self._counted[brand, figures.since, figures.until] = (figures, at)
