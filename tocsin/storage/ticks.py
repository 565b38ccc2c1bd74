"""How far the stream is complete, by the ticks that came through."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.flow import TickProgressTable


def advance(session: Session, ticks: Iterable[tuple[int, int, datetime]]) -> None:
    """Ticks that were read, as (partition of `classified`, partition of `mentions`, at); an older one changes nothing.

    To be called in the transaction that handles what stood before them.
    """
    newest: dict[tuple[int, int], datetime] = {}
    for classified, mentions, at in ticks:
        pair = (classified, mentions)
        newest[pair] = max(at, newest.get(pair, at))
    # In order, so that two processes never wait for each other crosswise.
    for (classified, mentions), at in sorted(newest.items()):
        statement = upsert(session, TickProgressTable).values(
            classified_partition=classified, mentions_partition=mentions, at=at
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[TickProgressTable.classified_partition, TickProgressTable.mentions_partition],
                set_={"at": statement.excluded.at},
                where=TickProgressTable.at < statement.excluded.at,
            )
        )


def complete_up_to(session: Session, *, classified_partitions: int, mentions_partitions: int) -> datetime | None:
    """The oldest of the newest ticks: everything published before it has been handled.

    None until a tick has come through every pair of partitions; `Bus.partitions` knows how many there are.
    """
    found = session.execute(
        select(func.count(), func.min(TickProgressTable.at)).where(
            TickProgressTable.classified_partition < classified_partitions,
            TickProgressTable.mentions_partition < mentions_partitions,
        )
    ).one()
    pairs, oldest = found
    return oldest if pairs == classified_partitions * mentions_partitions else None
