"""One HTTP request to a board's API: to an address that was checked, with an error of the port for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from services.alert.boards.port import BoardBusy, BoardRefused, BoardUnanswered, CardGone
from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of
from services.alert.notify.posting import retry_after, usual_authorities
from tocsin.clock import Clock

LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer; a list of cards is long."""

Reason = Callable[[httpx.Response], str]
"""What the service says is wrong, from its answer; without secrets."""


class BoardCaller:
    """Calls one service. Redirects are not followed, and the process's proxy settings do not apply."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: timedelta,
        allow_private: bool,
        clock: Clock,
        reason: Reason,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._allow_private = allow_private
        self._clock = clock
        self._reason = reason
        self._client = httpx.Client(
            verify=usual_authorities(),
            timeout=timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self.timeout = 4 * timeout

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        wait: Callable[[httpx.Response, datetime], timedelta | None] | None = None,
    ) -> Any:
        """The answer's JSON. `wait` reads from a 429 how long to wait, where the service does not say Retry-After.

        Raises BoardBusy, BoardUnanswered (of what changes something), BoardRefused or CardGone (404, 410).
        """
        target = httpx.URL(self._url + path, params=dict(query) if query else None)
        try:
            port = target.port or (443 if target.scheme == "https" else 80)
            addresses = addresses_of(target.host, port, allow_private=self._allow_private)
        except AddressRefused as error:
            raise BoardRefused(str(error)) from error
        except AddressUnknown as error:
            raise BoardBusy(str(error)) from error
        failure = "the host has no address"
        for address in addresses:
            try:
                response = self._send(method, target, address, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = f"no connection ({type(error).__name__})"
                continue
            except httpx.TransportError as error:
                said = f"no answer ({type(error).__name__})"
                raise (BoardBusy(said) if method == "GET" else BoardUnanswered(said)) from error
            return self._understood(method, response, wait)
        raise BoardBusy(failure)

    def _send(self, method: str, target: httpx.URL, address: str, body: Mapping[str, Any] | None) -> httpx.Response:
        request = self._client.build_request(
            method,
            target.copy_with(host=address),
            json=dict(body) if body is not None else None,
            headers={
                "Host": target.netloc.decode("ascii"),
                "User-Agent": "Tocsin",
                "Accept": "application/json",
                **self._headers,
            },
            extensions={"sni_hostname": target.raw_host.decode("ascii")},
        )
        response = self._client.send(request, stream=True)
        try:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise BoardRefused(f"the answer is longer than {LONGEST_ANSWER} bytes; is the url right?")
            response._content = content
        finally:
            response.close()
        return response

    def _understood(
        self,
        method: str,
        response: httpx.Response,
        wait: Callable[[httpx.Response, datetime], timedelta | None] | None,
    ) -> Any:
        status = response.status_code
        detail = f"HTTP {status}: {self._reason(response)}"[:300]
        if 200 <= status < 300:
            try:
                return response.json()
            except ValueError as error:
                raise BoardUnanswered(f"HTTP {status}, but no JSON; is the url right?") from error
        if status == 429:
            now = self._clock.now()
            asked = retry_after(response.headers.get("retry-after"), now) or (wait(response, now) if wait else None)
            raise BoardBusy(detail, asked, whole_board=True)
        if status in (404, 410):
            raise CardGone(detail)
        if status in (408, 425) or status >= 500:
            # What changes something may have done so before it failed.
            raise BoardBusy(detail) if method == "GET" else BoardUnanswered(detail)
        raise BoardRefused(detail)
