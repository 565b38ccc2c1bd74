"""`tocsin replay` and `tocsin import`: a file's mentions onto the bus, or as history into the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.files import STANDARD, mentions_of, nothing_valid
from tocsin.cli.history import import_history
from tocsin.cli.networks import open_labeller
from tocsin.cli.progress import progress
from tocsin.cli.surroundings import ConfigurationFile, clock_of, load_configuration, open_configured_bus, open_database
from tocsin.clock import Clock
from tocsin.config import Configuration, Environment
from tocsin.contracts.events import Mention
from tocsin.contracts.topics import FLOW
from tocsin.matching import BrandMatcher
from tocsin.process import stop_on_signals

if TYPE_CHECKING:
    from services.ingest.replay import Pace, Replayed


def register(app: typer.Typer) -> None:
    """Add `tocsin replay` and `tocsin import`."""
    app.command("replay")(replay)
    app.command("import")(import_)


def replay(
    file: Annotated[Path, typer.Argument(help="Mentions, JSON Lines or CSV.")],
    speed: Annotated[
        str, typer.Option(help="How many times as fast as it happened, such as 60; max: as fast as the bus takes it.")
    ] = "1",
    as_now: Annotated[
        bool, typer.Option("--as-now", help="Shift the file to now: its mentions then count, and may wake people.")
    ] = False,
    config: ConfigurationFile = None,
) -> None:
    """Put a file's mentions on the bus. Without --as-now they are history: they teach the baseline and wake nobody."""
    from services.ingest.publisher import Publisher
    from services.ingest.replay import replay as play
    from services.ingest.routing import Router

    configuration, environment, clock = _opened(config)
    pace = _pace(speed, as_now, file)
    stop = threading.Event()
    stop_on_signals(stop)
    with (
        mentions_of(file, None, clock) as (mentions, rejected),
        closing(open_configured_bus(configuration, environment, clock)) as bus,
        progress("replay") as advance,
    ):
        bus.ensure_topics(FLOW)
        publisher = Publisher(bus.producer(), Router(configuration.brands), clock)
        told = 0

        def tell(done: Replayed) -> None:
            nonlocal told
            advance(done.lines - told)
            told = done.lines

        done = play(mentions, publisher, pace, clock=clock, stop=stop, progress=tell)
        publisher.close()
        if not done.lines:
            raise nothing_valid(file, rejected)
    print(f"{done.published} published, {done.unmatched} about no brand, {rejected.count} rejected.")
    if not done.finished:
        raise CommandFailed(
            "stopped before the end of the file; the same command again sends the rest, doubles are harmless"
        )


def import_(
    file: Annotated[Path, typer.Argument(help="Mentions, JSON Lines or CSV; '-': standard input.")],
    config: ConfigurationFile = None,
) -> None:
    """Label history and write it into the database, to warm a brand's baseline; it wakes nobody."""
    from services.alert.handler import AlertHandler
    from services.alert.pseudonyms import Pseudonyms
    from services.classify.handler import ClassifyHandler
    from services.ingest.routing import Outcome, Router

    configuration, environment, clock = _opened(config)
    router = Router(configuration.brands)
    unmatched = 0

    def with_brands(mentions: Iterator[Mention]) -> Iterator[Mention]:
        nonlocal unmatched
        for mention in mentions:
            routed = router.route([mention])
            router.remember(routed)
            if routed[0].outcome is Outcome.PUBLISHED and isinstance(routed[0].event, Mention):
                yield routed[0].event
            else:
                unmatched += 1

    with (
        mentions_of(file, None, clock) as (mentions, rejected),
        closing(open_database(configuration, environment)) as database,
        closing(open_configured_bus(configuration, environment, clock)) as bus,
        progress("import") as advance,
    ):
        database.upgrade()
        labeller = open_labeller(configuration.classifier)
        classify = ClassifyHandler(labeller, BrandMatcher.of_brands(configuration.brands), clock, partitions=1)
        alert = AlertHandler(database, clock, configuration.detection, bus, Pseudonyms(configuration.privacy))
        imported = import_history(with_brands(mentions), classify, alert, clock, advance)
        if not imported and not unmatched:
            raise nothing_valid(file, rejected)
    print(f"{imported} imported, {unmatched} about no brand, {rejected.count} rejected.")


def _opened(config: Path | None) -> tuple[Configuration, Environment, Clock]:
    environment = Environment.read()
    return load_configuration(config), environment, clock_of(environment)


def _pace(speed: str, as_now: bool, file: Path) -> Pace:
    from services.ingest.reading import newest_publication
    from services.ingest.replay import Pace

    if file == STANDARD and as_now and speed == "max":
        raise CommandFailed(
            "--as-now --speed max must know the file's end first; give a file, not standard input", WRONG_CALL
        )
    if not file.is_file() and file != STANDARD:
        raise CommandFailed(f"{file}: there is no such file", WRONG_CALL)
    try:
        if speed == "max":
            return Pace(None, as_now, newest_publication(file) if as_now else None)
        return Pace(float(speed), as_now)
    except ValueError as error:
        raise CommandFailed(f"--speed {speed}: write a number such as 60, or max ({error})", WRONG_CALL) from error
