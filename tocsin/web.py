"""A web server as a component of a process: it listens, tells where, and stops when it has answered what it had begun."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import uvicorn
from anyio import to_thread

from tocsin.header_time import HEADER_SECONDS, timed_headers
from tocsin.observability.health import Health
from tocsin.observability.logs import logger

_log = logger(__name__)

BEAT_SECONDS = 5


class CannotListen(RuntimeError):
    """The address cannot be listened on; the message says which and how to mend it."""


class WebServer:
    """Serves an ASGI application over HTTP/1.1 until asked to stop.

    `port` 0 takes a free one; `bind` opens the socket at once, so that the address is known (and printed) before `run`.
    `app` may be set later, before `run`, by who must know the address first. Requests in hand are given `drain_seconds` to end.
    A request whose headers are not complete after `header_seconds` is answered 408. At most `threads` requests are worked on at once,
    the others wait; without a number, as many as anyio's default allows (40).
    """

    def __init__(
        self,
        app: Any | None,
        host: str,
        port: int,
        *,
        name: str = "web",
        health: Health | None = None,
        drain_seconds: int = 10,
        header_seconds: float = HEADER_SECONDS,
        threads: int | None = None,
    ) -> None:
        self.name = name
        self.app = app
        self._host = host
        self._port = port
        self._health = health
        self._drain_seconds = drain_seconds
        self._header_seconds = header_seconds
        self._threads = threads
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port that is really listened on; before `bind`, the one that was asked for."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it, without a slash at the end."""
        everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not listened on
        host = everywhere.get(self._host, f"[{self._host}]" if ":" in self._host else self._host)
        return f"http://{host}:{self.port}"

    def bind(self) -> str:
        """Open the socket and return `url`; calling it again changes nothing. Raises CannotListen."""
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            # With its protocol, else asyncio does not recognise TCP and leaves Nagle on: 40 ms for each answer in two pieces.
            listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((self._host, self._port))
                # Listening already here: who connects between `bind` and `run` waits instead of being refused.
                listening.listen(128)
            except OSError as error:
                listening.close()
                raise CannotListen(
                    f"cannot listen on {self._host}:{self._port}: {error.strerror or error}; "
                    "is another process there already? Choose another port (0 takes a free one) or stop the other process"
                ) from error
            self._socket = listening
        return self.url

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, then let requests in hand end."""
        if self.app is None:
            raise RuntimeError(f"the web server {self.name} was given no application to serve")
        self.bind()
        assert self._socket is not None  # noqa: S101 - bind has just opened it
        server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                http=timed_headers(self._header_seconds),
                log_config=None,
                access_log=False,
                server_header=False,
                # Addresses that a proxy claims are believed nowhere: links are built from api.public_url.
                proxy_headers=False,
                timeout_graceful_shutdown=self._drain_seconds,
                timeout_notify=BEAT_SECONDS,
                callback_notify=self._beat,
            )
        )
        stopped = threading.Event()

        def pass_on_stop() -> None:
            stop.wait()
            if not stopped.is_set():
                server.should_exit = True

        watcher = threading.Thread(target=pass_on_stop, name=f"{self.name}-stop", daemon=True)
        watcher.start()
        if self._health is not None:
            self._health.beat(self.name)
        _log.info("listening", url=self.url)
        try:
            asyncio.run(_serve(server, self._socket, self._threads))
        finally:
            stopped.set()
            self._socket.close()
        if not stop.is_set():
            raise RuntimeError(f"the web server on {self.url} ended by itself; its log above says why")

    async def _beat(self) -> None:
        if self._health is not None:
            self._health.beat(self.name)


async def _serve(server: uvicorn.Server, listening: socket.socket, threads: int | None) -> None:
    if threads is not None:
        to_thread.current_default_thread_limiter().total_tokens = threads
    await server.serve(sockets=[listening])
