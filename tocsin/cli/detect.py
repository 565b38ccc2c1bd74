"""`tocsin detect`: anomalies in a series of counts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Protocol

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.files import written
from tocsin.cli.progress import Advance, progress

HEADER = ["timestamp", "value", "score", "alert"]
_LOST = re.compile("[\udc80-\udcff]")
"""Bytes that are no UTF-8, as they are read."""


def register(app: typer.Typer) -> None:
    """Add `tocsin detect`."""
    app.command("detect")(detect)


def detect(
    file: Annotated[Path, typer.Argument(help="CSV with a header: timestamp,value.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: standard output.")] = None,
) -> None:
    """Score each row of a series of counts by the rows before it, and mark where an alert begins."""
    from services.alert.detection.series import BadSeries, detect_lines

    if not file.is_file():
        raise CommandFailed(f"{file}: there is no such file", WRONG_CALL)
    try:
        with (
            # What is no UTF-8 is told with its line below; decoding by blocks would not know it.
            file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream,
            written(out) as output,
            progress("detect") as advance,
        ):
            writer = csv.writer(output, lineterminator="\n")
            writer.writerow(HEADER)
            for row in detect_lines(_rows(csv.reader(stream, strict=True), advance)):
                writer.writerow([row.timestamp, row.value, f"{row.score:.4f}", row.alert])
    except BadSeries as error:
        raise CommandFailed(f"{file}: {error}") from error
    except OSError as error:
        raise CommandFailed(f"{file}: cannot be read: {error.strerror}") from error


class _Reader(Protocol):
    """Of csv: rows, and the number of the line that the last one ended on."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


def _rows(reader: _Reader, advance: Advance) -> Iterator[tuple[int, str, str]]:
    """The rows below the header, with their lines; empty lines are left out."""
    from services.alert.detection.series import BadSeries

    found, above = False, 0
    try:
        for row in reader:
            begun, line = above + 1, reader.line_num
            above = line
            if any("\n" in value or "\r" in value for value in row[:2]):
                raise BadSeries(
                    f"line {begun}: a quotation mark that begins there is closed on line {line} only; mend the quotes"
                )
            if any(not value.isascii() and _LOST.search(value) for value in row):
                raise BadSeries(f"line {line}: is no UTF-8; save the file as UTF-8")
            if not found:
                if [name.strip().lower() for name in row[:2]] != HEADER[:2]:
                    raise BadSeries(
                        f"line {line}: must be the header 'timestamp,value', not {','.join(row)[:60]!r}; put it above the rows"
                    )
                found = True
            elif row:
                advance(1)
                yield line, row[0], row[1] if len(row) > 1 else ""
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise BadSeries(
                f"line {above + 1}: a quotation mark that begins there is never closed; mend the quotes"
            ) from error
        raise BadSeries(f"line {reader.line_num}: {error}") from error
    if not found:
        raise BadSeries("is empty; it must hold a header 'timestamp,value' and rows below it")
