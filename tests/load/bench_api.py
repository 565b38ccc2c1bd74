"""How long the API takes over many mentions while it is asked 50 times a second, and what retention and a large export cost.

    python -m tests.load.bench_api [--sqlite 1000000] [--postgresql 5000000] [--seconds 60] [--rate 50] [--export]
    python -m tests.load.bench_api --keep FOLDER --fill-only    # and later the same without it, to ask what was filled

Requests come when the clock says, whether or not the one before was answered, and their time counts from then: a server that falls
behind is not spared. The process of `tocsin run api` is the real one; who asks is another process.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import yaml
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from tests.brokers import free_ports
from tests.databases import _binaries, _postgresql_database, _Server
from tests.load.api_population import BRANDS, COMMON, RARE, ZONE, count, fill, open_incidents
from tocsin.access.commands import create_key
from tocsin.clock import SystemClock
from tocsin.config import parse
from tocsin.storage import mentions, partitions
from tocsin.storage.database import Database
from tocsin.storage.tables.incidents import IncidentTable
from tocsin.storage.tables.mentions import MentionBrandTable

PORT = free_ports(1)
LIMIT_MS = 150
FORGOTTEN_DAYS = 365
"""What is older is forgotten at the end."""
CONFIGURATION = {
    "api": {"port": PORT, "requests_a_minute": 1_000_000},
    "brands": [{"id": brand, "names": [brand], "time_zone": ZONE.key} for brand in BRANDS],
    "channels": [{"id": "phone", "kind": "terminal", "wakes": True}],
    "people": [{"id": "lea", "name": "Léa", "channels": ["phone"]}],
    "policies": [{"id": "default", "orange": {"steps": [{"wait": "0 s", "notify": ["person:lea"]}]}}],
}
Ask = tuple[str, str]
"""What kind of question, and its path."""


def questions(incidents: Sequence[uuid.UUID], now: datetime, seed: int) -> Callable[[], Ask]:
    """Draws questions as people and dashboards ask them: half of them of the brand that has a third of everything."""
    draw = random.Random(seed)

    def brand() -> str:
        return BRANDS[0] if draw.random() < 0.5 else draw.choice(BRANDS)

    def path(of: str, **parameters: object) -> str:
        return f"{of}?{urlencode({name: value for name, value in parameters.items() if value is not None}, doseq=True)}"

    def instant(days: float) -> str:
        return (now - timedelta(days=days)).isoformat()

    def search() -> Ask:
        kind, parameters = draw.choice(
            [
                ("search: newest", {}),
                ("search: filters", {"sentiment": "negative", "source": "rss", "language": "fr"}),
                ("search: common word", {"text": COMMON}),
                ("search: rare word", {"text": RARE}),
                ("search: two words, without one", {"text": f"{COMMON} bebe -kaka"}),
                ("search: phrase in a week", {"text": '"baba bebe"', "since": instant(7)}),
                ("search: riskiest of a day", {"sort": "risk", "since": instant(1)}),
                ("search: common word, old", {"text": COMMON, "until": instant(60)}),
            ]
        )
        return kind, path("/v1/mentions", brand=brand(), limit=50, **parameters)

    def timeline() -> Ask:
        name, parameters = draw.choice(
            [
                ("timeline: a day in hours", {"bucket": "hour"}),
                ("timeline: 30 days", {"bucket": "day"}),
                ("timeline: 90 days by sentiment", {"bucket": "day", "since": instant(90), "split": "sentiment"}),
                ("timeline: a week in hours by source", {"bucket": "hour", "since": instant(7), "split": "source"}),
                ("timeline: six hours in five minutes", {"bucket": "5min"}),
            ]
        )
        return name, path(f"/v1/brands/{brand()}/timeline", **parameters)

    def incident() -> Ask:
        name, found = draw.choice(
            [
                ("incidents: list", "/v1/incidents?limit=50"),
                ("incidents: one", f"/v1/incidents/{draw.choice(incidents)}"),
                ("incidents: its page", f"/incidents/{draw.choice(incidents)}"),
                ("incidents: board", "/v1/brands"),
            ]
        )
        return name, found

    def ask() -> Ask:
        (chosen,) = draw.choices((search, timeline, incident), weights=(4, 3, 3))
        return chosen()

    return ask


def ask_all(
    ask: Callable[[], Ask], key: str, *, rate: float, seconds: float
) -> tuple[dict[str, list[float]], Counter[int]]:
    """Milliseconds by kind of question, each from when it was due; and how many had which answer other than 200 (0: none)."""
    local, answers, failures = threading.local(), defaultdict[str, list[float]](list), Counter[int]()
    lock = threading.Lock()

    def one(due: float, question: Ask) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        try:
            local.connection.request("GET", question[1], headers={"Authorization": f"Bearer {key}"})
            response = local.connection.getresponse()
            response.read()
            status = response.status
        except OSError:
            local.connection.close()
            status = 0
        took = (time.monotonic() - due) * 1000
        with lock:
            answers[question[0]].append(took)
            if status != 200:
                failures[status] += 1

    with ThreadPoolExecutor(64) as pool:
        begin = time.monotonic()
        for position in range(int(rate * seconds)):
            due = begin + position / rate
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(one, due, ask())
    return answers, failures


def report(answers: dict[str, list[float]], failures: Counter[int]) -> float:
    """Print a table; returns the 99th percentile of everything, in ms."""
    print(f"{'':44} {'asked':>6} {'median':>8} {'p95':>8} {'p99':>8} {'worst':>8}  ms")
    groups = {kind: [value for name in answers if name.startswith(kind) for value in answers[name]]
              for kind in ("search", "timeline", "incidents")}  # fmt: skip
    everything = [value for values in answers.values() for value in values]
    for name, values in [*sorted(answers.items()), *groups.items(), ("all", everything)]:
        told = [statistics.median(values), *(percentile(values, share) for share in (0.95, 0.99)), max(values)]
        print(f"{name:44} {len(values):6} " + " ".join(f"{value:8.1f}" for value in told))
    print(f"not answered with 200: {dict(failures) or 'none'}")
    return percentile(everything, 0.99)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so great a share is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure_export(key: str, process: subprocess.Popen[bytes], brand: str) -> None:
    """Read one brand's whole export in each format, and tell how much the server's memory grew."""
    for format in ("jsonl", "csv", "xlsx"):
        before, begun, size = _resident(process.pid), time.monotonic(), 0
        most = before
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=3600)
        path = f"/v1/mentions/export?brand={quote(brand)}&format={format}"
        watching = threading.Event()

        def watch(stop: threading.Event = watching) -> None:
            nonlocal most
            while not stop.wait(0.2):
                most = max(most, _resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        while piece := response.read(1 << 20):
            size += len(piece)
        watching.set()
        watcher.join()
        took = time.monotonic() - begun
        print(
            f"export {format:5} {size / 2**20:8.1f} MiB in {took:6.1f} s; memory {before:.0f} → {most:.0f} MiB at most"
        )


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def run(database_url: str, number: int, arguments: argparse.Namespace) -> None:
    """Fill one database, ask, and tell."""
    database = Database(database_url)
    configuration = parse(yaml.safe_dump(CONFIGURATION), variables={})
    database.upgrade()
    with database.read() as session:
        newest = session.scalar(select(func.max(MentionBrandTable.published_at)))
        identifiers = list(session.scalars(select(IncidentTable.id)))
    now = newest or datetime.now(UTC)
    if newest is None:
        fill(database, number, now=now)
        count(database, now=now)
        identifiers = open_incidents(database, configuration, 200, now=now)
    if arguments.fill_only:
        database.close()
        return
    key = create_key(database, SystemClock(), configuration, name="bench", scopes=["read"]).text
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        Path(folder, "tocsin.yaml").write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
        environment = {**os.environ, "DATABASE_URL": database_url, "TOCSIN_HOME": folder, "PYTHONPATH": os.getcwd()}
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.cli.main", "run", "api"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            _await_ready()
            ask_all(questions(identifiers, now, 1), key, rate=10, seconds=10)  # what is cold at first
            before = _processor_seconds(process.pid)
            answers, failures = ask_all(
                questions(identifiers, now, 2), key, rate=arguments.rate, seconds=arguments.seconds
            )
            used = _processor_seconds(process.pid) - before
            print(
                f"\n{'PostgreSQL' if database.is_postgresql else 'SQLite'}, {number:,} mentions, {arguments.rate:g} a second"
            )
            worst = report(answers, failures)
            print(f"p99 {worst:.0f} ms: {'within' if worst <= LIMIT_MS else 'NOT within'} {LIMIT_MS} ms")
            asked = sum(map(len, answers.values()))
            print(f"the API's process: {1000 * used / asked:.1f} ms of processor time a question")
            if arguments.export:
                measure_export(key, process, BRANDS[0])
        finally:
            process.terminate()
            process.wait(30)
    _forget(database, now - timedelta(days=FORGOTTEN_DAYS), keep=arguments.keep is not None)
    database.close()


def _forget(database: Database, before: datetime, *, keep: bool) -> None:
    """Tell what retention costs: of a month, which PostgreSQL drops, and row by row, for ten seconds at most.

    With `keep`, all of it in transactions that are taken back.
    """
    if database.is_postgresql:
        before = partitions.month_of(before)
        with database.read() as session:
            past = partitions.past(session, before)[: len(partitions.TABLES)]
        for partition in past:
            with Session(database._engine) as session:
                rows = session.scalar(text(f"SELECT count(*) FROM {partition}"))
                begun = time.monotonic()
                partitions.drop(session, partition)
                session.rollback() if keep else session.commit()
            print(f"retention: {partition} with {rows:,} rows dropped in {1000 * (time.monotonic() - begun):.0f} ms")
    begun, gone = time.monotonic(), 0
    with Session(database._engine) as session:
        while time.monotonic() - begun < 10 and (forgotten := mentions.forget_published_before(session, before, 1000)):
            gone += forgotten
            if not keep:
                session.commit()
    print(f"retention: {gone / (time.monotonic() - begun):,.0f} mentions a second, row by row")


def _await_ready() -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("the API did not become ready within a minute")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sqlite", type=int, default=1_000_000, help="mentions; 0: not at all")
    parser.add_argument("--postgresql", type=int, default=5_000_000, help="mentions; 0: not at all")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=50, help="questions a second")
    parser.add_argument(
        "--keep",
        help="folder for the SQLite file, which stays there and is used again the next time; "
        "on PostgreSQL then DATABASE_URL itself is filled and stays",
    )
    parser.add_argument("--fill-only", action="store_true", help="ask nothing; with --keep")
    parser.add_argument("--export", action="store_true", help="export the largest brand in each format, too")
    arguments = parser.parse_args()
    if arguments.sqlite:
        with ExitStack() as stack:
            folder = arguments.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-bench-"))
            run(f"sqlite:///{folder}/tocsin.sqlite", arguments.sqlite, arguments)
    if arguments.postgresql:
        with ExitStack() as stack:
            given = os.environ.get("DATABASE_URL", "")
            binaries = _binaries()
            if not given.startswith("postgres") and binaries is None:
                print("PostgreSQL is left out: DATABASE_URL names none, and initdb is not installed")
                return
            server = given if given.startswith("postgres") else stack.enter_context(_Server(Path(str(binaries))))
            if arguments.keep is None:
                server = stack.enter_context(_postgresql_database(server, template="template0"))
            run(server, arguments.postgresql, arguments)


if __name__ == "__main__":
    main()
