"""A whole installation of Tocsin as processes of this machine, on a rehearsal clock; and what a team would see of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.brokers import await_condition, free_ports
from tocsin.storage.database import Database

SPEED = 40.0
"""Seconds of the rehearsal a second: an evaluation instant every 7.5 s."""
SERVICES = ("ingest", "classify", "alert", "api")
STARTS_WITHIN = 180.0


@dataclass
class Fleet:
    """The processes, their folder and their addresses. `together`: `tocsin run all`; else a process a service."""

    folder: Path
    configuration: Mapping[str, Any]
    environment: Mapping[str, str]
    together: bool
    api_port: int
    ingest_port: int
    origin: datetime = field(default_factory=lambda: datetime.now(UTC))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def now(self) -> datetime:
        """The rehearsal's present."""
        return self.origin + (datetime.now(UTC) - self.origin) * SPEED

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `tocsin` command in this installation and wait for it; fails where it does."""
        done = subprocess.run(
            [sys.executable, "-m", "tocsin.cli.main", *arguments],
            env=self._variables(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"tocsin {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        (self.folder / "tocsin.yaml").write_text(yaml.safe_dump(dict(self.configuration)), encoding="utf-8")
        self.command("db", "upgrade")
        for name in ("all",) if self.together else SERVICES:
            self.start_process(name)
        self.await_ready()

    def start_process(self, name: str) -> None:
        """Start one process; its log goes to a file of its own."""
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "tocsin.cli.main", "run", name],
            env=self._variables(),
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )
        log.close()

    def await_ready(self) -> None:
        """Return when both web addresses say that they are ready."""
        for port in (self.api_port, self.ingest_port):
            await_condition(lambda port=port: self._is_ready(port), f"a process on port {port}", STARTS_WITHIN)

    def kill(self, service: str) -> None:
        """SIGKILL a service as a power cut would; it is started anew, by the supervisor or here."""
        if self.together:
            os.kill(self._supervised(service), signal.SIGKILL)
            return
        process = self.processes[service]
        process.kill()
        process.wait()
        self.start_process(service)

    def stop(self) -> dict[str, int]:
        """Ask all to end; returns each exit status."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(90) for name, process in self.processes.items()}

    def logs(self) -> str:
        """The end of every log, for a test that failed."""
        tails = [
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-4000:]}"
            for path in sorted(self.folder.glob("*.log"))
        ]
        return "\n".join(tails)

    def client(self, *scopes: str) -> httpx.Client:
        """A client of the API with a new key."""
        options = [option for scope in scopes for option in ("--scope", scope)]
        key = self.command("keys", "create", "--name", "test", *options).stdout.strip().splitlines()[-1]
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.api_port}", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def database(self) -> Database:
        """The installation's database, for what no page shows."""
        return Database(self.environment.get("DATABASE_URL") or f"sqlite:///{self.folder / 'home' / 'tocsin.sqlite'}")

    def send_address(self) -> str:
        """Where mentions are taken."""
        return f"http://127.0.0.1:{self.api_port if self.together else self.ingest_port}/v1/mentions"

    def _supervised(self, service: str) -> int:
        """The process id of a service under the supervisor, as its log tells; waits while it is being started anew."""
        found: list[int] = []

        def running() -> bool:
            for line in (self.folder / "all.log").read_text("utf-8", "replace").splitlines():
                if line.startswith("{") and '"started"' in line and json.loads(line).get("service") == service:
                    found.append(int(json.loads(line)["pid"]))
            return bool(found) and Path(f"/proc/{found[-1]}").exists()

        await_condition(running, f"{service} under the supervisor", STARTS_WITHIN)
        return found[-1]

    def _is_ready(self, port: int) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}\n{self.logs()}"
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _variables(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
        }
        return {
            **kept,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TOCSIN_HOME": str(self.folder / "home"),
            "TOCSIN_REHEARSAL": f"{SPEED}@{self.origin.isoformat()}",
            **self.environment,
        }


@contextmanager
def running(
    folder: Path,
    *,
    together: bool,
    environment: Mapping[str, str],
    bus: Mapping[str, Any],
    webhook: str,
    secret: str,
) -> Iterator[Fleet]:
    """An installation that watches over one brand and rings one person by webhook; ended at the end of the block."""
    first = free_ports(4)
    configuration = {
        "brands": [{"id": "lunea", "names": ["Lunéa"], "query": "Lunéa OR @lunea", "time_zone": "Europe/Paris"}],
        "people": [{"id": "lea", "name": "Léa", "language": "fr", "channels": ["phones"]}],
        "policies": [
            {
                "id": "night",
                "orange": {"steps": [{"notify": ["person:lea"]}]},
                "red": {"steps": [{"notify": ["person:lea"]}]},
            }
        ],
        "channels": [
            {
                "kind": "webhook",
                "id": "phones",
                "url": webhook,
                "secret": secret,
                "wakes": True,
                "allow_private_address": True,
            }
        ],
        "bus": dict(bus),
        # Who waits for something asks as often as it is answered.
        "api": {
            "requests_a_minute": 1_000_000,
            "port": first,
            "ingest_port": first + 1,
            "classify_port": first + 2,
            "alert_port": first + 3,
        },
    }
    fleet = Fleet(folder, configuration, environment, together, first, first + 1)
    try:
        fleet.start()
        yield fleet
    finally:
        for process in fleet.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 60
        for process in fleet.processes.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def quiet_history(before: datetime, days: int = 8, a_day: int = 60) -> list[dict[str, Any]]:
    """Calm days of a small brand, evenly spread."""
    step = timedelta(days=1) / a_day
    texts = (
        "Le nouveau Lunéa est délicieux",
        "Petit-déjeuner avec un Lunéa vanille",
        "Lunéa ouvre une boutique samedi",
        "Lunéa is opening a store in Leeds",
        "The new Lunéa is really good",
    )
    return [
        mention(
            f"quiet-{number}", texts[number % len(texts)], before - step * (number + 1), author=f"calm-{number % 97}"
        )
        for number in range(days * a_day)
    ]


def crisis(at: datetime, count: int, name: str = "crisis") -> list[dict[str, Any]]:
    """`count` harmful mentions by as many authors, all published at `at`."""
    texts = (
        "Du verre dans mon yaourt Lunéa, c'est une honte, je porte plainte",
        "Found glass in my Lunéa yoghurt, disgusting, my son nearly swallowed it",
        "Boycott Lunéa, ils savaient et n'ont rien dit, scandaleux",
        "Lunéa lied to us, never again, awful company",
    )
    return [
        mention(f"{name}-{number}", texts[number % len(texts)], at, author=f"angry-{name}-{number}")
        for number in range(count)
    ]


def mention(native_id: str, text: str, at: datetime, *, author: str) -> dict[str, Any]:
    """A mention as a source would send it."""
    return {
        "source": "mastodon",
        "native_id": native_id,
        "text": text,
        "published_at": at.isoformat(),
        "author": {"id": author, "followers": 50},
    }


def write_lines(path: Path, mentions: Sequence[Mapping[str, Any]]) -> Path:
    """A file of mentions, oldest first."""
    ordered = sorted(mentions, key=lambda item: str(item["published_at"]))
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ordered), encoding="utf-8")
    return path
