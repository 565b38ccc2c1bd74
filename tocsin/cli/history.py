"""History into the database, through the same labelling and the same handler as everything else; it wakes nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tocsin.bus.port import Outgoing, Record
from tocsin.clock import Clock
from tocsin.contracts import topics
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, encode_mention
from tocsin.contracts.events import Mention

if TYPE_CHECKING:
    from services.alert.handler import AlertHandler
    from services.classify.handler import ClassifyHandler

BATCH = 500


def import_history(
    mentions: Iterable[Mention],
    classify: ClassifyHandler,
    alert: AlertHandler,
    clock: Clock,
    advance: Callable[[int], None] = lambda _count: None,
) -> int:
    """Label `mentions` and write them as what teaches only; returns how many. `advance` is told each batch's size.

    No bus is between the two handlers: an import is one command that may be given again after a failure.
    """
    remaining = iter(mentions)
    imported = 0
    while batch := list(islice(remaining, BATCH)):
        classified = classify.handle([_incoming(mention, clock) for mention in batch])
        alert.handle(_as_records(classified, clock))
        imported += len(batch)
        advance(len(batch))
    return imported


def _incoming(mention: Mention, clock: Clock) -> Record:
    now = clock.now()
    encoded = encode_mention(mention, updated=False, source="import", at=now)
    headers = (*encoded.headers, (TEACHES_ONLY_HEADER, b"1"))
    return Record(topics.MENTIONS, 0, 0, encoded.key, encoded.value, headers, now)


def _as_records(outgoing: Sequence[Outgoing], clock: Clock) -> list[Record]:
    now = clock.now()
    return [
        Record(item.topic, 0, offset, item.key, item.value, item.headers, now) for offset, item in enumerate(outgoing)
    ]
