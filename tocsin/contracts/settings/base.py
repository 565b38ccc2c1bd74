"""The base of every section of `tocsin.yaml`, and how durations are written there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min|h|d)")
LONGEST_DURATION = timedelta(days=36_525)
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Settings(BaseModel):
    """A section: immutable, and an unknown key is an error, because a misspelt threshold would silently not count."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


def parse_duration(value: object) -> object:
    """Read `90 s`, `15 min`, `1h 30min`, `4 d` (or a `timedelta`) into a `timedelta`."""
    if not isinstance(value, str):
        if isinstance(value, int | float):
            raise ValueError(f"a duration needs a unit: write '{value} s' or '{value} min'")
        return value
    rest = _DURATION.sub("", value).strip()
    parts = list(_DURATION.finditer(value))
    if rest or not parts:
        raise ValueError(f"{value!r} is no duration; write it like '90 s', '15 min', '1h 30min' or '4 d'")
    seconds = sum(float(part["number"]) * _UNITS[part["unit"]] for part in parts)
    if seconds > LONGEST_DURATION.total_seconds():
        raise ValueError(f"{value!r} is longer than a hundred years; write a shorter one")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "min"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{int(seconds // _UNITS[unit])} {unit}"
    return f"{seconds:g} s"


_AS_WRITTEN = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|min|h|d)\s*)+$",
        "examples": ["90 s", "15 min", "1h 30min", "4 d"],
    },
    mode="validation",
)

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json"), _AS_WRITTEN
]
"""A length of time, written with its unit: `15 min`."""

IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
"""A name that other sections refer to: lower-case letters, digits, `-` and `_`."""
