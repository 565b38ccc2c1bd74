"""`tocsin check`: is the configuration right, and does the protocol reach somebody at every minute of the next weeks?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from typer.core import TyperCommand

from tocsin import yaml_places
from tocsin.cli.doubts import doubts
from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.language import Language, SpokenLanguage, spoken
from tocsin.cli.networks import network_findings
from tocsin.cli.surroundings import clock_of, open_ready_database
from tocsin.clock import SystemClock
from tocsin.config import CONFIGURATION_FILE, Configuration, Environment, compose, look_at
from tocsin.holiday_calendars import calendars_of
from tocsin.templating import TemplateRefused, fill_in

if TYPE_CHECKING:
    from services.alert.protocol.directory import Directory
    from tocsin.contracts.oncall import Override

ERROR, WARNING = "error", "warning"
ENDS_SOON = timedelta(days=3)
"""A setting of run time that ends so soon is told by `--database`."""
HISTORY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """One thing about a file: where, how grave, what, and how to mend it."""

    severity: str
    text: str


class _HistoryWithOrWithoutDays(TyperCommand):
    """Lets `--history` stand alone, and before a number or a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args, ""][1:]
        completed = [
            f"{arg}={HISTORY_DAYS}" if arg == "--history" and not after.isdigit() else arg
            for arg, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, completed)


def register(app: typer.Typer) -> None:
    """Add `tocsin check`."""
    app.command("check", cls=_HistoryWithOrWithoutDays)(check)


def check(
    file: Annotated[Path, typer.Argument(help="The configuration.")] = Path(CONFIGURATION_FILE),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of tocsin.yaml, for editors, and check nothing.")
    ] = False,
    database: Annotated[
        bool,
        typer.Option(
            "--database",
            help="Also what people set at run time: do settings still fit this file, which end soon, what do exchanged shifts "
            "change?",
        ),
    ] = False,
    history: Annotated[
        int | None,
        typer.Option(
            "--history",
            metavar="[DAYS]",
            min=1,
            max=36_500,
            help=f"Say as well how often each watch rule would have rung over the stored mentions of the last DAYS ({HISTORY_DAYS}).",
            show_default=False,
        ),
    ] = None,
    language: SpokenLanguage = None,
) -> None:
    """Check a tocsin.yaml: its form, its references, and whether orange and red reach somebody in the next 28 days.

    Names line and column and how to mend it. Exit status 2 where something must be mended; 1 where --history finds no mention.
    """
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    configuration, missing = look_at(file)
    now = SystemClock().now()
    found = [Told(ERROR, line.replace(": set ", f": {ERROR}: set ", 1)) for line in missing]
    found += findings(configuration, file, now, exchanged_shifts(configuration, now) if database else ())
    if database:
        found += set_at_run_time(configuration, now)
    for item in found:
        print(item.text)
    wrong = sum(item.severity == ERROR for item in found)
    to_mend = CommandFailed(f"{file}: {wrong} to mend before this is relied on", WRONG_CALL)
    if history is not None:
        try:
            _look_back(configuration, history, spoken(language))
        except CommandFailed as error:
            if not wrong:
                raise
            print(f"tocsin: {error}", file=sys.stderr)
    if wrong:
        raise to_mend
    counted = f"brands: {len(configuration.brands)}, people: {len(configuration.people)}, policies: {len(configuration.policies)}"
    print(f"{file}: holds together ({counted}).")


def _look_back(configuration: Configuration, days: int, language: Language) -> None:
    from tocsin.cli.rule_history import lines_of, look_back
    from tocsin.overlay import overlaid
    from tocsin.storage import run_time_settings

    environment = Environment.read()
    now = clock_of(environment).now()
    with closing(open_ready_database(configuration, environment)) as database:
        with database.read() as session:
            set_since = run_time_settings.standing(session, now).settings
        # Rules that people set at run time ring as those of the file do.
        looked = look_back(overlaid(configuration, set_since, now).configuration, database, now, days)
    for line in lines_of(looked, language):
        print(line)


def findings(configuration: Configuration, file: Path, now: datetime, overrides: Sequence[Override] = ()) -> list[Told]:
    """What is wrong with a configuration that could be read, or probably not meant: the 28 days from `now` are looked at."""
    from services.alert.protocol.coverage import find_gaps
    from services.alert.protocol.directory import Directory

    root = compose(file.read_text("utf-8"), str(file))
    directory = Directory.of(configuration, calendars_of(configuration.schedules)).with_overrides(overrides)
    found = [
        (finding.severity.value, finding.place, finding.message)
        for finding in find_gaps(configuration.policies, directory, now)
    ]
    found += list(_channel_findings(configuration))
    found += list(_room_findings(configuration, directory))
    found += [(severity, "classifier", message) for severity, message in network_findings(configuration.classifier)]
    found += [(WARNING, place, message) for place, message in doubts(configuration)]
    return [
        Told(severity, f"{file}:{yaml_places.by_names(root, place) or '1:1'}: {severity}: {place}: {message}")
        for severity, place, message in found
    ]


def _channel_findings(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """Channels on which nothing would ever go out."""
    from services.alert.notify.addresses import is_public

    for channel in configuration.channels:
        place = f"channels.{channel.id}"
        host = channel.host if channel.kind == "mail" else urlsplit(str(getattr(channel, "url", ""))).hostname or ""
        try:
            public = is_public(host)
        except ValueError:  # a name, which is looked up when a message goes out
            public = host.rstrip(".").lower() != "localhost"
        if not public and not getattr(channel, "allow_private_address", True):
            yield (
                ERROR,
                f"{place}.{'host' if channel.kind == 'mail' else 'url'}",
                "is on a private network or this machine, where nothing is sent; where that is meant, add "
                "'allow_private_address: true'",
            )
        if channel.kind == "apprise":
            from services.alert.notify.long_tail import LongTail

            try:
                LongTail(channel)
            except ValueError as error:
                yield ERROR, place, str(error).partition(": ")[2]


def _room_findings(configuration: Configuration, directory: Directory) -> Iterator[tuple[str, str, str]]:
    """What would go wrong in the crisis room: texts that cannot be filled in, roles whose people nothing wakes."""
    texts = [
        (f"statements.{statement.id}", text)
        for statement in configuration.statements
        for text in statement.texts.values()
    ]
    texts += [(f"answers.{answer.id}", answer.text) for answer in configuration.answers]
    for place, text in texts:
        try:
            fill_in(text, dict.fromkeys(("author", "brand", "date", "time"), "x"))
        except TemplateRefused as error:
            yield ERROR, place, str(error)
    for role in configuration.roles:
        for reference in (role.holder, role.deputy):
            kind, _, identifier = (reference or "").partition(":")
            person = directory.people.get(identifier) if kind == "person" else None
            known = [directory.channels[name] for name in person.every_channel] if person else []
            if person and not any(channel.wakes for channel in known):
                message = f"{person.name} has no channel that wakes, so an overdue step or approval waits until morning"
                yield WARNING, f"roles.{role.id}", message


def exchanged_shifts(configuration: Configuration, now: datetime) -> Sequence[Override]:
    """The shifts of the next 28 days that people have exchanged: one may leave a minute to somebody whom nothing wakes."""
    from services.alert.protocol.coverage import HORIZON
    from tocsin.storage import oncall

    with (
        closing(open_ready_database(configuration, Environment.read())) as database,
        database.read() as session,
    ):
        return oncall.overrides(session, now, until=now + HORIZON)


def set_at_run_time(configuration: Configuration, now: datetime) -> list[Told]:
    """What people set at run time that this configuration has no place for, and what ends within `ENDS_SOON`."""
    from tocsin.overlay import overlaid
    from tocsin.storage import run_time_settings

    opened = open_ready_database(configuration, Environment.read())
    try:
        with opened.read() as session:
            found = run_time_settings.standing(session, now)
    finally:
        opened.close()
    left_out = overlaid(configuration, found.settings, now).left_out
    told = [(item.setting.id, item.setting.brand, f"is not applied: {item.why}") for item in left_out]
    told += [
        (row.id, row.brand, f"is not applied: {row.why}; withdraw it and set it again") for row in found.unreadable
    ]
    gone = {item.setting.id for item in left_out}
    told += [
        (
            item.id,
            item.brand,
            f"({item.value.kind}) ends {item.ends:%Y-%m-%d %H:%M} UTC; set it again if it is still wanted",
        )
        for item in found.settings
        if item.id not in gone and item.value.kind != "planned" and item.ends <= now + ENDS_SOON
    ]
    return [Told(WARNING, f"warning: setting {identifier} of {brand} {what}") for identifier, brand, what in told]


def json_schema() -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of `tocsin.yaml`, made from the same classes that check it."""
    made = Configuration.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tocsin.yaml",
        **{name: value for name, value in made.items() if name != "title"},
    }
