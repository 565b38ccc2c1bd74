"""The `tocsin` command."""

from __future__ import annotations

import os
import sys

import typer

from tocsin.cli import administration, backtest, check, classify, delivery, detect, export, mentions, oncall, run
from tocsin.cli.demo import command as demo
from tocsin.cli.failure import EXPECTED, status_of, tell

app = typer.Typer(
    name="tocsin",
    help="An alarm bell for brands: notices a bad buzz early and wakes the right person.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for commands in (demo, run, classify, backtest, detect, mentions, check, oncall, administration, delivery, export):
    commands.register(app)


def main() -> None:
    """Run the command line; expected errors are told in words and end with the status that house and README promise."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone (`tocsin classify … | head`): no error of ours, and no more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except EXPECTED as error:
        tell(error)
        sys.exit(status_of(error))


if __name__ == "__main__":
    main()
