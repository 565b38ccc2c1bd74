"""What a database holds, to be compared, and the counts that it should hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from tocsin.clock import Clock
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.storage import counts
from tocsin.storage.base import Base
from tocsin.storage.database import Database
from tocsin.storage.tables.mentions import HourCountTable, MentionBrandTable, MentionIdentityTable, MentionTable

SETTINGS = DetectionSettings()
_EVER = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Contents:
    """What a database holds, to be compared."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counting = Counting(SETTINGS, HarmfulRates(), clock)

    def rows(self) -> list[dict[str, Any]]:
        """Every mention (its identity with its content, if it has any), then every label, ordered by key.

        Fails where the wide tables hold anything else than what the identities name.
        """
        with self._database.read() as session:
            identities = session.scalars(select(MentionIdentityTable).order_by(MentionIdentityTable.id)).all()
            contents = {(row.id, row.published_at): row for row in session.scalars(select(MentionTable))}
            links = session.scalars(
                select(MentionBrandTable).order_by(MentionBrandTable.mention_id, MentionBrandTable.brand)
            ).all()
        named = {(row.id, row.published_at) for row in identities if row.published_at is not None}
        assert set(contents) == named
        assert {(link.mention_id, link.published_at) for link in links} <= named
        mentions = []
        for row in identities:
            content = contents.get((row.id, row.published_at), MentionTable())
            assert content.state in (None, row.state)
            mentions.append({**_columns(content), **_columns(row)})
        return [*mentions, *map(_columns, links)]

    def recount(self, brand: str) -> int:
        """Count what is dirty again, as the evaluator does."""
        with self._database.unit_of_work() as session:
            return len(counts.recount(session, brand, self._counting.count, now=self._clock.now()))

    def hour_counts(self) -> dict[tuple[str, datetime], dict[str, Any]]:
        """The baseline's memory, after what is dirty was counted again."""
        with self._database.read() as session:
            dirty = counts.brands_with_dirty_hours(session)
        for brand in dirty:
            self.recount(brand)
        with self._database.read() as session:
            return {(row.brand, row.hour): row.counts for row in session.scalars(select(HourCountTable))}

    def counted_from_nothing(self) -> dict[tuple[str, datetime], dict[str, Any]]:
        """What the memory would hold if it had been made just now, from all rows."""
        with self._database.read() as session:
            brands = set(session.scalars(select(MentionBrandTable.brand)))
            return {
                (brand, hour): numbers
                for brand in brands
                for hour, numbers in self._counting.count(counts.observations(session, brand, *_EVER)).items()
            }


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
