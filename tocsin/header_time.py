"""A limit on how long the head of a request may take: who sends a byte now and then would hold a connection for ever.

uvicorn closes a connection that is quiet between two requests and waits without end for the rest of a head that was begun, or for
the first byte of the first one. Bodies have a limit of their own, where the route reads them.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
"""From the connection, or from the first byte of a further request, to the empty line after its headers."""

_SAID = b"the headers of the request took too long; send it again"


class TimedHeaders(H11Protocol):
    """uvicorn's HTTP/1.1, which answers 408 to a head that does not end in time, and closes where none was begun.

    One timer a request, which no further byte puts off.
    """

    header_seconds: ClassVar[float] = HEADER_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Whoever connects is expected to ask for something."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The head goes on, or is complete, or the body has come."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is waited for."""
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._too_late)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        begun, _ = self.conn.trailing_data
        if begun and self.conn.our_state is h11.IDLE:
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(_SAID)).encode()),
                (b"connection", b"close"),
            ]
            start = h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
            for event in (start, h11.Data(data=_SAID), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def timed_headers(seconds: float) -> type[TimedHeaders]:
    """The protocol with another limit; uvicorn is given a class and makes the connections' own."""
    return type("TimedHeaders", (TimedHeaders,), {"header_seconds": seconds})
