"""The texts that are kept, one after the other, with the brands that each was kept for; however many there are."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StoredText:
    """What a mention says, and of which of the brands that were asked about it is taken to speak."""

    id: uuid.UUID
    published_at: datetime
    source: str
    text: str
    url: str | None
    brands: frozenset[str]


def newest_first(
    session: Session, brands: Collection[str], since: datetime, until: datetime, *, most: int
) -> Iterator[StoredText]:
    """The mentions of these brands from `since` (included) to `until`, at most `most` of them; read as they are asked for.

    What is hidden or erased has no text, and is left out.
    """
    rows = session.execute(
        select(
            MentionTable.id,
            MentionBrandTable.published_at,
            MentionTable.source,
            MentionTable.text,
            MentionTable.url,
            MentionBrandTable.brand,
        )
        .join(MentionTable, LABELS_OF_MENTION)
        .where(
            MentionBrandTable.brand.in_(sorted(brands)),
            MentionBrandTable.published_at >= since,
            MentionBrandTable.published_at < until,
            MentionTable.state == MentionState.LIVE,
            MentionTable.text.is_not(None),
        )
        .order_by(MentionBrandTable.published_at.desc(), MentionBrandTable.mention_id)
        .execution_options(yield_per=_AT_ONCE)
    )

    def texts() -> Iterator[StoredText]:
        for _, group in groupby(rows, attrgetter("id")):
            links = list(group)
            first = links[0]
            yield StoredText(
                first.id, first.published_at, first.source, first.text, first.url, frozenset(row.brand for row in links)
            )

    return islice(texts(), most)
