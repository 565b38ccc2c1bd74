"""Holding statements that somebody approved beforehand: which text, in which role, until when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.room import HoldingApprovalTable


@dataclass(frozen=True, slots=True)
class HoldingApproval:
    """Somebody stands by one text of a holding statement, in one language, until `expires_at`."""

    statement: str
    language: str
    fingerprint: str
    role: str
    approved_by: str
    approved_at: datetime
    expires_at: datetime


def fingerprint(text: str) -> str:
    """What an approval is of: 16 hexadecimal digits of the text's SHA-256; a changed text has another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def approve(session: Session, approval: HoldingApproval) -> None:
    """Keep an approval; a second one of the same text replaces it, with its new time."""
    values = {
        "role": approval.role,
        "approved_by": approval.approved_by,
        "approved_at": approval.approved_at,
        "expires_at": approval.expires_at,
    }
    session.execute(
        upsert(session, HoldingApprovalTable)
        .values(statement=approval.statement, language=approval.language, fingerprint=approval.fingerprint, **values)
        .on_conflict_do_update(
            index_elements=[
                HoldingApprovalTable.statement,
                HoldingApprovalTable.language,
                HoldingApprovalTable.fingerprint,
            ],
            set_=values,
        )
    )


def find(session: Session, statement: str, language: str, text_fingerprint: str) -> HoldingApproval | None:
    """The approval of one text, also one that has expired; None where nobody ever gave it."""
    row = session.get(HoldingApprovalTable, (statement, language, text_fingerprint))
    return _approval(row) if row is not None else None


def find_all(session: Session) -> dict[tuple[str, str, str], HoldingApproval]:
    """Every approval, by statement, language and fingerprint."""
    rows = session.scalars(select(HoldingApprovalTable))
    return {(row.statement, row.language, row.fingerprint): _approval(row) for row in rows}


def _approval(row: HoldingApprovalTable) -> HoldingApproval:
    return HoldingApproval(
        statement=row.statement,
        language=row.language,
        fingerprint=row.fingerprint,
        role=row.role,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        expires_at=row.expires_at,
    )
