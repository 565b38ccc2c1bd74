"""What a process is built from, opened: configuration, bus, database, health."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tocsin.bus.opening import open_bus
from tocsin.bus.port import Bus
from tocsin.clock import Clock, RehearsalClock, SystemClock
from tocsin.config import CONFIGURATION_FILE, Configuration, ConfigurationError, Environment, load
from tocsin.contracts.topics import FLOW, dead_letter_topic
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage.clock import DatabaseClock
from tocsin.storage.database import Database, database_url

ConfigurationFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration; default: tocsin.yaml here, where there is one.", show_default=False
    ),
]


def load_configuration(path: Path | None) -> Configuration:
    """The named file, else `tocsin.yaml` in this folder, else the defaults."""
    if path is not None:
        return load(path)
    here = Path(CONFIGURATION_FILE)
    return load(here) if here.exists() else Configuration()


def open_database(configuration: Configuration, environment: Environment) -> Database:
    """The database that environment and configuration name, else a file in the data folder."""
    environment.home.mkdir(parents=True, exist_ok=True)
    try:
        return Database(database_url(environment, configuration.storage))
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def open_configured_bus(configuration: Configuration, environment: Environment, clock: Clock) -> Bus:
    """The bus that environment and configuration name, else the log in the data folder."""
    return open_bus(
        configuration.bus,
        home=environment.home,
        retention=configuration.retention.bus,
        clock=clock,
        bootstrap_servers=environment.kafka_bootstrap_servers,
    )


def open_ready_database(configuration: Configuration, environment: Environment) -> Database:
    """As `open_database`, for commands that need its tables; raises DatabaseOutdated, saying what to do, where they lack."""
    database = open_database(configuration, environment)
    database.check()
    return database


def clock_of(environment: Environment) -> Clock:
    """The machine's time, unless this is a rehearsal."""
    return RehearsalClock(*environment.rehearsal) if environment.rehearsal else SystemClock()


@contextmanager
def surroundings(
    configuration: Configuration, environment: Environment, clock: Clock | None = None
) -> Iterator[Surroundings]:
    """Open everything, make the topics that are missing, and close it all at the end. The tables must be there already."""
    database = open_database(configuration, environment)
    if clock is None and database.is_postgresql and environment.rehearsal is None:
        # What is due, and whose a lease is, are judged by one clock on all machines.
        clock = DatabaseClock(database.now)
    clock = clock or clock_of(environment)
    bus = open_configured_bus(configuration, environment, clock)
    health = Health()
    try:
        bus.ensure_topics(FLOW)
        bus.ensure_topics([dead_letter_topic(topic) for topic in FLOW], partitions=1)
        health.require("bus", bus.check)
        health.require("database", database.check)
        yield Surroundings(configuration, environment, clock, bus, database, health)
    finally:
        bus.close()
        database.close()
