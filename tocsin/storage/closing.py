"""What stands between an incident and its end: the playbook's steps that are required before closing."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Incident, Verdict
from tocsin.contracts.room import Room
from tocsin.storage.tables.room import RoomTable


def why_not_closed(session: Session, before: Incident, after: Incident) -> str | None:
    """Why a decision that closes an incident is refused; None where it may be closed, or is not to be.

    A false alarm is closed without a playbook, and what goes on as part of another incident takes its work along.
    """
    closes = before.state.open and not after.state.open
    if not closes or after.verdict is Verdict.FALSE_ALARM or getattr(after, "merged_into", None) is not None:
        return None
    details = session.execute(select(RoomTable.details).where(RoomTable.incident_id == after.id)).scalar_one_or_none()
    missing = Room.model_validate(details).missing if details is not None else ()
    if not missing:
        return None
    steps = ", ".join(f"{step.number} ({step.title.get('en') or next(iter(step.title.values()))})" for step in missing)
    return f"steps that are required before closing are not done: {steps}; do them, or close it as a false alarm if it is one"
