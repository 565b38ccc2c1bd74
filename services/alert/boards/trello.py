"""Trello's REST API (https://developer.atlassian.com/cloud/trello/rest/): cards of one list.

Limits are 100 requests in 10 s a token and 300 a key; a 429 carries them in `x-rate-limit-…` headers and no Retry-After.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from services.alert.boards.calling import BoardCaller
from services.alert.boards.port import BoardRefused, BoardUnanswered, Card, CardGone
from tocsin.clock import Clock
from tocsin.contracts.settings.room import TrelloBoard

_INTERVALS = ("x-rate-limit-api-token-interval-ms", "x-rate-limit-api-key-interval-ms")
_LONGEST_DESCRIPTION = 1500
"""Parameters travel in the address, which is not to grow without bound."""


class Trello:
    """Makes and changes cards of one list."""

    kind = "trello"

    def __init__(self, settings: TrelloBoard, clock: Clock) -> None:
        self._list = settings.list_id
        key, token = settings.key.get_secret_value(), settings.token.get_secret_value()
        self._caller = BoardCaller(
            settings.url,
            # In a header, because addresses are written into logs.
            {"Authorization": f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"'},
            timeout=settings.timeout,
            allow_private=settings.allow_private_address,
            clock=clock,
            reason=_reason,
        )
        self.timeout = self._caller.timeout

    def create(self, card: Card) -> str:
        """POST /1/cards."""
        try:
            made = self._caller.call(
                "POST", "/1/cards", query={"idList": self._list, "pos": "bottom", **_fields(card)}, wait=_wait
            )
        except CardGone as error:
            raise BoardRefused(f"{error}: is list_id right, and may the token write to its board?") from error
        return _identifier(made)

    def find(self, marker: str) -> str | None:
        """GET /1/lists/{id}/cards, and look for the marker in the descriptions."""
        try:
            cards = self._caller.call(
                "GET", f"/1/lists/{self._list}/cards", query={"fields": "desc", "limit": "1000"}, wait=_wait
            )
        except CardGone as error:
            raise BoardRefused(f"{error}: is list_id right?") from error
        return next((_identifier(card) for card in cards if marker in str(card.get("desc", ""))), None)

    def change(self, identifier: str, card: Card) -> None:
        """PUT /1/cards/{id}; the list stays, because people move cards."""
        self._caller.call("PUT", f"/1/cards/{identifier}", query=_fields(card), wait=_wait)


def _fields(card: Card) -> dict[str, str]:
    return {
        "name": card.title,
        "desc": f"{card.description[:_LONGEST_DESCRIPTION]}\n\n{card.marker}",
        "due": f"{card.due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "dueComplete": "true" if card.done else "false",
    }


def _identifier(card: object) -> str:
    identifier = card.get("id") if isinstance(card, dict) else None
    if not isinstance(identifier, str):
        raise BoardUnanswered("the answer names no card")
    return identifier


def _wait(response: httpx.Response, _now: datetime) -> timedelta | None:
    for name in _INTERVALS:
        value = response.headers.get(name, "")
        if value.isdecimal():
            return timedelta(milliseconds=min(int(value), 3_600_000))
    return timedelta(seconds=10)


def _reason(response: httpx.Response) -> str:
    try:
        told = response.json()
    except ValueError:
        return " ".join(response.text.split())[:200]
    return str(told.get("message") or told.get("error") or "") if isinstance(told, dict) else ""
