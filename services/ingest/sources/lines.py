"""Files of mentions, line by line: JSON Lines or CSV, gzipped or not. A broken line is told, and the rest goes on."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

LONGEST_LINE_BYTES = 4_000_000
"""A longer line is no mention; what is too long in it is passed over without being held in memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_LIST_SEPARATOR = re.compile(r"[,;|]")


class UnreadableFile(ValueError):
    """The whole file cannot be read as mentions; the message says why and how to mend it."""


class FileFormat(StrEnum):
    """How the mentions of a file are written."""

    JSON_LINES = "json lines"
    CSV = "csv"

    @classmethod
    def of(cls, path: Path) -> FileFormat:
        """By the file's ending, `.gz` aside: `.csv` and `.tsv` are CSV, everything else JSON Lines."""
        name = path.name.lower().removesuffix(".gz")
        return cls.CSV if name.endswith((".csv", ".tsv")) else cls.JSON_LINES


@dataclass(frozen=True, slots=True)
class Line:
    """One line (in CSV: one row) as a JSON value, and as it was; `number` is that of its last line, from 1."""

    number: int
    value: Any
    raw: bytes


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """One line that cannot be read; `raw` holds its bytes, the beginning of them where they are too many."""

    number: int
    reason: str
    raw: bytes


def read_lines(
    stream: BinaryIO, form: FileFormat = FileFormat.JSON_LINES, columns: Mapping[str, str] | None = None
) -> Iterator[Line | BrokenLine]:
    """The lines of a file, opened in binary; gzip is told by its first bytes. Empty lines are passed over.

    `columns`: which field a CSV column is (`author.id` for a part); others go by their own name. Raises UnreadableFile where
    nothing of it can be read.
    """
    lines = _numbered(stream)
    return _csv_rows(lines, columns or {}) if form is FileFormat.CSV else map(_json_line, lines)


def parse_json(raw: bytes) -> Any:
    """A JSON value. Raises ValueError, saying what is wrong and where, but not what stands there."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply to be a mention") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"is no JSON: {name} is no number there")


def _json_line(line: Line | BrokenLine) -> Line | BrokenLine:
    if isinstance(line, BrokenLine):
        return line
    try:
        return Line(line.number, parse_json(line.raw), line.raw)
    except ValueError as error:
        return BrokenLine(line.number, str(error), line.raw)


def _numbered(stream: BinaryIO) -> Iterator[Line | BrokenLine]:
    """The lines as bytes, without their ends; too long ones, and the place where a compressed file breaks off, as broken."""
    number = 0
    try:
        source = _decompressed(stream)
        while raw := source.readline(LONGEST_LINE_BYTES):
            number += 1
            if len(raw) == LONGEST_LINE_BYTES and not raw.endswith(b"\n"):
                while (rest := source.readline(LONGEST_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield BrokenLine(number, f"is longer than {LONGEST_LINE_BYTES:,} bytes", raw[:1000])
                continue
            if number == 1:
                if raw.startswith(_OTHER_ENCODINGS):
                    raise UnreadableFile("the file is UTF-16; save it as UTF-8")
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            raw = raw.rstrip(b"\r\n")
            if raw.strip():
                yield Line(number, None, raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield BrokenLine(number + 1, f"the compressed file breaks off here ({error}); get it again", b"")


def _decompressed(stream: BinaryIO) -> BinaryIO:
    reader = stream if isinstance(stream, BufferedReader) else BufferedReader(stream)  # type: ignore[type-var]
    if reader.peek(2)[:2] == _GZIP_MAGIC:
        return gzip.GzipFile(fileobj=reader)  # type: ignore[return-value]
    return reader


def _csv_rows(lines: Iterator[Line | BrokenLine], columns: Mapping[str, str]) -> Iterator[Line | BrokenLine]:
    taken: list[Line] = []
    broken: list[BrokenLine] = []

    def texts() -> Iterator[str]:
        for line in lines:
            if isinstance(line, BrokenLine):
                broken.append(line)
                continue
            taken.append(line)
            # Bytes that are no UTF-8 become lone surrogates here, and are looked for in each row.
            yield line.raw.decode("utf-8", "surrogateescape") + "\n"

    source = texts()
    first = next(source, None)
    if first is None:
        yield from broken
        return
    delimiter = max(_DELIMITERS, key=first.count)
    header = next(csv.reader([first], delimiter=delimiter))
    paths = [columns.get(name.strip(), name.strip()) for name in header]
    missing = {"source", "native_id", "published_at"} - set(paths)
    if missing - {"source"}:
        raise UnreadableFile(
            f"the first line must name the columns; {', '.join(sorted(missing))} is not among them: "
            "add them, or say under `columns` which column is which field"
        )
    taken.clear()
    rows = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(rows, None)
            reason = "" if row is None else _row_problem(row, len(header))
        except csv.Error as error:
            row, reason = [], f"is no row of CSV: {error}"
        yield from broken
        broken.clear()
        if row is None:
            return
        number, raw = taken[-1].number if taken else 1, b"\n".join(line.raw for line in taken)
        taken.clear()
        yield BrokenLine(number, reason, raw) if reason else Line(number, _nested(paths, row), raw)


def _row_problem(row: list[str], width: int) -> str:
    if len(row) != width:
        return f"has {len(row)} columns, the first line has {width}"
    if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
        return "is not UTF-8; save the file as UTF-8"
    return ""


def _nested(paths: list[str], row: list[str]) -> dict[str, Any]:
    """`author.id` as `{"author": {"id": …}}`; empty cells are absent."""
    value: dict[str, Any] = {}
    for path, cell in zip(paths, row, strict=True):
        if not path or not cell.strip():
            continue
        name, _, part = path.partition(".")
        if name == "brands":
            value[name] = [brand.strip() for brand in _LIST_SEPARATOR.split(cell) if brand.strip()]
        elif name == "media":
            value[name] = [{part or "url": cell}]
        elif part:
            inner = value.setdefault(name, {})
            if isinstance(inner, dict):
                inner[part] = cell
        else:
            value[name] = cell
    return value
