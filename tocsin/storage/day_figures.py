"""Figures by day, added up from those by hour once a day is over, so that months are read as quickly as hours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tocsin.storage import distinct
from tocsin.storage.base import plain
from tocsin.storage.tables.figures import DayFiguresTable
from tocsin.storage.tallies import NUMBERS, Split, Tally

HOUR = timedelta(hours=1)
Day = tuple[datetime, datetime]
"""From a midnight to the next one, both in UTC."""
_DAYS = DayFiguresTable.__table__.c


@dataclass(slots=True)
class DayFigures:
    """One day by value of a split, and as a whole ('')."""

    day: Day
    values: dict[str, tuple[int, Sequence[Any]]] = field(default_factory=dict)
    """Different authors, and the numbers of `NUMBERS`."""


def forget(session: Session, brand: str, hours: Collection[datetime]) -> None:
    """Take away the days that any of these hours is in: to be called in the transaction that counts the hours again."""
    if hours:
        session.execute(
            delete(DayFiguresTable)
            .where(_DAYS.brand == brand, _DAYS.begins < max(hours) + HOUR, _DAYS.ends > min(hours))
            .execution_options(synchronize_session=False)
        )


def days(session: Session, brand: str) -> set[Day]:
    """Those that are added up."""
    rows = session.execute(select(_DAYS.begins, _DAYS.ends).where(_DAYS.brand == brand, _DAYS.split == ""))
    return {(begins, ends) for begins, ends in rows}


def write(session: Session, brand: str, day: Day, tallies: Mapping[tuple[str, str], Tally]) -> None:
    """Put what a day adds up to, by split and value, in the place of what was there."""
    forget(session, brand, [day[0], day[1] - HOUR])
    rows = [
        {
            "brand": brand,
            "split": split,
            "begins": day[0],
            "value": value,
            "ends": day[1],
            **dict(zip(NUMBERS, tally.numbers, strict=True)),
            "different_authors": tally.authors,
            "authors": distinct.unite(tally.all_authors),
        }
        for (split, value), tally in tallies.items()
    ]
    session.execute(insert(plain(DayFiguresTable)), rows)


def read(session: Session, brand: str, since: datetime, until: datetime, split: Split | None) -> list[DayFigures]:
    """The days between two instants that are added up, in order; without those that are not told apart by the split."""
    rows = session.connection().execute(
        select(
            _DAYS.begins,
            _DAYS.ends,
            _DAYS.split,
            _DAYS.value,
            _DAYS.different_authors,
            *(_DAYS[name] for name in NUMBERS),
        )
        .where(
            _DAYS.brand == brand,
            _DAYS.split.in_([""] if split is None else ["", split.value]),
            _DAYS.begins >= since,
            _DAYS.begins < until,
            _DAYS.ends <= until,
        )
        .order_by(_DAYS.split, _DAYS.begins)
    )
    wholes: dict[datetime, DayFigures] = {}
    for begins, ends, _, value, authors, *numbers in rows:
        wholes.setdefault(begins, DayFigures((begins, ends))).values[value] = authors, numbers
    if split is None:
        return list(wholes.values())
    # Every mention has a value, so a day with mentions and without values was added up by an older version.
    return [found for found in wholes.values() if len(found.values) > 1 or not found.values[""][1][0]]


def authors(
    session: Session, brand: str, since: datetime, until: datetime, split: Split | None
) -> dict[tuple[datetime, str], bytes]:
    """The packed authors of the days that begin between two instants, by beginning and value of the split."""
    rows = session.connection().execute(
        select(_DAYS.begins, _DAYS.value, _DAYS.authors).where(
            _DAYS.brand == brand,
            _DAYS.split == ("" if split is None else split.value),
            _DAYS.begins >= since,
            _DAYS.begins < until,
        )
    )
    return {(begins, value): packed for begins, value, packed in rows}
