"""`tocsin detect`: anomalies in a series of counts."""

from __future__ import annotations

import csv
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
    from services.alert.detection.series import BadSeries, detect_rows

    if not file.is_file():
        raise CommandFailed(f"{file}: there is no such file", WRONG_CALL)
    try:
        with (
            file.open(encoding="utf-8-sig", newline="") as stream,
            written(out) as output,
            progress("detect") as advance,
        ):
            writer = csv.writer(output, lineterminator="\n")
            writer.writerow(HEADER)
            for row in detect_rows(_rows(file, csv.reader(stream), advance)):
                writer.writerow([row.timestamp, row.value, f"{row.score:.4f}", row.alert])
    except (BadSeries, csv.Error, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file}: {error}") from error


def _rows(file: Path, rows: Iterator[list[str]], advance: Advance) -> Iterator[tuple[str, str]]:
    header = next(rows, [])
    if [name.strip().lower() for name in header[:2]] != HEADER[:2]:
        raise CommandFailed(f"{file}: the first line must be 'timestamp,value', not {','.join(header)[:60]!r}")
    for row in rows:
        advance(1)
        yield (row[0], row[1]) if len(row) >= 2 else (row[0] if row else "", "")
