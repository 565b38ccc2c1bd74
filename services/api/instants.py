"""Instants as they are sent: RFC 3339 with an offset, and no number that somebody might take for one."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from tocsin.contracts.events import Instant

_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _written(value: Any) -> Any:
    if not isinstance(value, str) or _WRITTEN.fullmatch(value) is None:
        raise ValueError("write an instant as RFC 3339 with an offset, such as 2026-03-10T21:40:00+01:00 or …Z")
    return value


SentInstant = Annotated[Instant, BeforeValidator(_written)]
"""An instant in a request, in UTC once it is read; in an address, `+` is written as `%2B`."""
