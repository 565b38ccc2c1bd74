"""`tocsin run`: one service as a process, or all four under a supervisor that starts anew what ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import typer
from fastapi import FastAPI

from tocsin.access.verifying import KeyVerifier
from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.surroundings import ConfigurationFile, load_configuration, open_database, surroundings
from tocsin.clock import SystemClock
from tocsin.config import Configuration, Environment
from tocsin.observability.health import Health
from tocsin.observability.logs import configure_logs, logger
from tocsin.observability.routes import observability_routes
from tocsin.process import Component, Surroundings, run_components, stop_on_signals
from tocsin.storage.access import anybody_can_come_in
from tocsin.storage.database import Database, DatabaseUnavailable
from tocsin.web import WebServer

_log = logger(__name__)

SUPERVISOR = "TOCSIN_SUPERVISOR"
"""Environment of a supervised process: the supervisor's process id."""
RESTART_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long the supervisor waits before it starts a process anew; the longest again and again."""
STEADY_SECONDS = 60.0
"""A process that has run for so long begins with the shortest wait again."""


class Service(StrEnum):
    INGEST = "ingest"
    CLASSIFY = "classify"
    ALERT = "alert"
    API = "api"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add `tocsin run`."""
    app.command("run")(run)


def run(
    service: Annotated[Service, typer.Argument(help="Which service; all: every one, supervised.")],
    config: ConfigurationFile = None,
    port: Annotated[
        int | None, typer.Option(help="Listen on this port instead of the configured one; 0: a free one.")
    ] = None,
    receive: Annotated[
        bool, typer.Option("--receive", help="api: take mentions here too (POST /v1/mentions), as `run all` does.")
    ] = False,
    upgrade: Annotated[bool, typer.Option(help="Bring the database's tables up to date first.")] = True,
) -> None:
    """Run one service as a process, or all of them, until SIGTERM or SIGINT."""
    configuration = load_configuration(config)
    environment = Environment.read()
    configure_logs(process=str(service))
    stop = threading.Event()
    stop_on_signals(stop)
    if service is Service.ALERT:
        if not _await_database(configuration, environment, stop, upgrade=upgrade, port=port):
            return
    elif upgrade:
        upgrade = not _upgrade(service, configuration, environment)
    if service is Service.ALL:
        # Where the database is away, each service brings it up to date by itself: alert waits for it, the others are started anew.
        options = [*(["--config", str(config)] if config else []), *([] if upgrade else ["--no-upgrade"])]
        supervise(options, stop, port)
        return
    with surroundings(configuration, environment) as given:
        components = build(service, given, port=port, receive=receive)
        run_components(
            components,
            stop,
            drain_seconds=configuration.bus.drain_timeout.total_seconds() + 10,
            beat=lambda: _end_with_supervisor(stop),
        )


def _upgrade(service: Service, configuration: Configuration, environment: Environment) -> bool:
    """Bring the tables up to date; False where the database is away and what is run waits for it."""
    with closing(open_database(configuration, environment)) as database:
        try:
            database.upgrade()
        except DatabaseUnavailable as error:
            if service is not Service.ALL or not database.is_postgresql:
                raise
            _log.warning("starting without the database", error=str(error))
            return False
        if service in (Service.ALL, Service.API):
            _tell_how_to_come_in(database)
    return True


def _await_database(
    configuration: Configuration, environment: Environment, stop: threading.Event, *, upgrade: bool, port: int | None
) -> bool:
    from services.alert.waiting import await_database

    with closing(open_database(configuration, environment)) as database:
        ask = database.upgrade if upgrade else database.now
        if not database.is_postgresql:
            # A file of this machine does not go away for a while; what is wrong with it is said at once.
            ask()
            return True

        def web() -> list[Component]:
            health = Health()
            health.require("database", database.check)
            settings = configuration.api
            chosen = settings.alert_port if port is None else port
            server = WebServer(health_app(health), settings.host, chosen, name="alert-web", health=health)
            server.bind()
            return [server]

        return await_database(
            ask,
            configuration,
            stop,
            beside=web,
            beat=lambda: _end_with_supervisor(stop),
        )


def _tell_how_to_come_in(database: Database) -> None:
    """Nobody can come in before the first key or password is made, and there is no default one."""
    with database.read() as session:
        if anybody_can_come_in(session):
            return
    print(
        "Nobody can come in yet. Make the first key, and a link to sign in to the page:\n"
        "  tocsin keys create --name 'first' --scope admin\n"
        "  tocsin sign-in --person ID     (an id under 'people' in tocsin.yaml)",
        flush=True,
    )


def build(service: Service, given: Surroundings, *, port: int | None, receive: bool = False) -> list[Component]:
    """The components of a service, its web server among them, which listens from now on."""
    settings = given.configuration.api
    components: list[Component]
    match service:
        case Service.INGEST:
            from services.ingest.app import Ingest

            ingest = Ingest(given)
            components, web, default = ingest.components(), plain_app(given), settings.ingest_port
            web.include_router(ingest.router(_verifier(given)))
        case Service.CLASSIFY:
            components, web, default = _classify(given), plain_app(given), settings.classify_port
        case Service.ALERT:
            from services.alert import app as alert

            components, web, default = alert.components(given), plain_app(given), settings.alert_port
        case _:
            from services.api import app as api

            if not receive:
                return api.components(given, port=port)
            from services.ingest.app import Ingest

            # The route by which ingest takes mentions, served by this process too.
            receiving = Ingest(given)
            routers = [receiving.router(_verifier(given))]
            return [receiving.live, *api.components(given, port=port, routers=routers)]
    server = WebServer(
        web, settings.host, default if port is None else port, name=f"{service}-web", health=given.health
    )
    server.bind()
    return [*components, server]


def _classify(given: Surroundings) -> list[Component]:
    from services.classify import app as classify
    from services.classify.classifiers.port import ClassifierUnavailableError

    try:
        return classify.components(given)
    except ClassifierUnavailableError as error:
        raise CommandFailed(str(error), WRONG_CALL) from error


def _verifier(given: Surroundings) -> KeyVerifier:
    # Keys expire by the machine's time, also in a rehearsal.
    return KeyVerifier(given.database, SystemClock(), time.monotonic)


def plain_app(given: Surroundings) -> FastAPI:
    """A web application with nothing but metrics and health."""
    return health_app(given.health)


def health_app(health: Health) -> FastAPI:
    """The same, where there is nothing but a health yet."""
    from tocsin import problems

    app = FastAPI(title="Tocsin", docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    app.include_router(observability_routes(health))
    return app


def _end_with_supervisor(stop: threading.Event) -> None:
    """A supervisor that was killed leaves no orphans behind, which would hold ports and leases against its successor."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor and os.getppid() != int(supervisor):
        _log.warning("the supervisor is gone; ending")
        stop.set()


@dataclass
class _Supervised:
    """One process under the supervisor."""

    service: Service
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = field(default=0.0)


def supervise(options: Sequence[str], stop: threading.Event, port: int | None = None) -> None:
    """Run the four services as processes of this machine; start anew what ends, sooner or later, until `stop` is set.

    A process that ends with status 2 (its call or configuration is wrong) ends all: a restart would not mend it.
    """
    arguments: Mapping[Service, Sequence[str]] = {
        Service.INGEST: (),
        Service.CLASSIFY: (),
        Service.ALERT: (),
        Service.API: ("--receive", *(("--port", str(port)) if port is not None else ())),
    }
    fleet = [
        _Supervised(service, [sys.executable, "-m", "tocsin.cli.main", "run", str(service), *options, *more])
        for service, more in arguments.items()
    ]
    try:
        while not stop.is_set():
            for supervised in fleet:
                _look_after(supervised)
            stop.wait(0.2)
    finally:
        _end(fleet)


def _look_after(supervised: _Supervised) -> None:
    now = time.monotonic()
    if supervised.process is None:
        if now >= supervised.start_at:
            # A session of its own: a Ctrl-C on the terminal reaches the supervisor, which then ends all in order.
            supervised.process = subprocess.Popen(  # noqa: S603 - our own command line
                supervised.command, start_new_session=True, env={**os.environ, SUPERVISOR: str(os.getpid())}
            )
            supervised.started = now
            _log.info("started", service=str(supervised.service), pid=supervised.process.pid)
        return
    status = supervised.process.poll()
    if status is None:
        return
    supervised.process = None
    if status == WRONG_CALL:
        raise CommandFailed(f"{supervised.service} refuses to start; its message above says why", WRONG_CALL)
    supervised.failures = 0 if now - supervised.started > STEADY_SECONDS else supervised.failures + 1
    wait = RESTART_SECONDS[min(supervised.failures, len(RESTART_SECONDS) - 1)]
    supervised.start_at = now + wait
    _log.error("ended, will be started anew", service=str(supervised.service), status=status, in_seconds=wait)


def _end(fleet: Sequence[_Supervised], patience: float = 60.0) -> None:
    """Ask all to end, in the order of the flow, and make those end that do not."""
    running = [supervised.process for supervised in fleet if supervised.process is not None]
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    until = time.monotonic() + patience
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
