"""Rate limits: a bucket of requests for each key or session, and headers that tell how full it is."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.observability import metrics
from tocsin.problems import Problem

_REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a request may pass, how many more may at once, and in how many seconds the next one or all of them may."""

    passes: bool
    remaining: int
    wait_seconds: float
    full_seconds: float


class Buckets:
    """A token bucket a name: `a_minute` requests on average, at most `at_once` of them in a row. Safe from any thread.

    `monotonic` counts seconds. Of more than 10,000 names the least recently seen are forgotten, which gives them a full bucket.
    """

    def __init__(self, a_minute: int, at_once: int, monotonic: Callable[[], float]) -> None:
        self.at_once = at_once
        self._rate = a_minute / 60
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> Turn:
        """Take one request out of a bucket."""
        now = self._monotonic()
        with self._lock:
            bucket = self._buckets.setdefault(name, _Bucket(float(self.at_once), now))
            self._buckets.move_to_end(name)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
            bucket.tokens = min(float(self.at_once), bucket.tokens + (now - bucket.at) * self._rate)
            bucket.at = now
            passes = bucket.tokens >= 1
            if passes:
                bucket.tokens -= 1
            return Turn(
                passes=passes,
                remaining=int(bucket.tokens),
                wait_seconds=0.0 if passes else (1 - bucket.tokens) / self._rate,
                full_seconds=(self.at_once - bucket.tokens) / self._rate,
            )


class Throttle:
    """ASGI middleware behind the gate; limits are a process's own, so two api processes let twice as much through."""

    def __init__(self, app: ASGIApp, *, a_minute: int, monotonic: Callable[[], float]) -> None:
        """`a_minute` requests a key or session; a tenth of them may come at once, but never fewer than 20."""
        self._app = app
        self._buckets = Buckets(a_minute, max(20, a_minute // 10), monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = scope.get("state", {}).get("principal") if scope["type"] == "http" else None
        if principal is None:
            await self._app(scope, receive, send)
            return
        turn = self._buckets.take(principal.actor)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Limit"] = str(self._buckets.at_once)
                headers["RateLimit-Remaining"] = str(turn.remaining)
                headers["RateLimit-Reset"] = str(math.ceil(turn.full_seconds))
            await send(message)

        if turn.passes:
            await self._app(scope, receive, send_with_limits)
            return
        metrics.REQUESTS_THROTTLED.inc()
        wait = str(max(1, math.ceil(turn.wait_seconds)))
        problem = Problem(
            429,
            detail=f"too many requests with this key or session; the next one may come in {wait} s",
            headers={"Retry-After": wait},
        )
        await problem.response()(scope, receive, send_with_limits)
