"""`tocsin export labels`: what people corrected, as training data."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.cli.failure import CommandFailed
from tocsin.cli.surroundings import ConfigurationFile, load_configuration, open_ready_database
from tocsin.config import Environment
from tocsin.storage import corrections

export_commands = typer.Typer(help="What Tocsin knows, for other programs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `tocsin export`."""
    app.add_typer(export_commands, name="export")


@export_commands.command("labels")
def export_labels(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: standard output.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Only this brand; may be given several times.")] = None,
    config: ConfigurationFile = None,
) -> None:
    """Write each corrected mention as a line of JSON: its text, a person's word (`label`, `risky`, `about_us`) and the network's."""
    configuration = load_configuration(config)
    count = 0
    with ExitStack() as stack:
        database = stack.enter_context(closing(open_ready_database(configuration, Environment.read())))
        session = stack.enter_context(database.read())
        try:
            target = sys.stdout if output is None else stack.enter_context(output.open("w", encoding="utf-8"))
        except OSError as error:
            raise CommandFailed(f"{output} cannot be written: {error.strerror}") from error
        for label in corrections.labels(session, brand or None):
            target.write(json.dumps(_line(label), ensure_ascii=False) + "\n")
            count += 1
    print(f"{count} corrected mentions", file=sys.stderr)


def _line(label: corrections.CorrectedLabel) -> dict[str, Any]:
    network = label.correction["network"]
    return {
        "mention_id": str(label.mention_id),
        "brand": label.brand,
        "text": label.text,
        "lang": label.language,
        "label": label.correction["sentiment"],
        "risky": label.correction["risky"],
        "about_us": label.correction["about_us"],
        "network": {"sentiment": network["sentiment"], "risk": network["risk"]},
        "at": label.correction["at"],
    }
