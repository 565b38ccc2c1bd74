"""`tocsin backtest`: when would the bell have rung?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tocsin.cli.backtest_sources import FromDatabase, FromFile
from tocsin.cli.compared import BrandCompared, json_of, lines_of
from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.files import mentions_of, written
from tocsin.cli.language import Language, SpokenLanguage, spoken
from tocsin.cli.networks import rates_of_network
from tocsin.cli.past import past_of
from tocsin.cli.plot import Plot
from tocsin.cli.progress import progress
from tocsin.cli.surroundings import ConfigurationFile, load_configuration
from tocsin.config import CONFIGURATION_FILE, Configuration, load
from tocsin.contracts.settings.brands import BrandSettings

if TYPE_CHECKING:
    from services.alert.detection.observations import HarmfulRates
    from services.alert.detection.replaying import Heard
    from services.alert.detection.state import BrandProfile, Judgement


def register(app: typer.Typer) -> None:
    """Add `tocsin backtest`."""
    app.command("backtest")(backtest)


def backtest(  # noqa: PLR0917 - typer names them
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Mentions, JSON Lines or CSV, in the order in which they came; '-': standard input.",
            show_default=False,
        ),
    ] = None,
    gold_sentiment: Annotated[
        bool, typer.Option("--gold-sentiment", help="Use each line's human `sentiment` instead of the classifier.")
    ] = False,
    from_database: Annotated[
        bool,
        typer.Option(
            "--from-database",
            help="Replay what the database holds, with its labels and times of receipt, brand by brand.",
        ),
    ] = False,
    brand: Annotated[
        list[str] | None,
        typer.Option(help="With --from-database: only this brand; may be given several times.", show_default=False),
    ] = None,
    live_only: Annotated[
        bool,
        typer.Option(
            "--live-only",
            help="With --from-database: what was imported or replayed teaches and wakes nobody, as it did then. Without, it is "
            "judged as though it had come live.",
        ),
    ] = False,
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            help="Another tocsin.yaml: say which alerts would appear, vanish or change.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --compare: JSON instead of a table.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: standard output.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw it too: one HTML page that needs no network.", show_default=False),
    ] = None,
    language: SpokenLanguage = None,
    config: ConfigurationFile = None,
) -> None:
    """Replay a file, or the database, through the same detection as a live run: one JSON line a change of level.

    Exit status: 0 done, also where a comparison finds differences; 1 there was nothing to replay, or reading failed; 2 the call or a
    configuration is wrong.
    """
    from services.alert.detection.backtest import EXACT

    _check_call(
        file,
        compare,
        gold=gold_sentiment,
        database=from_database,
        of_database=bool(brand or live_only),
        as_json=as_json,
    )
    configuration = load_configuration(config)
    settings = [(_name_of(config), configuration)]
    if compare is not None:
        settings.append((str(compare), _other(compare)))
    drawn = None if plot is None else Plot()
    with ExitStack() as stack:
        advance = stack.enter_context(progress("backtest"))
        source: FromFile | FromDatabase
        if file is None:
            past = stack.enter_context(past_of(configuration, brand or (), live_only=live_only))
            source = FromDatabase(past, advance)
        else:
            source = FromFile(
                file, *stack.enter_context(mentions_of(file, out)), configuration, advance, gold=gold_sentiment
            )
        output = stack.enter_context(written(out))
        brands = [each.brands or configuration.brands or settings[-1][1].brands for _, each in settings]
        runs = [
            _Run(
                each,
                profiles_of(known),
                EXACT if gold_sentiment else rates_of_network(each.classifier),
                drawn,
                name if compare else None,
            )
            for (name, each), known in zip(settings, brands, strict=True)
        ]
        for heard, until in source.streams():
            # Closed at once if anything fails: a transaction must not outlive its database.
            with closing(heard):
                for judgement in _replayed(heard, until, runs):
                    if compare is None and judgement.event is not None:
                        _write_change(judgement, output)
        source.check_end()
        if compare is not None:
            _write_comparison(runs, settings, source, output, as_json=as_json, language=spoken(language))
        if drawn is not None and plot is not None:
            with written(plot) as page:
                page.write(drawn.page(source.title))


def _check_call(
    file: Path | None, compare: Path | None, *, gold: bool, database: bool, of_database: bool, as_json: bool
) -> None:
    """Refuse options that contradict each other or would do nothing."""
    if database and file is not None:
        raise CommandFailed(f"--from-database replays the database, not {file}; leave out one of the two", WRONG_CALL)
    if not database and file is None:
        raise CommandFailed("give a file of mentions ('-': standard input), or --from-database", WRONG_CALL)
    if database and gold:
        raise CommandFailed(
            "--gold-sentiment needs a file with human labels; the database is replayed with the labels that it holds",
            WRONG_CALL,
        )
    if of_database and not database:
        raise CommandFailed("--brand and --live-only belong to --from-database", WRONG_CALL)
    if as_json and compare is None:
        raise CommandFailed("--json belongs to --compare; without it the output is JSON Lines already", WRONG_CALL)


def _other(compare: Path) -> Configuration:
    if not compare.is_file():
        raise CommandFailed(
            f"--compare {compare}: there is no such file; name a tocsin.yaml with the other settings", WRONG_CALL
        )
    return load(compare)


def _name_of(config: Path | None) -> str:
    if config is not None:
        return str(config)
    return CONFIGURATION_FILE if Path(CONFIGURATION_FILE).exists() else "the defaults"


def _replayed(heard: Iterable[Heard], until: datetime | None, runs: Sequence[_Run]) -> Iterator[Judgement]:
    """One pass over the mentions for all settings; the judgements of each."""
    for run in runs:
        run.begin()
    for item in heard:
        for run in runs:
            yield from run.take(item)
    if until is not None:
        for run in runs:
            yield from run.until(until)


class _Run:
    """The replay under one settings file: remembers the changes of level where two are compared, and draws."""

    def __init__(
        self,
        configuration: Configuration,
        profiles: Mapping[str, BrandProfile],
        rates: HarmfulRates,
        plot: Plot | None,
        name: str | None,
    ) -> None:
        """`name`: of the file, where two are compared."""
        self.changes: dict[str, list[Judgement]] = {}
        self._settings = configuration.detection
        self._profiles = profiles
        self._rates = rates
        self._plot = plot
        self._name = name

    def begin(self) -> None:
        """A new stream begins, with nothing known."""
        from services.alert.detection.replaying import Replay

        self._replay = Replay(self._settings, self._rates, self._profiles)

    def take(self, item: Heard) -> Iterator[Judgement]:
        """Replay one mention."""
        if self._plot is not None:
            self._plot.hear(self._shown(item.brand), item.observation, self._rates)
        return self._seen(self._replay.take(item))

    def until(self, moment: datetime) -> Iterator[Judgement]:
        """Replay what passed after the last mention."""
        return self._seen(self._replay.until(moment))

    def _seen(self, judgements: Iterable[Judgement]) -> Iterator[Judgement]:
        for judgement in judgements:
            if self._plot is not None:
                self._plot.see(judgement, self._shown(judgement.brand))
            if self._name is not None and judgement.event is not None:
                # The rest of the evidence would be held for every alert of years.
                self.changes.setdefault(judgement.brand, []).append(replace(judgement, evidence={}, measures=()))
            yield judgement

    def _shown(self, brand: str) -> str:
        return brand if self._name is None else f"{brand} · {self._name}"


def _write_change(judgement: Judgement, output: TextIO) -> None:
    from services.alert.detection.backtest import to_json

    print(json.dumps(to_json(judgement), ensure_ascii=False), file=output, flush=True)


def _write_comparison(
    runs: Sequence[_Run],
    settings: Sequence[tuple[str, Configuration]],
    source: FromFile | FromDatabase,
    output: TextIO,
    *,
    as_json: bool,
    language: Language,
) -> None:
    from services.alert.detection.comparison import alerts_of, compare

    past = source.past
    names = (settings[0][0], settings[1][0])
    configured = [{brand.id for brand in each.brands} for _, each in settings]
    if not all(configured):
        # One of the two is about settings alone: the brands are those of the other.
        configured = [set(), set()]
    incidents = None if past is None else past.incidents()
    brands = []
    for brand in past.brands if past is not None else sorted({*runs[0].changes, *runs[1].changes}):
        has = [brand in ids for ids in configured]
        brands.append(
            BrandCompared(
                brand,
                compare(*(alerts_of(run.changes.get(brand, ())) for run in runs)),
                None if incidents is None else incidents[brand],
                None if has[0] == has[1] else names[has.index(True)],
            )
        )
    if as_json:
        numbers = (
            {}
            if past is None
            else {
                brand: {"mentions": past.mentions.get(brand, 0), "imported": past.imported.get(brand, 0)}
                for brand in past.brands
            }
        )
        told = json_of(brands, names, None if past is None else past.until, numbers)
        print(json.dumps(told, ensure_ascii=False, indent=2), file=output)
        return
    for line in lines_of(brands, names, language):
        print(line, file=output)


def profiles_of(brands: Iterable[BrandSettings]) -> dict[str, BrandProfile]:
    """What detection knows of configured brands."""
    from services.alert.detection.state import BrandProfile

    return {brand.id: BrandProfile(id=brand.id, time_zone=brand.time_zone) for brand in brands}
