"""Files of mentions for the command line: `classify`, `backtest`, `replay` and `import` read them through the one normaliser."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from services.ingest.fields import read_instant
from services.ingest.languages import LanguageDetector
from services.ingest.normalising import Normaliser, RejectedMention
from services.ingest.sources.lines import BrokenLine, FileFormat, Line, UnreadableFile, read_lines
from tocsin.clock import Clock
from tocsin.contracts.events import Mention

__all__ = ["STANDARD_INPUT", "Rejected", "UnreadableFile", "newest_publication", "read_mentions", "read_numbered"]

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no mention: its number from 1, the wrong field (empty: the whole line), why, and the line itself."""

    line_number: int
    field: str
    reason: str
    raw: bytes

    def __str__(self) -> str:
        """For a person: `line 3: published_at: has no offset …`. Never the line itself."""
        return f"line {self.line_number}: {self.field + ': ' if self.field else ''}{self.reason}"

    def to_json(self) -> str:
        """For `OUT.rejected`: one JSON object with the line as it was, so that it can be mended and sent again."""
        return json.dumps(
            {
                "line": self.line_number,
                "field": self.field,
                "reason": self.reason,
                "raw": self.raw.decode("utf-8", "replace"),
            },
            ensure_ascii=False,
        )


def read_mentions(
    file: Path | BinaryIO,
    clock: Clock,
    *,
    normaliser: Normaliser | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[Mention | Rejected]:
    """Each line of a file as a mention, or as rejected with its reason, in the file's order.

    `file`: a path (`-`: standard input, JSON Lines), or a stream opened in binary. Any brand id is taken. `received_at` is
    believed where it is given, and is else the time of publication; `clock` tells what is future. Raises OSError, and
    UnreadableFile where nothing of it can be read.
    """
    for _, item in read_numbered(file, clock, normaliser=normaliser, columns=columns):
        yield item


def read_numbered(
    file: Path | BinaryIO,
    clock: Clock,
    *,
    normaliser: Normaliser | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, Mention | Rejected]]:
    """As `read_mentions`, each with the number of its line, from 1."""
    normaliser = normaliser or Normaliser(LanguageDetector())
    now = clock.now()
    with _opened(file) as (stream, form):
        for line in read_lines(stream, form, columns):
            yield line.number, _mention_of(line, normaliser, now)


def newest_publication(file: Path, columns: Mapping[str, str] | None = None) -> datetime | None:
    """The latest `published_at` (UTC) in a file, None where it has none that can be read."""
    newest: datetime | None = None
    with _opened(file) as (stream, form):
        for line in read_lines(stream, form, columns):
            value = line.value if isinstance(line, Line) and isinstance(line.value, Mapping) else {}
            try:
                at = read_instant(value.get("published_at"))
            except ValueError:
                continue  # Told when the line is read for good.
            newest = at if newest is None else max(newest, at)
    return newest


def _mention_of(line: Line | BrokenLine, normaliser: Normaliser, now: datetime) -> Mention | Rejected:
    if isinstance(line, BrokenLine):
        return Rejected(line.number, "", line.reason, line.raw)
    try:
        return normaliser.normalise(line.value, now=now)
    except RejectedMention as rejected:
        first, *others = rejected.findings
        return Rejected(line.number, first.field, "; ".join([first.reason, *map(str, others)]), line.raw)


@contextmanager
def _opened(file: Path | BinaryIO) -> Iterator[tuple[BinaryIO, FileFormat]]:
    if not isinstance(file, Path):
        yield file, FileFormat.JSON_LINES
    elif file == STANDARD_INPUT:
        yield sys.stdin.buffer, FileFormat.JSON_LINES
    else:
        with file.open("rb") as stream:
            yield stream, FileFormat.of(file)
