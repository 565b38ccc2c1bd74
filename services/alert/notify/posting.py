"""One HTTP request to somebody else's service: to an address that was checked, without redirects, and with an outcome for
whatever the other side does."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of
from services.alert.notify.port import NOT_WANTED, Outcome
from tocsin.clock import Clock
from tocsin.storage.notifications import AttemptOutcome

LONGEST_RETRY_AFTER = timedelta(days=1)
LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read, where a channel needs to read it."""
_PASSING = (408, 425, 429)
"""Of the 4xx, those that pass by themselves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. `body` is empty where nobody asked for it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Judge = Callable[[Answer, datetime], Outcome]
"""What an answer means, by the rules of the service."""


class _NotWanted(Exception):
    """By the time that the connection stood, nobody wanted the message any more."""


class Poster:
    """Posts to one service. Used from several threads at once; the process's proxy settings do not apply."""

    def __init__(
        self, *, timeout: timedelta, allow_private: bool, clock: Clock, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: which certificates to trust, where the usual authorities are not meant."""
        self._allow_private = allow_private
        self._clock = clock
        self._client = httpx.Client(
            verify=tls or usual_authorities(),
            timeout=timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        # Looking up, connecting, writing and reading may each take up to the configured time.
        self.timeout = 4 * timeout

    def post(
        self,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        wanted: Callable[[], bool],
        judge: Judge | None = None,
    ) -> Outcome:
        """Post once. `wanted` is asked when the connection stands, right before the first byte; `judge` reads the answer's body.

        Without `judge` the status alone decides (`outcome_of_status`).
        """
        target = httpx.URL(url)
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            addresses = addresses_of(target.host, port, allow_private=self._allow_private)
        except AddressRefused as error:
            return Outcome(AttemptOutcome.REJECTED, str(error))
        except AddressUnknown as error:
            return Outcome(AttemptOutcome.RETRY, str(error))
        outcome = Outcome(AttemptOutcome.RETRY, "the host has no address")
        for address in addresses:
            try:
                answer = self._send(target, address, content, headers, wanted, read=judge is not None)
            except _NotWanted:
                return NOT_WANTED
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                outcome = Outcome(AttemptOutcome.RETRY, f"no connection ({type(error).__name__})")
            except httpx.TransportError as error:
                # It was connected: what arrived there, nobody knows.
                return Outcome(AttemptOutcome.UNKNOWN, f"no answer ({type(error).__name__})")
            else:
                return (judge or outcome_of_status)(answer, self._clock.now())
        return outcome

    def _send(
        self,
        target: httpx.URL,
        address: str,
        content: bytes,
        headers: Mapping[str, str],
        wanted: Callable[[], bool],
        *,
        read: bool,
    ) -> Answer:
        def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event == "http11.send_request_headers.started" and not wanted():
                raise _NotWanted

        request = self._client.build_request(
            "POST",
            target.copy_with(host=address),
            content=content,
            headers={"Host": target.netloc.decode("ascii"), "User-Agent": "Tocsin", **headers},
            # The certificate must be that of the name, though the connection goes to the address.
            extensions={"sni_hostname": target.raw_host.decode("ascii"), "trace": trace},
        )
        response = self._client.send(request, stream=True)
        try:
            body = _beginning_of(response) if read else b""
        finally:
            response.close()
        return Answer(response.status_code, response.headers, body)


@functools.cache
def usual_authorities() -> ssl.SSLContext:
    """Trusts whom browsers trust; read once a process, because that takes a while."""
    return httpx.create_ssl_context()


def _beginning_of(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= LONGEST_ANSWER:
            break
    return body[:LONGEST_ANSWER]


def outcome_of_status(answer: Answer, now: datetime) -> Outcome:
    """What an HTTP status means for a message."""
    status = answer.status
    detail = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome(AttemptOutcome.ACCEPTED, detail)
    if status == 410:
        return Outcome(AttemptOutcome.GONE, f"{detail}: the receiver wants nothing more; the channel is disabled")
    if status in _PASSING or status >= 500:
        return Outcome(AttemptOutcome.RETRY, detail, retry_after(answer.headers.get("retry-after"), now))
    if 300 <= status < 400:
        return Outcome(AttemptOutcome.REJECTED, f"{detail}: redirects are not followed; write the final address as url")
    return Outcome(
        AttemptOutcome.REJECTED, f"{detail}: the receiver refuses it; look at its log, the url and the secret"
    )


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (seconds or a date), a day at most; None where it is absent or unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        wanted = timedelta(seconds=min(int(value[:9]), 10**8))
    else:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, IndexError):
            return None
        wanted = at.replace(tzinfo=at.tzinfo or UTC) - now
    return min(max(wanted, timedelta(0)), LONGEST_RETRY_AFTER)
