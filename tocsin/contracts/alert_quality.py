"""How right the bell was, by the verdicts of people: one definition for every figure that tells it (docs/figures.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.contracts.incidents import Incident, Verdict

BY_PEOPLE = ("person:", "key:")
"""How the actor begins by whom an incident was opened where the bell had not rung."""
_RIGHT = (Verdict.CRISIS, Verdict.TOO_LATE)


@dataclass(frozen=True, slots=True)
class AlertQuality:
    """Of some incidents."""

    rung: int
    """Those that detection or a watch rule opened."""
    declared: int
    """Those that people opened because the bell had not rung."""
    verdicts: Mapping[Verdict, int]
    """Of those that the bell opened, and that have one."""
    precision: float | None
    """Crises, in time or too late, of all that the bell opened and that have a verdict; a buzz rang for less than a crisis."""
    missed: int
    """What the bell rang too late, and what people declared: crises, or without a verdict yet."""

    @property
    def unjudged(self) -> int:
        """Opened by the bell and still without a verdict."""
        return self.rung - sum(self.verdicts.values())


def counts_for_quality(incident: Incident) -> bool:
    """Exercises count nowhere, and neither does what went on as part of another incident."""
    return not incident.exercise and incident.merged_into is None


def alert_quality(opened: Iterable[tuple[str, Verdict | None]]) -> AlertQuality:
    """Precision and misses of incidents, each with the actor that opened it and its verdict."""
    known = list(opened)
    declared = [verdict for opener, verdict in known if opener.startswith(BY_PEOPLE)]
    rung = [verdict for opener, verdict in known if not opener.startswith(BY_PEOPLE)]
    verdicts = {verdict: rung.count(verdict) for verdict in Verdict}
    judged = sum(verdicts.values())
    return AlertQuality(
        rung=len(rung),
        declared=len(declared),
        verdicts=verdicts,
        precision=sum(verdicts[verdict] for verdict in _RIGHT) / judged if judged else None,
        missed=sum(verdict in (None, *_RIGHT) for verdict in declared) + verdicts[Verdict.TOO_LATE],
    )
