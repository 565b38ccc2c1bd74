"""What an evaluation need not read again: hours and story books that stand in the database as this process last saw them.

Nothing here is older than the database: each is found by the fingerprint that stands there now, whoever wrote it. So any number of
processes may evaluate a brand in turn, and one that has just started answers as the others do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from services.alert.detection.blocks import HourBlock, dump_block, load_block
from services.alert.detection.stories import StoryBook
from tocsin.contracts.settings.detection import StorySettings
from tocsin.storage import blocks

MOST_MENTIONS = 200_000
"""About 40 MB of blocks."""
MOST_BOOKS = 64
"""About half a megabyte each."""


class Seen:
    """The blocks and books that this process saw last. Not for sharing between threads; who asks holds the brand's lock."""

    def __init__(self, *, most_mentions: int = MOST_MENTIONS, most_books: int = MOST_BOOKS) -> None:
        """Keeps so many mentions in blocks, and so many books, those that were used last."""
        self._most_mentions, self._most_books = most_mentions, most_books
        self._mentions = 0
        self._blocks: OrderedDict[bytes, HourBlock] = OrderedDict()
        """By fingerprint."""
        self._books: OrderedDict[str, tuple[bytes, StoryBook]] = OrderedDict()
        """By brand, with its fingerprint."""

    def blocks(
        self, session: Session, brand: str, since: datetime, until: datetime
    ) -> dict[datetime, HourBlock | None]:
        """The blocks of the hours that begin from `since` (included) to `until`; None for what must be built again.

        Those of earlier hours are taken away: nobody needs them any more."""
        written = blocks.fingerprints(session, brand, until)
        there = {hour: fingerprint for hour, fingerprint in written.items() if hour >= since}
        if len(there) < len(written):
            blocks.forget(session, brand, since)
        found = {hour: self._blocks.get(fingerprint) for hour, fingerprint in there.items()}
        unseen = [hour for hour, block in found.items() if block is None]
        if unseen:
            found |= {hour: load_block(data) for hour, data in blocks.load(session, brand, unseen).items()}
        for hour, block in found.items():
            if block is not None:
                self._keep(there[hour], block)
        return found

    def write_blocks(self, session: Session, brand: str, changed: Mapping[datetime, HourBlock]) -> None:
        """Write these blocks."""
        written = {hour: dump_block(block) for hour, block in changed.items()}
        blocks.save(session, brand, written)
        for hour, data in written.items():
            self._keep(data[: blocks.FINGERPRINT], changed[hour])

    def book(self, session: Session, brand: str, settings: StorySettings) -> StoryBook:
        """The story book of a brand, an empty one where it has none; whoever changes it writes it."""
        # Out of the shelf while it is changed: should the transaction fail, nobody takes it for what is written.
        kept = self._books.pop(brand, None)
        if kept is not None and kept[1].settings == settings and kept[0] == blocks.book_fingerprint(session, brand):
            return kept[1]
        return StoryBook(settings, blocks.load_book(session, brand))

    def write_book(self, session: Session, brand: str, book: StoryBook) -> None:
        """Write the story book of a brand."""
        data = book.dump()
        blocks.save_book(session, brand, data)
        self._books[brand] = data[: blocks.FINGERPRINT], book
        while len(self._books) > self._most_books:
            self._books.popitem(last=False)

    def _keep(self, fingerprint: bytes, block: HourBlock) -> None:
        if fingerprint not in self._blocks:
            self._blocks[fingerprint] = block
            self._mentions += len(block.ids)
        self._blocks.move_to_end(fingerprint)
        while self._mentions > self._most_mentions and len(self._blocks) > 1:
            _, forgotten = self._blocks.popitem(last=False)
            self._mentions -= len(forgotten.ids)
