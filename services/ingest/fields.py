"""The single fields of a raw mention, read and cleaned; what is wrong with one is a finding, and the next is read all the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from services.ingest.cleaning import clean_line, clean_text
from tocsin.contracts.events import Author, Engagement, Media, Mention, Rating

LONGEST_TEXT = 100_000
"""Characters of a text, after cleaning."""
LONGEST_MARKUP = 1_000_000
"""Characters of a text with its markup; more is not even looked at."""
LONGEST_LINE = 4_000
"""Characters of any other field."""
MOST_ITEMS = 100
"""Brands and media of one mention."""
LARGEST_NUMBER = 2**63 - 1
"""Of any count or time in ms: what a database holds."""

_IDENTIFIERS = frozenset({"native_id", "in_reply_to", "quote_of", "repost_of", "conversation_id", "author.id"})
_PARTS: dict[str, type[BaseModel]] = {"author": Author, "engagement": Engagement, "rating": Rating}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?P<offset>[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_UNKNOWN_LANGUAGES = frozenset({"und", "mul", "zxx", "mis"})
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Finding(NamedTuple):
    """One thing that is wrong: the field (`author.followers`), and why, with how to mend it. Never repeats a text."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def read_instant(value: object) -> datetime:
    """An RFC 3339 instant in UTC. Raises ValueError, saying how to write it."""
    example = "write it with its offset, like 2026-01-31T09:00:00+01:00 or 2026-01-31T08:00:00Z"
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind_of(value)}; {example}")
    written = value.strip()
    form = _INSTANT.fullmatch(written)
    if form is None:
        raise ValueError(f"is no date with a time; {example}")
    if form["offset"] is None:
        raise ValueError(f"has no offset, so nobody knows which instant it is; {example}")
    try:
        instant = datetime.fromisoformat(written.upper().replace(",", ".")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no date of the calendar; {example}") from error
    if instant < _EARLIEST:
        raise ValueError("lies before 1970; is the year right?")
    return instant


def known_fields(raw: Mapping[Any, Any], findings: list[Finding]) -> dict[str, Any]:
    """What of `raw` a mention has, cleaned; text, dates and absent fields left out."""
    fields: dict[str, Any] = {}
    for name in Mention.model_fields:
        value = raw.get(name)
        if value is None or name in {"text", "published_at", "received_at"}:
            continue
        cleaned: Any
        if name in _PARTS:
            cleaned = _part(name, value, _PARTS[name], findings)
        elif name in {"brands", "media"}:
            cleaned = _items(name, value, findings)
        else:
            cleaned = _plain(name, value, findings)
        if cleaned is not None:
            fields[name] = cleaned
    if "language" in fields:
        fields["language"] = _language(fields["language"])
    return fields


def _part(path: str, value: Any, kind: type[BaseModel], findings: list[Finding]) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        findings.append(Finding(path, f"must be an object with {', '.join(kind.model_fields)}, not {kind_of(value)}"))
        return None
    cleaned = {}
    for name in kind.model_fields:
        item = value.get(name)
        if item is None or name == "observed_at":
            continue
        found = _plain(f"{path}.{name}", item, findings)
        if found is not None:
            cleaned[name] = found
    if value.get("observed_at") is not None and "observed_at" in kind.model_fields:
        try:
            cleaned["observed_at"] = read_instant(value["observed_at"])
        except ValueError as error:
            findings.append(Finding(f"{path}.observed_at", str(error)))
    return cleaned


def _items(path: str, value: Any, findings: list[Finding]) -> list[Any] | None:
    if not isinstance(value, list | tuple):
        what = "brand ids" if path == "brands" else "objects with kind and url"
        findings.append(Finding(path, f"must be a list of {what}, not {kind_of(value)}"))
        return None
    if len(value) > MOST_ITEMS:
        findings.append(Finding(path, f"has {len(value)} items; at most {MOST_ITEMS} are taken"))
        return None
    if path == "media":
        media = [_part(f"media[{index}]", item, Media, findings) for index, item in enumerate(value)]
        return [item for item in media if item]
    brands = [_plain(f"brands[{index}]", item, findings) for index, item in enumerate(value)]
    for index, brand in enumerate(brands):
        if brand is not None and (not isinstance(brand, str) or len(brand) > 100):
            findings.append(Finding(f"brands[{index}]", "must be a brand's id, a string of at most 100 characters"))
    return list(dict.fromkeys(brand for brand in brands if isinstance(brand, str)))


def _plain(path: str, value: Any, findings: list[Finding]) -> Any:
    """A string, a number or a truth value that may be kept; None where it is empty or refused."""
    if isinstance(value, str):
        line = clean_line(value)
        if len(line) > LONGEST_LINE:
            findings.append(Finding(path, f"has {len(line):,} characters; at most {LONGEST_LINE:,} are taken"))
            return None
        return line or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        complaint = f"must be a string or a number, not {kind_of(value)}"
    elif not math.isfinite(value):
        complaint = "is no finite number"
    elif abs(value) > LARGEST_NUMBER:
        complaint = "is larger than any count or time can be"
    else:
        return str(value) if path in _IDENTIFIERS else value
    findings.append(Finding(path, complaint))
    return None


def read_text(value: Any, markup: bool, findings: list[Finding]) -> str:
    """The text, cleaned; with `markup` it was HTML. Empty where it is absent or refused."""
    if value is None:
        return ""
    if not isinstance(value, str):
        findings.append(Finding("text", f"must be a string, not {kind_of(value)}"))
        return ""
    length = len(value)
    if length <= LONGEST_MARKUP:
        cleaned = clean_text(value, markup=markup)
        length = len(cleaned)
        if length <= LONGEST_TEXT:
            return cleaned
    findings.append(
        Finding(
            "text",
            f"has {length:,} characters; at most {LONGEST_TEXT:,} are taken: send the part that is about the brand",
        )
    )
    return ""


def _language(value: Any) -> str | None:
    """A BCP 47 tag, written `pt-BR`; None where it is unknown or unreadable."""
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        return None
    first, *rest = value.replace("_", "-").split("-")
    if first.lower() in _UNKNOWN_LANGUAGES:
        return None
    return "-".join([first.lower(), *rest])


def kind_of(value: object) -> str:
    """What a JSON value is, in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
    return "an object"
