"""The monthly statement per person, as a table that spreadsheets read (CSV, RFC 4180)."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.alert.protocol.directory import Directory
from services.alert.protocol.statement import month_of, on_call_time
from tocsin.contracts.incidents import IncidentEventType
from tocsin.storage import oncall
from tocsin.storage.oncall import CallOuts

COLUMNS = (
    "month",
    "person",
    "name",
    "time_zone",
    "schedules",
    "on_call_hours",
    "night_hours",
    "weekend_hours",
    "holiday_hours",
    "exchanged_hours",
    "call_outs",
    "incidents",
    "acknowledgements",
)
_TAKEN_IN_HAND = (IncidentEventType.ACKNOWLEDGED.value, IncidentEventType.MITIGATING.value)


def statement(session: Session, directory: Directory, month: date) -> str:
    """A line for each person of the configuration, in the month of their own clock; `month` is any day of it."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, lineterminator="\r\n")
    table.writeheader()
    for person in sorted(directory.people.values(), key=lambda person: person.id):
        since, until = month_of(month, ZoneInfo(person.time_zone))
        there = directory.with_overrides(oncall.overrides(session, since, until=until))
        time = on_call_time(there, person.id, month)
        target = f"person:{person.id}"
        called = oncall.call_outs(session, since, until).get(target, CallOuts(0, 0))
        taken = oncall.acknowledgements(session, since, until, _TAKEN_IN_HAND)
        table.writerow(
            {
                "month": f"{month:%Y-%m}",
                "person": person.id,
                "name": _harmless(person.name),
                "time_zone": person.time_zone,
                "schedules": " ".join(time.schedules),
                "on_call_hours": _hours(time.total),
                "night_hours": _hours(time.night),
                "weekend_hours": _hours(time.weekend),
                "holiday_hours": _hours(time.holiday),
                "exchanged_hours": _hours(time.exchanged),
                "call_outs": called.steps,
                "incidents": called.incidents,
                "acknowledgements": taken.get(target, 0),
            }
        )
    return written.getvalue()


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):.2f}"


def _harmless(name: str) -> str:
    # A spreadsheet takes what begins like a formula for one.
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t") else name
