"""A file of mentions as a source: read once, from where its cursor stands."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.ingest.sources.lines import BrokenLine, FileFormat, Line, UnreadableFile, read_lines
from services.ingest.sources.port import Batch, Cursor, RawItem, RawMention, SourceUnavailable, Unreadable
from tocsin.contracts.settings.sources import FileSource as FileSettings

BATCH_SIZE = 200
"""Lines after which the cursor is saved; so many may be published twice after a crash."""


class FileSource:
    """Reads JSON Lines or CSV. Its cursor counts the lines that are done; a file that grows later needs an id of its own."""

    kind = "file"
    every = None

    def __init__(self, settings: FileSettings) -> None:
        self.id = settings.id
        self._settings = settings

    def read(self, cursor: Cursor | None, stop: threading.Event) -> Iterator[Batch]:
        """The lines after the cursor's, in batches. Raises SourceUnavailable where the file is not there or not readable."""
        done = int((cursor or {}).get("lines", 0))
        if cursor and cursor.get("finished"):
            return
        try:
            with self._settings.path.open("rb") as stream:
                lines = read_lines(stream, FileFormat.of(self._settings.path), self._settings.columns)
                if sum(1 for _ in islice(lines, done)) < done:
                    raise SourceUnavailable(
                        f"{self._settings.path} has fewer than the {done} lines that were read of it before; "
                        "a new file needs a source with an id of its own"
                    )
                while not stop.is_set():
                    piece = tuple(self._item(line) for line in islice(lines, BATCH_SIZE))
                    done += len(piece)
                    yield Batch(piece, {"lines": done, "finished": not piece})
                    if not piece:
                        return
        except (OSError, UnreadableFile) as error:
            raise SourceUnavailable(f"{self._settings.path} cannot be read: {error}") from error

    def _item(self, line: Line | BrokenLine) -> RawItem:
        place = f"{self._settings.path.name}:{line.number}"
        if isinstance(line, BrokenLine):
            return Unreadable(place, line.reason, line.raw)
        return RawMention(self._with_defaults(line.value), place)

    def _with_defaults(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        fields = dict(value)
        if self._settings.source is not None:
            fields.setdefault("source", self._settings.source)
        brands = fields.get("brands")
        if self._settings.brands and (brands is None or isinstance(brands, list)):
            fields["brands"] = [*(brands or []), *self._settings.brands]
        return fields
