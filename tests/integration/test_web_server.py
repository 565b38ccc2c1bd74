"""The web server of every process: its address, its metrics and health, and how it stops."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from tocsin.observability.health import Health
from tocsin.observability.routes import observability_routes
from tocsin.web import CannotListen, WebServer

PATIENCE = 20


@contextmanager
def running(server: WebServer) -> Iterator[threading.Event]:
    """The server on a thread, asked to stop at the end."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run(stop)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert failures == []


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(health: Health) -> FastAPI:
    made = FastAPI()
    made.include_router(observability_routes(health))
    return made


def test_the_address_is_known_before_anything_runs_and_answers_then(app: FastAPI) -> None:
    server = WebServer(app, "127.0.0.1", 0)
    url = server.bind()
    assert url == server.bind() == f"http://127.0.0.1:{server.port}"
    assert server.port > 0
    with running(server):
        # Whoever comes before the server has started waits in the queue of the open socket.
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200


def test_as_many_requests_as_are_allowed_are_worked_on_at_once(app: FastAPI) -> None:
    inside, all_inside = threading.Semaphore(0), threading.Barrier(3)

    @app.get("/together")
    def together() -> int:
        """Ends when the test has seen two of them in here."""
        inside.release()
        all_inside.wait(PATIENCE)
        return 1

    server = WebServer(app, "127.0.0.1", 0, threads=2)
    url = server.bind()
    with running(server), ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(httpx.get, f"{url}/together", timeout=PATIENCE) for _ in range(4)]
        for _ in range(2):
            assert inside.acquire(timeout=PATIENCE)
            assert inside.acquire(timeout=PATIENCE)
            assert not inside.acquire(blocking=False)
            all_inside.wait(PATIENCE)
        assert [answer.result().status_code for answer in answers] == [200] * 4


def test_a_port_that_is_taken_is_named_and_how_to_mend_it(app: FastAPI) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}.*Choose another port"):
            WebServer(app, "127.0.0.1", port).bind()


def test_a_request_in_hand_is_answered_before_the_server_stops(app: FastAPI) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @app.get("/slow")
    def slow() -> str:
        begun.set()
        assert go_on.wait(PATIENCE)
        return "done"

    server = WebServer(app, "127.0.0.1", 0)
    url = server.bind()
    answers: list[str] = []
    with running(server) as stop:
        client = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/slow", timeout=PATIENCE).json()))
        client.start()
        assert begun.wait(PATIENCE)
        stop.set()
        go_on.set()
        client.join(PATIENCE)
    assert answers == ["done"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/slow", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [(b"GET /healthz HTTP/1.1\r\nHost: tocsin.test\r\nX-Slow: ", b"HTTP/1.1 408 "), (b"", b"")],
    ids=["headers without an end", "silence"],
)
def test_headers_that_never_end_are_not_waited_for(app: FastAPI, sent: bytes, answer: bytes) -> None:
    server = WebServer(app, "127.0.0.1", 0, header_seconds=0.1)
    server.bind()
    with running(server), socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        heard = b"".join(iter(lambda: connection.recv(4096), b""))
        assert heard[: len(b"HTTP/1.1 408 ")] == answer


def test_a_further_request_on_a_connection_has_the_same_limit(app: FastAPI) -> None:
    server = WebServer(app, "127.0.0.1", 0, header_seconds=1.0)
    server.bind()
    with running(server), socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: tocsin.test\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert b"HTTP/1.1 408 " in b"".join(iter(lambda: connection.recv(4096), b""))


def test_the_server_is_alive_while_its_loop_turns(app: FastAPI, health: Health) -> None:
    server = WebServer(app, "127.0.0.1", 0, name="api", health=health)
    url = server.bind()
    with running(server):
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).json() == {"status": "ok", "parts": {"api": "ok"}}


def test_health_and_metrics_tell_the_truth(app: FastAPI, health: Health) -> None:
    def broken() -> None:
        raise RuntimeError("no neural network in models/tocsin-e5")

    server = WebServer(app, "127.0.0.1", 0)
    url = server.bind()
    with running(server):
        assert httpx.get(f"{url}/readyz", timeout=PATIENCE).status_code == 200
        health.require("classifier", broken)
        not_ready = httpx.get(f"{url}/readyz", timeout=PATIENCE)
        assert not_ready.status_code == 503
        assert not_ready.json()["parts"]["classifier"] == "RuntimeError: no neural network in models/tocsin-e5"
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200
        health.beat("evaluator", limit_seconds=-1)
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 503
        metrics = httpx.get(f"{url}/metrics", timeout=PATIENCE)
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "# HELP" in metrics.text
