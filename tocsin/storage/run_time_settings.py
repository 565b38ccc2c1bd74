"""What people set while Tocsin runs: added and withdrawn, never changed, and found by brand, kind and time.

A row that this version cannot read (a newer one wrote it, or the rules have become stricter) is given as `Unreadable`, so that
it neither stops anything nor is silently gone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select, func, insert, or_, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.settings.run_time import RunTimeSetting
from tocsin.storage.tables.run_time import RunTimeSettingTable, RunTimeVersionTable


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored setting that cannot be used, and `why`; else as `RunTimeSetting`."""

    id: UUID
    brand: str
    kind: str
    why: str
    reason: str
    by: str
    at: datetime
    begins: datetime
    ends: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_why: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """Settings, and those rows that could not be read as one."""

    settings: tuple[RunTimeSetting, ...]
    unreadable: tuple[Unreadable, ...] = ()


def version(session: Session) -> int:
    """Grows with every change."""
    return session.scalars(select(RunTimeVersionTable.version)).one()


def add(session: Session, setting: RunTimeSetting) -> None:
    """Write down a new setting."""
    lock(session)
    session.execute(
        insert(RunTimeSettingTable).values(
            id=setting.id,
            brand=setting.brand,
            kind=setting.value.kind,
            value=setting.value.model_dump(mode="json", exclude_defaults=False),
            reason=setting.reason,
            by=setting.by,
            at=setting.at,
            begins=setting.begins,
            ends=setting.ends,
        )
    )


def withdraw(
    session: Session, setting_id: UUID, *, by: str, at: datetime, why: str
) -> RunTimeSetting | Unreadable | None:
    """End a setting before its time (a campaign also afterwards); None where there is none that is not over."""
    lock(session)
    row = session.execute(
        update(RunTimeSettingTable)
        .where(
            RunTimeSettingTable.id == setting_id,
            RunTimeSettingTable.withdrawn_at.is_(None),
            or_(RunTimeSettingTable.ends > at, RunTimeSettingTable.kind == "planned"),
        )
        .values(withdrawn_by=by, withdrawn_at=at, withdrawn_why=why)
        .returning(RunTimeSettingTable)
    ).scalar_one_or_none()
    return _read(row) if row is not None else None


def lock(session: Session) -> None:
    """Let nobody else change a setting until the transaction ends, and tell every process that something has changed."""
    session.execute(update(RunTimeVersionTable).values(version=RunTimeVersionTable.version + 1))


def find(session: Session, setting_id: UUID) -> RunTimeSetting | Unreadable | None:
    """A setting by its id."""
    row = session.get(RunTimeSettingTable, setting_id)
    return _read(row) if row is not None else None


def standing(session: Session, since: datetime) -> Found:
    """Everything that was not withdrawn and ends after `since`, in the order in which it was set."""
    return _found(session, _query().where(*_not_over(since)))


def listed(
    session: Session,
    *,
    brands: Collection[str],
    kind: str | None = None,
    now: datetime | None = None,
    limit: int = 500,
) -> Found:
    """Settings of these brands, the newest first; `now`: only those that are not over then."""
    wanted = select(RunTimeSettingTable).where(RunTimeSettingTable.brand.in_(brands))
    if kind is not None:
        wanted = wanted.where(RunTimeSettingTable.kind == kind)
    if now is not None:
        wanted = wanted.where(*_not_over(now))
    return _found(session, wanted.order_by(RunTimeSettingTable.at.desc(), RunTimeSettingTable.id).limit(limit))


def number(session: Session, brand: str, kind: str, now: datetime) -> int:
    """How many settings of a kind are not over."""
    wanted = select(func.count()).where(
        RunTimeSettingTable.brand == brand, RunTimeSettingTable.kind == kind, *_not_over(now)
    )
    return session.scalars(wanted.select_from(RunTimeSettingTable)).one()


def mutes(session: Session, brand: str, since: datetime) -> tuple[RunTimeSetting, ...]:
    """The mutes of a brand that were not withdrawn and hold for any moment after `since`, also those that are over now."""
    wanted = _query().where(RunTimeSettingTable.brand == brand, RunTimeSettingTable.kind == "mute", *_not_over(since))
    return _found(session, wanted).settings


def campaigns(session: Session, brand: str, since: datetime, until: datetime) -> tuple[RunTimeSetting, ...]:
    """The planned campaigns of a brand that run at any moment of a stretch of time and were not withdrawn."""
    wanted = _query().where(
        RunTimeSettingTable.brand == brand,
        RunTimeSettingTable.kind == "planned",
        RunTimeSettingTable.begins < until,
        *_not_over(since),
    )
    return _found(session, wanted).settings


def _not_over(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return RunTimeSettingTable.withdrawn_at.is_(None), RunTimeSettingTable.ends > at


def _query() -> Select[RunTimeSettingTable]:
    return select(RunTimeSettingTable).order_by(RunTimeSettingTable.at, RunTimeSettingTable.id)


def _found(session: Session, wanted: Select[RunTimeSettingTable]) -> Found:
    read = [_read(row) for row in session.scalars(wanted)]
    return Found(
        tuple(item for item in read if isinstance(item, RunTimeSetting)),
        tuple(item for item in read if isinstance(item, Unreadable)),
    )


def _read(row: RunTimeSettingTable) -> RunTimeSetting | Unreadable:
    try:
        return RunTimeSetting.model_validate(row, from_attributes=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}"
    return Unreadable(
        row.id, row.brand, row.kind, why, row.reason, row.by, row.at, row.begins, row.ends,
        row.withdrawn_by, row.withdrawn_at, row.withdrawn_why,
    )  # fmt: skip
