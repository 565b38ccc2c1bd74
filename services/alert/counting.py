"""From rows to what detection is given: single mentions of the last day, and the hours of the weeks before, counted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from services.alert.detection.observations import HarmfulRates, HourCount, Observation, count_hours
from services.alert.detection.words import crisis_word_finder
from services.alert.evaluator import Counted
from tocsin.clock import Clock
from tocsin.contracts.events import AuthorRole, RiskKind, SentimentLabel, SourceKind
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.storage import counts
from tocsin.storage.counts import ObservedRow

_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_KINDS = frozenset(RiskKind)


class Counting:
    """Counts a brand's dirty hours again and reads what `judge` needs; see `services.alert.evaluator.Count`."""

    def __init__(self, settings: DetectionSettings, rates: HarmfulRates, clock: Clock) -> None:
        self._memory = settings.baseline.memory + settings.baseline.guard + _DAY
        self._rates = rates
        self._clock = clock
        self._speaks_of_crisis: Callable[[str], bool] = crisis_word_finder(settings.crisis_words)

    def __call__(self, session: Session, brand: str, since: datetime, instant: datetime) -> Counted:
        """In the evaluator's transaction: the brand is locked."""
        counts.recount(session, brand, self.count, now=self._clock.now())
        rows = counts.observations(session, brand, since, instant + _MOMENT)
        history = counts.history(session, brand, instant - self._memory, instant + _MOMENT)
        return Counted(
            observations=[observed(row) for row in rows],
            history=[HourCount.from_json(hour, numbers) for hour, numbers in history],
        )

    def count(self, rows: Sequence[ObservedRow]) -> dict[datetime, dict[str, Any]]:
        """The counts of the hours that these rows are in, as JSON."""
        counted = count_hours((observed(row) for row in rows), self._rates, self._speaks_of_crisis)
        return {hour.hour: hour.to_json() for hour in counted}


def observed(row: ObservedRow) -> Observation:
    """A row as detection sees it. Without labels it counts as calm: nothing is known against it."""
    return Observation(
        mention_id=row.mention_id,
        at=row.at,
        author=row.author_key,
        negative=row.sentiment == SentimentLabel.NEGATIVE,
        risk=row.risk or 0.0,
        # A newer classify may know kinds that this alert does not.
        kinds=tuple(RiskKind(kind) for kind in row.risk_kinds if kind in _KINDS),
        toxicity=row.toxicity or 0.0,
        relevance=row.relevance,
        language=row.language,
        followers=row.followers,
        author_name=row.author_name,
        role=AuthorRole(row.role),
        source=row.source,
        source_kind=SourceKind(row.source_kind),
        text=row.text,
        copy_key=row.copy_key,
        engagement=row.engagement,
        wakes=row.wakes,
        counted=row.role != AuthorRole.OWN,
    )
