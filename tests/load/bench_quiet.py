"""How soon it is quiet after somebody said so, while hundreds of incidents ring at once: `make bench-quiet`.

Every incident is due to ring four people at the same moment, on four channels whose receivers take their time. While the backlog is
sent, each incident is acknowledged, resolved or silenced once: half of them over the API, by a process of its own, half in the
process that sends. The delay of a page is from the decision (its instant stands in the incident's record, and is before the commit)
to its first bytes at the receiver. The promise: no page begins more than a second after the commit.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import structlog
import yaml

from services.alert.notify.channels import channels
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge, Command, Open, Resolve, SilenceUntil
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from services.alert.timers import Timers
from tests.brokers import free_ports
from tests.databases import postgresql_for_benchmarks
from tests.team import judged
from tocsin.access.commands import create_key
from tocsin.clock import SystemClock
from tocsin.config import Configuration, load
from tocsin.contracts.incidents import IncidentEventType
from tocsin.process import run_components
from tocsin.storage import incidents
from tocsin.storage.database import Database

PROMISED = 1.0
"""Seconds from the commit."""
KINDS = ("acknowledge", "resolve", "silence")
_STOPPED = (IncidentEventType.ACKNOWLEDGED, IncidentEventType.RESOLVED, IncidentEventType.SILENCED)
CHANNELS = 4


@dataclass
class Receiver:
    """Four receivers in one: notes when the first bytes of each page came, and answers after a while."""

    slowest: float
    begun: dict[UUID, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self) -> ThreadingHTTPServer:
        """On a port of its own, until it is shut down."""
        receiver, chance = self, random.Random(7)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                came = datetime.now(UTC)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = yaml.safe_load(body)  # JSON is YAML, too
                if event["type"] == "notification.page":
                    with receiver.lock:
                        receiver.begun[UUID(event["data"]["incident_id"])].append(came)
                time.sleep(chance.uniform(0, receiver.slowest))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


def configuration(url: str, port: int) -> dict[str, Any]:
    """Four people, each on a channel of their own, all in the first step."""
    secret = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()
    outgoing = {"kind": "webhook", "secret": secret, "allow_private_address": True, "wakes": True}
    people = range(CHANNELS)
    return {
        "api": {"port": port, "requests_a_minute": 1_000_000},
        "brands": [{"id": "lunea", "names": ["Lunéa"]}],
        "channels": [{**outgoing, "id": f"ring-{number}", "url": f"{url}/{number}"} for number in people],
        "people": [{"id": f"p{number}", "name": f"P{number}", "channels": [f"ring-{number}"]} for number in people],
        "policies": [
            {
                "id": "night",
                "orange": {
                    "steps": [{"wait": "1 min", "notify": [f"person:p{number}" for number in people]}],
                    "repeat": 5,
                    "repeat_after": "15 s",
                },
            }
        ],
    }


def open_all(database: Database, written: Configuration, number: int, due: datetime) -> list[UUID]:
    """Open incidents that all ring at one moment."""
    policy, directory = snapshot(written.policies[0]), Directory.of(written)
    opened = [uuid4() for _ in range(number)]
    for first in range(0, number, 100):
        with database.unit_of_work() as session:
            for index, identifier in enumerate(opened[first : first + 100], first):
                opening = Open(identifier, f"brand-{index}", judged(), policy)
                wait = policy.orange.steps[0].wait
                incidents.insert_opened(session, decide(None, opening, due - wait, directory))
    return opened


def alert(url: str, file: str, commands: str) -> None:
    """An alert process: timers, sender, and whoever stops incidents in the very same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    written, database, clock = load(Path(file)), Database(url), SystemClock()
    directory, stop = Directory.of(written), threading.Event()

    def work() -> None:
        for line in commands.split():
            at, kind, identifier = line.split("/")
            stop.wait(max(0.0, float(at) - time.time()))
            command = _command(kind)
            with database.unit_of_work() as session:
                incidents.execute(
                    session,
                    UUID(identifier),
                    lambda incident, command=command: decide(incident, command, clock.now(), directory),  # type: ignore[misc]
                )

    threading.Thread(target=work, daemon=True).start()
    sender = Sender(database, clock, channels(written, clock))
    run_components([Timers(database, clock, directory), sender], stop)


def _command(kind: str) -> Command:
    match kind:
        case "acknowledge":
            return Acknowledge("person:boss")
        case "resolve":
            return Resolve("person:boss")
    return SilenceUntil("person:boss", datetime.now(UTC) + timedelta(hours=1))


def _asked(kind: str) -> dict[str, str]:
    return {"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()} if kind == "silence" else {}


def measure(url: str, number: int, seconds: float, slowest: float, processes: int) -> str:
    """A row of the table."""
    receiver, chance = Receiver(slowest), random.Random(11)
    server = receiver.serve()
    port = free_ports(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-bench-")))
        file = folder / "tocsin.yaml"
        file.write_text(yaml.safe_dump(configuration(f"http://127.0.0.1:{server.server_port}", port)), encoding="utf-8")
        written, database = load(file), Database(url)
        database.upgrade()
        key = create_key(database, SystemClock(), written, name="bench", scopes=["act", "read"]).text
        due = datetime.now(UTC) + timedelta(seconds=20)
        opened = open_all(database, written, number, due)
        stops = [
            (due.timestamp() + chance.uniform(1, seconds), KINDS[index % 3], identifier)
            for index, identifier in enumerate(opened)
        ]
        by_api, inside = sorted(stops[::2]), sorted(stops[1::2])
        environment = {**os.environ, "DATABASE_URL": url, "TOCSIN_HOME": str(folder), "PYTHONPATH": os.getcwd()}
        log = stack.enter_context((folder / "log").open("wb"))
        api = subprocess.Popen(
            [sys.executable, "-m", "tocsin.cli.main", "run", "api"],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        stack.callback(_end, api)
        for process in range(processes):
            own = " ".join(f"{at}/{kind}/{identifier}" for at, kind, identifier in inside[process::processes])
            running = subprocess.Popen([sys.executable, "-m", "tests.load.bench_quiet", "--alert", url, str(file), own])
            stack.callback(_end, running)
        headers = {"Authorization": f"Bearer {key}"}
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60))
        _await_ready(client)
        refused: list[str] = []

        def ask(at: float, kind: str, identifier: UUID) -> None:
            time.sleep(max(0.0, at - time.time()))
            answer = client.post(f"/v1/incidents/{identifier}/{kind}", json=_asked(kind))
            if answer.status_code != 200:
                refused.append(f"{kind}: {answer.status_code} {answer.text}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda item: ask(*item), by_api))
        time.sleep(4 * slowest + 5)  # whatever still begins too late, begins now
    server.shutdown()
    assert not refused, refused[:3]
    pages, late, after = 0, [0.0], 0
    for identifier in opened:
        with database.read() as session:
            stopped = [event.at for event in incidents.events(session, identifier) if event.type in _STOPPED]
        assert len(stopped) == 1, (identifier, stopped)
        pages += len(receiver.begun[identifier])
        later = [(came - stopped[0]).total_seconds() for came in receiver.begun[identifier] if came > stopped[0]]
        after += len(later)
        late += later
    name = "PostgreSQL" if database.is_postgresql else "SQLite"
    database.close()
    kept = "kept" if max(late) <= PROMISED else "MISSED"
    return f"| {name}, {processes} | {len(by_api)} + {len(inside)} | {pages} | {after} | {max(late):.2f} | {kept} |"


def _await_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("the API did not become ready within a minute")


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    process.wait(60)


def main() -> None:
    """Measure on both databases, and print a table."""
    if sys.argv[1:2] == ["--alert"]:
        alert(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=400)
    parser.add_argument(
        "--seconds", type=float, default=40.0, help="over which they are acknowledged, resolved, silenced"
    )
    parser.add_argument("--slowest", type=float, default=1.0, help="seconds that a receiver takes to answer, at most")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(
        f"{chosen.incidents} incidents due at once, receivers that take up to {chosen.slowest:g} s, stopped over {chosen.seconds:g} s"
    )
    print(
        "| database, alert processes | stopped by API + inside | pages begun | after the decision | the last s after it | |"
    )
    print("|---|---|---|---|---|---|")
    given = chosen.incidents, chosen.seconds, chosen.slowest
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        print(measure(f"sqlite:///{folder}/quiet.sqlite", *given, 1), flush=True)
    with postgresql_for_benchmarks() as url:
        if url is None:
            print("PostgreSQL is left out: DATABASE_URL names none, and initdb is not installed")
        else:
            print(measure(url, *given, 2), flush=True)


if __name__ == "__main__":
    main()
