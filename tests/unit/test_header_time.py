"""The time that the head of a request may take: one limit a request, which no further byte puts off."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from uvicorn.server import ServerState

from tocsin.header_time import TimedHeaders, timed_headers

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: tocsin.test\r\n\r\n"


class Timer:
    """What `call_later` gives."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self.seconds, self.ring, self.cancelled = seconds, ring, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Timers that go off when the test says so; applications that are never run."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, ring))
        return self.timers[-1]

    def create_task(self, work: Coroutine[Any, Any, None], **_named: Any) -> Mock:
        work.close()
        return Mock()

    @property
    def armed(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]


class Wire:
    """The server's end of a connection."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def get_extra_info(self, _name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def connection(loop: Loop, wire: Wire) -> TimedHeaders:
    made = timed_headers(7)(
        config=uvicorn.Config(Mock(), log_config=None), server_state=ServerState(), app_state={}, _loop=loop
    )
    made.connection_made(wire)  # type: ignore[arg-type]
    return made


def test_a_head_that_comes_byte_by_byte_has_one_limit_and_is_answered_408(
    connection: TimedHeaders, loop: Loop, wire: Wire
) -> None:
    for byte in REQUEST[:-1]:
        connection.data_received(bytes([byte]))
    (timer,) = loop.timers
    assert (timer.seconds, timer.cancelled) == (7, False)
    timer.ring()
    assert wire.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in wire.written.lower()
    assert wire.closed


def test_whoever_connects_and_says_nothing_is_left_without_a_word(
    connection: TimedHeaders, loop: Loop, wire: Wire
) -> None:
    (timer,) = loop.timers
    timer.ring()
    assert (wire.written, wire.closed, connection.connections) == (b"", True, {connection})


def test_a_head_that_is_complete_has_its_time_taken_away(connection: TimedHeaders, loop: Loop, wire: Wire) -> None:
    connection.data_received(REQUEST)
    assert loop.armed == []
    assert not wire.closed


def test_the_body_is_not_its_concern(connection: TimedHeaders, loop: Loop) -> None:
    connection.data_received(b"POST / HTTP/1.1\r\nHost: tocsin.test\r\nContent-Length: 9\r\n\r\n")
    connection.data_received(b"half")
    assert loop.armed == []


def test_what_was_never_a_request_is_refused_at_once(connection: TimedHeaders, loop: Loop, wire: Wire) -> None:
    connection.data_received(b"\x16\x03\x01\x02\x00\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert loop.armed == []


def test_a_client_that_leaves_leaves_no_timer_behind(connection: TimedHeaders, loop: Loop) -> None:
    connection.data_received(b"GET /")
    connection.connection_lost(None)
    assert loop.armed == []
