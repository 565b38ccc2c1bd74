"""Cursors: where a page of a list ended, as an opaque text for the caller to give back.

A cursor holds the place (time and id, and what it was sorted by) of the last item that was sent, not a count of items: what is
written meanwhile neither repeats an item nor hides one that was there before.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 200


class UnreadableCursor(ValueError):
    """The text is no cursor of ours; the message says how to mend it."""

    def __init__(self) -> None:
        super().__init__(
            "this is no cursor; give back `next` of the page before as it is, or leave it out for the first page"
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of an item in a list that is ordered by time and then by id, or by a value before these.

    `order` names the order of the list where it has several, so that a cursor of another order is noticed.
    """

    PATTERN: ClassVar[str] = r"^W[yz][A-Za-z0-9_-]{48,198}$"
    """How each begins, and how long it may be: for the description of the API."""

    at: datetime
    identifier: uuid.UUID
    order: str | None = None
    value: float | None = None

    def __str__(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        parts: list[Any] = [microseconds, self.identifier.hex]
        if self.order is not None:
            parts += [self.order, self.value]
        raw = json.dumps(parts, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what `str` wrote. Raises UnreadableCursor."""
        if len(text) > _LONGEST:
            raise UnreadableCursor
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            microseconds, identifier, *rest = json.loads(raw)
            order, value = rest or (None, None)
            if not isinstance(microseconds, int) or not isinstance(identifier, str):
                raise UnreadableCursor
            if (
                not isinstance(order, str | None)
                or isinstance(value, bool)
                or not isinstance(value, int | float | None)
            ):
                raise UnreadableCursor
            if value is not None and not math.isfinite(value):
                raise UnreadableCursor
            at = _EPOCH + timedelta(microseconds=microseconds)
            return cls(at, uuid.UUID(hex=identifier), order, None if value is None else float(value))
        except (binascii.Error, UnicodeError, ValueError, TypeError, OverflowError) as error:
            raise UnreadableCursor from error
