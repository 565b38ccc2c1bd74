"""Every mention of a search, however many, a batch at a time: for exports."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO
from uuid import UUID

from tocsin.storage.database import Database
from tocsin.storage.searches import (
    FoundMention,
    MentionFilter,
    Sort,
    find_identified,
    find_mentions,
    identifiers_in_order,
    pages_are_cheap,
)

AT_ONCE = 1000
"""Mentions that are in memory at a time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = struct.Struct(">16sq")
"""A mention's id, and its time of publication in microseconds."""
_IN_MEMORY = 1024 * 1024


def batches(database: Database, wanted: MentionFilter, sort: Sort) -> Iterator[Sequence[FoundMention]]:
    """Batch by batch, each with a transaction of its own: a slow reader holds up nobody's database.

    Where an index has them in that order, page by page. Else every page would look at everything again, and a million mentions
    take hours: so they are put in order once, their places kept in a file (24 bytes each), and read from there.
    """
    with database.read() as session:
        cheap = pages_are_cheap(session, wanted, sort)
    return _pages(database, wanted, sort) if cheap else _in_order(database, wanted, sort)


def _pages(database: Database, wanted: MentionFilter, sort: Sort) -> Iterator[Sequence[FoundMention]]:
    after = None
    while True:
        with database.read() as session:
            found = find_mentions(session, wanted, limit=AT_ONCE, sort=sort, after=after)
        yield found
        if len(found) < AT_ONCE:
            return
        after = found[-1].place(sort)


def _in_order(database: Database, wanted: MentionFilter, sort: Sort) -> Iterator[Sequence[FoundMention]]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="tocsin-export-") as file:
        with database.read() as session:
            for identifier, at in identifiers_in_order(session, wanted, sort):
                file.write(_PLACE.pack(identifier.bytes, (at - _EPOCH) // timedelta(microseconds=1)))
        file.seek(0)
        while places := _read_places(file, AT_ONCE):
            with database.read() as session:
                found = find_identified(session, wanted.brand, places)
            yield found


def _read_places(file: IO[bytes], number: int) -> list[tuple[UUID, datetime]]:
    written = file.read(number * _PLACE.size)
    return [(UUID(bytes=one), _EPOCH + timedelta(microseconds=at)) for one, at in _PLACE.iter_unpack(written)]
