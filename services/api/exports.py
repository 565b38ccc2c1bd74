"""Mentions as files: JSON Lines, CSV and XLSX, written a batch at a time so that a million rows need no more memory than a thousand.

What was said is hostile: a cell that a spreadsheet would compute is made text in CSV (an apostrophe before it, as OWASP
advises), and in XLSX every text is written as text. JSON Lines gives everything as it is.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Any

import xlsxwriter

from services.api.schemas import MentionAnswer

Batches = Iterable[Sequence[MentionAnswer]]
Cell = str | int | float | datetime | None

MOST_SHEET_ROWS = 1_048_575
"""Rows of an Excel sheet below its head; what is more goes on in the next sheet."""
LONGEST_CELL = 32_767
"""Characters of an Excel cell; a longer text is cut there."""
_PIECE = 256 * 1024
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class ExportFormat(StrEnum):
    """What a file is written in."""

    JSONL = "jsonl"
    """One JSON object a line, as in `GET /v1/mentions`."""
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """What the answer says it is."""
        return {
            ExportFormat.JSONL: "application/jsonl",
            ExportFormat.CSV: "text/csv; charset=utf-8",
            ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }[self]


class SpreadsheetHabit(StrEnum):
    """Whose spreadsheet a CSV file is for."""

    STANDARD = "standard"
    """RFC 4180: commas, points in numbers, RFC 3339 instants, no byte order mark."""
    FRENCH = "fr"
    """Semicolons, decimal commas, `2026-03-10 21:30:00` (UTC), and a byte order mark: what a French Excel opens by itself."""


def _network_sentiment(mention: MentionAnswer) -> str | None:
    said = mention.correction.network_sentiment if mention.correction else None
    return said.value if said else None


_COLUMNS: dict[str, Callable[[MentionAnswer], Cell]] = {
    "id": lambda mention: str(mention.id),
    "brand": lambda mention: mention.brand,
    "state": lambda mention: mention.state,
    "source": lambda mention: mention.source,
    "source_kind": lambda mention: mention.source_kind,
    "native_id": lambda mention: mention.native_id,
    "published_at": lambda mention: mention.published_at,
    "text": lambda mention: mention.text,
    "url": lambda mention: mention.url,
    "language": lambda mention: mention.language,
    "outlet": lambda mention: mention.outlet,
    "author.key": lambda mention: mention.author.key,
    "author.name": lambda mention: mention.author.name,
    "author.followers": lambda mention: mention.author.followers,
    "author.role": lambda mention: mention.author.role,
    "engagement.likes": lambda mention: mention.engagement.likes,
    "engagement.reposts": lambda mention: mention.engagement.reposts,
    "engagement.replies": lambda mention: mention.engagement.replies,
    "engagement.views": lambda mention: mention.engagement.views,
    "rating.value": lambda mention: mention.rating.value if mention.rating else None,
    "rating.best": lambda mention: mention.rating.best if mention.rating else None,
    "labels": lambda mention: mention.labels,
    "relevance": lambda mention: mention.relevance,
    "sentiment.label": lambda mention: mention.sentiment.label.value if mention.sentiment else None,
    "sentiment.negative": lambda mention: mention.sentiment.scores.negative if mention.sentiment else None,
    "sentiment.neutral": lambda mention: mention.sentiment.scores.neutral if mention.sentiment else None,
    "sentiment.positive": lambda mention: mention.sentiment.scores.positive if mention.sentiment else None,
    "risk.score": lambda mention: mention.risk.score if mention.risk else None,
    "risk.kinds": lambda mention: " ".join(item.kind.value for item in mention.risk.kinds) if mention.risk else None,
    "toxicity": lambda mention: mention.toxicity,
    "story": lambda mention: mention.story,
    "correction.by": lambda mention: mention.correction.by if mention.correction else None,
    "correction.at": lambda mention: mention.correction.at if mention.correction else None,
    "correction.network_sentiment": _network_sentiment,
    "correction.network_risk": lambda mention: mention.correction.network_risk if mention.correction else None,
}


def columns_of(fields: Sequence[str] | None) -> list[str]:
    """The columns of CSV and XLSX for fields of a mention (None: all), parts of an object each in a column of its own."""
    if fields is None:
        return list(_COLUMNS)
    return [column for field in fields for column in _COLUMNS if column.split(".")[0] == field]


def json_lines(batches: Batches, fields: Sequence[str] | None) -> Iterator[bytes]:
    """One JSON object a line."""
    included = None if fields is None else set(fields)
    for batch in batches:
        yield "".join(mention.model_dump_json(include=included) + "\n" for mention in batch).encode()


def comma_separated(batches: Batches, columns: Sequence[str], habit: SpreadsheetHabit) -> Iterator[bytes]:
    """A head, then one row a mention, in UTF-8 with CRLF."""
    french = habit is SpreadsheetHabit.FRENCH
    readers = [_COLUMNS[column] for column in columns]
    written = io.StringIO(newline="")
    if french:
        written.write(_BYTE_ORDER_MARK)
    writer = csv.writer(written, delimiter=";" if french else ",")
    writer.writerow(columns)
    for batch in batches:
        writer.writerows([_plain(read(mention), french=french) for read in readers] for mention in batch)
        yield _taken(written)
    yield _taken(written)


def workbook(batches: Batches, columns: Sequence[str]) -> Iterator[bytes]:
    """An Excel file. It is made on disk, because its table of contents comes last, and begins to flow when it is whole."""
    with tempfile.TemporaryFile(prefix="tocsin-export-") as file:
        _write_workbook(file, batches, columns)
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _write_workbook(file: IO[bytes], batches: Batches, columns: Sequence[str]) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(file, options)
    instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    readers = [_COLUMNS[column] for column in columns]
    sheet, row = None, MOST_SHEET_ROWS
    for mention in _one_by_one(batches):
        if sheet is None or row == MOST_SHEET_ROWS:
            sheet, row = _new_sheet(book, columns), 0
        row += 1
        for column, read in enumerate(readers):
            _write_cell(sheet, row, column, read(mention), instant)
    if sheet is None:
        _new_sheet(book, columns)
    book.close()


def _new_sheet(book: Any, columns: Sequence[str]) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(columns):
        sheet.write_string(0, column, f"{name} (UTC)" if name.endswith("_at") else name)
    return sheet


def _write_cell(sheet: Any, row: int, column: int, value: Cell, instant: Any) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value[:LONGEST_CELL])
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), instant)
    elif value is not None:
        sheet.write_number(row, column, value)


def _plain(value: Cell, *, french: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_COMPUTED) else value
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
        return at.strftime("%Y-%m-%d %H:%M:%S") if french else at.isoformat().replace("+00:00", "Z")
    return str(value).replace(".", ",") if french else str(value)


def _one_by_one(batches: Batches) -> Iterator[MentionAnswer]:
    for batch in batches:
        yield from batch


def _taken(written: io.StringIO) -> bytes:
    piece = written.getvalue().encode()
    written.seek(0)
    written.truncate()
    return piece
