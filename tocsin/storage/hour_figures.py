"""Figures that were counted beforehand, an hour a brand: written whenever `tocsin.storage.counts.recount` counts an hour again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from tocsin.storage import day_figures
from tocsin.storage.base import plain
from tocsin.storage.tables.figures import HourFiguresTable
from tocsin.storage.tallies import NUMBERS, tally_hours
from tocsin.storage.thresholds import Thresholds

if TYPE_CHECKING:
    from tocsin.storage.counts import ObservedRow


def replace(
    session: Session,
    brand: str,
    hours: Sequence[datetime],
    rows: Iterable[ObservedRow],
    thresholds: Thresholds,
) -> None:
    """Write what these rows, all those of the brand in these hours, add up to, in the place of what was there."""
    counted = tally_hours(rows, thresholds)
    day_figures.forget(session, brand, hours)
    session.execute(
        delete(HourFiguresTable)
        .where(HourFiguresTable.brand == brand, HourFiguresTable.hour.in_(hours))
        .execution_options(synchronize_session=False)
    )
    written = [
        {
            "brand": brand,
            "hour": hour,
            "split": split,
            "value": value,
            **dict(zip(NUMBERS, tally.numbers, strict=True)),
            "authors": tally.authors,
            "slots": tally.slots,
        }
        for hour in hours
        for (split, value), tally in counted.get(hour, {}).items()
    ]
    if written:
        session.execute(insert(plain(HourFiguresTable)), written)
