"""What people's verdicts say of the bell by month of the brand's calendar."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from tocsin.contracts.alert_quality import AlertQuality, alert_quality, counts_for_quality
from tocsin.contracts.incidents import Incident, Verdict


def by_month(opened: Iterable[tuple[Incident, str]], zone: ZoneInfo) -> list[tuple[str, AlertQuality]]:
    """`2026-11` and the quality of what was opened in it, the newest first. `opened`: incidents with who opened each."""
    months: dict[str, list[tuple[str, Verdict | None]]] = {}
    for incident, opener in opened:
        if counts_for_quality(incident):
            month = f"{incident.opened_at.astimezone(zone):%Y-%m}"
            months.setdefault(month, []).append((opener, incident.verdict))
    return [(month, alert_quality(months[month])) for month in sorted(months, reverse=True)]
