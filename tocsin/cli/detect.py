"""`tocsin detect`: anomalies in a series of counts."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.files import written
from tocsin.cli.progress import Advance, progress

HEADER = ["timestamp", "value", "score", "alert"]


def register(app: typer.Typer) -> None:
    """Add `tocsin detect`."""
    app.command("detect")(detect)


def detect(
    file: Annotated[Path, typer.Argument(help="CSV with a header: timestamp,value.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: standard output.")] = None,
) -> None:
    """Score each row of a series of counts by the rows before it, and mark where an alert begins."""
    from services.alert.detection.series import SeriesError, detect_rows

    if not file.is_file():
        raise CommandFailed(f"{file}: there is no such file", WRONG_CALL)
    with file.open(encoding="utf-8-sig", newline="") as stream, written(out) as output, progress("detect") as advance:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(HEADER)
        rejected = _Rejected()
        count = 0
        try:
            for row in detect_rows(_rows(file, csv.reader(stream), advance), on_rejected=rejected):
                writer.writerow([row.timestamp, row.value, f"{row.score:.4f}", int(row.alert)])
                count += 1
        except (SeriesError, csv.Error, UnicodeDecodeError) as error:
            raise CommandFailed(f"{file}: {error}") from error
        if not count:
            raise CommandFailed(f"{file}: has no row of timestamp,value that can be read")


class _Rejected:
    """Rows that are none: told, and left out of the output."""

    def __call__(self, line: int, reason: str) -> None:
        print(f"tocsin: line {line}: {reason}", file=sys.stderr)


def _rows(file: Path, rows: Iterator[list[str]], advance: Advance) -> Iterator[tuple[str, str]]:
    header = next(rows, [])
    if [name.strip().lower() for name in header[:2]] != HEADER[:2]:
        raise CommandFailed(f"{file}: the first line must be 'timestamp,value', not {','.join(header)[:60]!r}")
    for row in rows:
        advance(1)
        yield (row[0], row[1]) if len(row) >= 2 else (row[0] if row else "", "")
