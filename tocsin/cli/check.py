"""`tocsin check`: is the configuration right, and does the protocol reach somebody at every minute of the next weeks?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.clock import SystemClock
from tocsin.config import CONFIGURATION_FILE, Configuration, load
from tocsin.holiday_calendars import calendars_of


def register(app: typer.Typer) -> None:
    """Add `tocsin check`."""
    app.command("check")(check)


def check(
    file: Annotated[Path, typer.Argument(help="The configuration.")] = Path(CONFIGURATION_FILE),
) -> None:
    """Check a tocsin.yaml: its form, its references, and whether orange and red reach somebody in the next 28 days.

    Names line and column and how to mend it. Exit status 2 where something must be mended.
    """
    from services.alert.protocol.coverage import Severity, find_gaps
    from services.alert.protocol.directory import Directory

    configuration = load(file)
    findings = find_gaps(
        configuration.policies, Directory.of(configuration, calendars_of(configuration.schedules)), SystemClock().now()
    )
    for finding in findings:
        print(f"{file}: {finding.severity}: {finding.place}: {finding.message}")
    for warning in _warnings(configuration):
        print(f"{file}: {Severity.WARNING}: {warning}")
    wrong = sum(finding.severity is Severity.ERROR for finding in findings)
    if wrong:
        raise CommandFailed(f"{file}: {wrong} to mend before this is relied on", WRONG_CALL)
    counted = f"{len(configuration.brands)} brands, {len(configuration.people)} people, {len(configuration.policies)} policies"
    print(f"{file}: holds together ({counted}).")


def _warnings(configuration: Configuration) -> list[str]:
    """What is allowed and probably not meant."""
    warnings = []
    if not configuration.brands:
        warnings.append("brands: there is none, so only sources that name a brand themselves are heard")
    if configuration.policies and configuration.api.public_url is None:
        warnings.append("api.public_url: is not set, so messages carry no link to the incident")
    for brand in configuration.brands:
        if not brand.names and not brand.query:
            warnings.append(f"brands.{brand.id}: has neither names nor a query; no mention is found by its text")
    return warnings
