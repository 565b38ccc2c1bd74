"""`tocsin backtest`: when would the bell have rung?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.classify import BATCH, classified
from tocsin.cli.failure import CommandFailed
from tocsin.cli.files import mentions_of, nothing_valid, written
from tocsin.cli.networks import open_labeller, rates_of_network
from tocsin.cli.progress import Advance, progress
from tocsin.cli.surroundings import ConfigurationFile, load_configuration
from tocsin.config import Configuration
from tocsin.contracts.events import ClassifiedMention, Mention
from tocsin.matching import BrandMatcher

if TYPE_CHECKING:
    from services.alert.detection.state import BrandProfile


def register(app: typer.Typer) -> None:
    """Add `tocsin backtest`."""
    app.command("backtest")(backtest)


def backtest(
    file: Annotated[
        Path, typer.Argument(help="Mentions, JSON Lines or CSV, in the order in which they came; '-': standard input.")
    ],
    gold_sentiment: Annotated[
        bool, typer.Option("--gold-sentiment", help="Use each line's human `sentiment` instead of the classifier.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: standard output.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw it too: one HTML page that needs no network.", show_default=False),
    ] = None,
    config: ConfigurationFile = None,
) -> None:
    """Replay a file in its own order through the same detection as a live run: one JSON line a change of level."""
    from services.alert.detection.backtest import EXACT, replay, to_json
    from tocsin.cli.plot import Plot

    configuration = load_configuration(config)
    rates = EXACT if gold_sentiment else rates_of_network(configuration.classifier)
    with mentions_of(file, out) as (mentions, rejected), written(out) as output, progress("backtest") as advance:
        counted = _Counted(advance, configuration.detection.lateness.late_after)
        records = (
            _with_human_labels(counted(mentions))
            if gold_sentiment
            else _with_own_labels(counted(mentions), configuration)
        )
        drawn = Plot(rates)
        for judgement in replay(drawn.listening(records), configuration.detection, rates, _profiles(configuration)):
            drawn.see(judgement)
            if judgement.event is not None:
                print(json.dumps(to_json(judgement), ensure_ascii=False), file=output, flush=True)
        if not counted.count:
            raise nothing_valid(file, rejected)
        counted.warn_of_the_order(file)
        if plot is not None:
            with written(plot) as page:
                page.write(drawn.page(file.name))


class _Counted:
    """Counts what goes through, and what is far older than the lines before it."""

    def __init__(self, advance: Advance, late_after: timedelta) -> None:
        self.count = 0
        self._late = 0
        self._late_after = late_after
        self._advance = advance

    def __call__(self, mentions: Iterator[Mention]) -> Iterator[Mention]:
        newest: datetime | None = None
        for mention in mentions:
            self.count += 1
            newest = mention.published_at if newest is None else max(newest, mention.published_at)
            self._late += newest - mention.published_at > self._late_after
            self._advance(1)
            yield mention

    def warn_of_the_order(self, file: Path) -> None:
        """A file that was exported with the newest first would be judged as one backlog, and silently raise nothing."""
        if self._late > self.count / 2:
            print(
                f"tocsin: {file}: {self._late} of {self.count} mentions are far older than those before them, so they came late "
                "and wake nobody. If that is not how they came, sort it by published_at",
                file=sys.stderr,
            )


def _with_own_labels(mentions: Iterator[Mention], configuration: Configuration) -> Iterator[ClassifiedMention]:
    labeller = open_labeller(configuration.classifier)
    matcher = BrandMatcher.of_brands(configuration.brands)
    while batch := list(islice(mentions, BATCH)):
        yield from classified(batch, labeller, matcher, first_brand_only=False)


def _with_human_labels(mentions: Iterator[Mention]) -> Iterator[ClassifiedMention]:
    from services.alert.detection.backtest import gold_record

    for mention in mentions:
        if mention.sentiment is None:
            raise CommandFailed(
                f"mention {mention.native_id} of {mention.source} has no human sentiment; --gold-sentiment needs one on "
                "every line (negative, neutral or positive). Leave the option out to use the classifier"
            )
        for brand in mention.brands or ("",):
            yield gold_record(mention, brand)


def _profiles(configuration: Configuration) -> dict[str, BrandProfile]:
    from services.alert.detection.state import BrandProfile

    return {brand.id: BrandProfile(id=brand.id, time_zone=brand.time_zone) for brand in configuration.brands}
