"""`tocsin on-call`: who was on call, for those who pay for it."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.surroundings import ConfigurationFile, load_configuration, open_ready_database
from tocsin.config import Environment
from tocsin.holiday_calendars import calendars_of

on_call_commands = typer.Typer(help="Who is on call, and was.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `tocsin on-call`."""
    app.add_typer(on_call_commands, name="on-call")


@on_call_commands.callback()
def on_call() -> None:
    """Who is on call, and was."""


@on_call_commands.command("statement")
def write_statement(
    month: Annotated[str, typer.Option(help="Such as 2026-03.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")] = None,
    config: ConfigurationFile = None,
) -> None:
    """The month's statement as CSV: hours on call, at night, on weekends, on holidays, exchanged; call-outs; a line a person."""
    from services.alert.protocol.directory import Directory
    from services.api.oncall.statements import statement

    if not re.fullmatch(r"20\d{2}-(0[1-9]|1[0-2])", month):
        raise CommandFailed(f"--month {month}: write it like 2026-03", WRONG_CALL)
    configuration = load_configuration(config)
    directory = Directory.of(configuration, calendars_of(configuration.schedules))
    with closing(open_ready_database(configuration, Environment.read())) as database, database.read() as session:
        written = statement(session, directory, date.fromisoformat(f"{month}-01"))
    if output is None:
        print(written, end="")
    else:
        output.write_text(written, encoding="utf-8", newline="")
