"""What people's verdicts say of the bell: precision and misses by month of the brand's calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tocsin.contracts.incidents import Incident, Verdict

_RIGHT = (Verdict.CRISIS, Verdict.TOO_LATE)


@dataclass(frozen=True, slots=True)
class Month:
    """The incidents that were opened in one month, `2026-11`."""

    month: str
    rung: int
    declared: int
    verdicts: Mapping[Verdict, int]
    """Of those that the bell opened."""
    precision: float | None
    """Crises, in time or too late, of all that the bell opened and that have a verdict; a buzz rang for less than a crisis."""
    misses: int
    """What the bell rang too late, and what people declared because it had not rung: crises, or without a verdict yet."""


def by_month(opened: Iterable[tuple[Incident, str]], zone: ZoneInfo) -> list[Month]:
    """The months, the newest first. `opened`: incidents with the actor that opened each. Exercises count nowhere, and neither
    does what went on as part of another incident."""
    months: dict[str, list[tuple[Incident, str]]] = {}
    for incident, opener in opened:
        if not incident.exercise and getattr(incident, "merged_into", None) is None:
            months.setdefault(f"{incident.opened_at.astimezone(zone):%Y-%m}", []).append((incident, opener))
    return [_month(month, months[month]) for month in sorted(months, reverse=True)]


def _month(month: str, opened: list[tuple[Incident, str]]) -> Month:
    declared = [incident for incident, opener in opened if opener.startswith(("person:", "key:"))]
    rung = [incident for incident, opener in opened if not opener.startswith(("person:", "key:"))]
    verdicts = {verdict: sum(incident.verdict is verdict for incident in rung) for verdict in Verdict}
    judged = sum(verdicts.values())
    missed = sum(incident.verdict is None or incident.verdict in _RIGHT for incident in declared)
    return Month(
        month=month,
        rung=len(rung),
        declared=len(declared),
        verdicts=verdicts,
        precision=sum(verdicts[verdict] for verdict in _RIGHT) / judged if judged else None,
        misses=missed + verdicts[Verdict.TOO_LATE],
    )
