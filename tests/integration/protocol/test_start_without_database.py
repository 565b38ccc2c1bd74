"""An alert process that is started while the database is away: it lives, rings the last resort, and works when the database comes."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from services.alert.last_resort import AWAY_FOR, LOOK_SECONDS
from services.alert.waiting import await_database
from tests.brokers import await_condition, free_ports
from tocsin.bus.failures import Retryable
from tocsin.config import Configuration, parse
from tocsin.storage.database import Database

ROOT = Path(__file__).parents[3]
CONFIGURATION = """
brands: [{id: lunea, names: [Lunéa]}]
channels: [{kind: terminal, id: wall, wakes: true}]
people: [{id: lea, name: Léa, language: fr, channels: [wall]}, {id: sam, name: Sam, channels: [wall]}]
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}]}, fallback: "person:sam"}]
"""
CLAIM = "Tocsin cannot call anybody any more"


class Start:
    """A process that waits for a database that is not there, on a clock that the test moves."""

    def __init__(self, database: Database, comes_after: float | None = None) -> None:
        self.output = io.StringIO()
        self.stop = threading.Event()
        self.passed = 0.0
        self._database = database
        self._comes_after = comes_after
        self.configuration: Configuration = parse(CONFIGURATION)

    def wait_until(self, seconds: float) -> bool:
        def wait(_event: threading.Event, looks: float) -> None:
            self.passed += looks
            if self.passed >= seconds:
                self.stop.set()
                _event.set()

        return await_database(
            self._ask, self.configuration, self.stop, output=self.output, steady=lambda: self.passed, wait=wait
        )

    def _ask(self) -> object:
        if self._comes_after is not None and self.passed >= self._comes_after:
            return None
        return self._database.now()


@pytest.fixture
def nowhere() -> Iterator[Database]:
    """A PostgreSQL that is not there."""
    found = Database(f"postgresql://nobody@127.0.0.1:{free_ports(1)}/tocsin")
    yield found
    found.close()


def test_a_postgresql_that_is_not_there_is_passing(nowhere: Database) -> None:
    with pytest.raises(Retryable):
        nowhere.now()
    with pytest.raises(Retryable):
        nowhere.upgrade()


def test_after_two_minutes_the_fallback_owner_is_rung_from_the_configuration_alone(nowhere: Database) -> None:
    start = Start(nowhere)
    assert not start.wait_until(AWAY_FOR.total_seconds() - LOOK_SECONDS)
    assert start.output.getvalue() == ""
    start = Start(nowhere)
    assert not start.wait_until(AWAY_FOR.total_seconds() + 2 * LOOK_SECONDS)
    assert start.output.getvalue().count(CLAIM) == 1
    assert "→ Sam · wall" in start.output.getvalue()


def test_it_goes_on_as_soon_as_the_database_is_there(nowhere: Database) -> None:
    start = Start(nowhere, comes_after=60)
    assert start.wait_until(3600)
    assert start.passed == 60
    assert start.output.getvalue() == ""
    assert Start(nowhere, comes_after=0).wait_until(3600), "at once where it is there"


@contextmanager
def forwarding(port: int, to_host: str, to_port: int) -> Iterator[None]:
    """A way to a server, at a port where nothing was before."""
    ended = threading.Event()

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            end.close()

    def serve(listening: socket.socket) -> None:
        while not ended.is_set():
            try:
                near, _ = listening.accept()
                far = socket.create_connection((to_host, to_port))
            except OSError:
                return
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield
        ended.set()


def status_of(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("service", ["alert", "all"])
def test_the_process_lives_without_its_database_and_works_when_that_comes(
    postgresql_database_url: str, tmp_path: Path, service: str
) -> None:
    ports = free_ports(5)
    names = ("port", "ingest_port", "classify_port", "alert_port")
    written = f"{CONFIGURATION}\napi: {{{', '.join(f'{name}: {ports + place}' for place, name in enumerate(names))}}}\n"
    (tmp_path / "tocsin.yaml").write_text(written, encoding="utf-8")
    server, away = make_url(postgresql_database_url), ports + 4
    url = server.set(host="127.0.0.1", port=away).render_as_string(hide_password=False)
    environment = {**os.environ, "DATABASE_URL": url, "TOCSIN_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    web = f"http://127.0.0.1:{ports + 3}"
    with subprocess.Popen(
        [sys.executable, "-m", "tocsin.cli.main", "run", service], cwd=tmp_path, env=environment
    ) as process:
        try:
            await_condition(lambda: status_of(f"{web}/healthz") == 200, "a process that lives", 60)
            assert status_of(f"{web}/readyz") == 503
            with forwarding(away, server.host or "127.0.0.1", server.port or 5432):
                await_condition(lambda: status_of(f"{web}/readyz") == 200, "a process that works", 90)
        finally:
            process.terminate()
            process.wait(60)
    assert process.returncode == 0
