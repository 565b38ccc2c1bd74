"""The one way in: whatever a source, a file or a request says of a mention becomes a `Mention`, or is refused with reasons.

Decided here, for every way in:
- A text longer than 100,000 characters is refused, not cut: what is cut off might be what names the brand.
- A date must have an offset. One that lies more than 10 minutes ahead (of its receipt, or of the clock) is refused: windows
  go by it, and a mention of tomorrow would hold its place in them for a day.
- `received_at` is now, but in files it is believed where it is given, and is else the time of publication.
- `null` and empty strings are absent; numbers are taken as ids; fields that nobody knows are passed over.
- An unreadable `language` is detected anew; a detection that is not sure leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from services.ingest.fields import LARGEST_NUMBER, Finding, kind_of, known_fields, read_instant, read_text
from tocsin.contracts.events import Engagement, Mention, Rating

FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a source's clock may be ahead."""

DetectLanguage = Callable[[str], str | None]


class RejectedMention(ValueError):
    """No mention can be made of what was given; `findings` says which fields are wrong, at least one."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = findings

    @property
    def field(self) -> str:
        """The first wrong field; empty where the whole is wrong."""
        return self.findings[0].field

    @property
    def reason(self) -> str:
        """What is wrong with it."""
        return self.findings[0].reason


class Normaliser:
    """Makes mentions; pure but for the language detection that it is given."""

    def __init__(self, detect_language: DetectLanguage) -> None:
        self._detect_language = detect_language

    def normalise(
        self, raw: object, *, now: datetime, received_at: datetime | None = None, markup: bool = False
    ) -> Mention:
        """The mention that `raw` (a JSON object) describes.

        `now` (UTC) tells what is future. `received_at` is when it came in; None believes the object's own, as in files.
        `markup`: the text is HTML. Raises RejectedMention.
        """
        if not isinstance(raw, Mapping):
            raise RejectedMention(Finding("", f"a mention is a JSON object {{…}}; this is {kind_of(raw)}"))
        findings: list[Finding] = []
        fields = known_fields(raw, findings)
        fields["text"] = read_text(raw.get("text"), markup, findings)
        _set_instants(fields, raw, now, received_at, findings)
        _require(fields, findings)
        if findings:
            raise RejectedMention(*findings)
        language = fields.get("language")
        fields["language"] = language if language is not None else self._detect_language(fields["text"])
        try:
            mention = Mention.model_validate(fields)
        except ValidationError as error:
            raise RejectedMention(*_from_validation(error)) from error
        findings.extend(_too_large(mention))
        if findings:
            raise RejectedMention(*findings)
        return mention


def _set_instants(
    fields: dict[str, Any], raw: Mapping[Any, Any], now: datetime, received_at: datetime | None, findings: list[Finding]
) -> None:
    """Put `published_at`, `received_at` and the time of the engagement into `fields`, and look whether they can be."""

    def read(name: str) -> datetime | None:
        value = raw.get(name)
        if value is None or value == "":
            return None
        try:
            return read_instant(value)
        except ValueError as error:
            findings.append(Finding(name, str(error)))
            return None

    before = len(findings)
    published_at = read("published_at")
    if published_at is None:
        if len(findings) == before:
            findings.append(
                Finding("published_at", "is required: when it was published, like 2026-01-31T09:00:00+01:00")
            )
        return
    if received_at is None:
        received_at = read("received_at")
        if received_at is not None and received_at > now + FUTURE_TOLERANCE:
            findings.append(
                Finding("received_at", f"lies {_length(received_at - now)} in the future; is its offset right?")
            )
    seen_at = now if received_at is None else min(now, received_at)
    if published_at > seen_at + FUTURE_TOLERANCE:
        findings.append(
            Finding(
                "published_at",
                f"lies {_length(published_at - seen_at)} in the future; are its offset and the clocks right?",
            )
        )
    fields["published_at"] = published_at
    fields["received_at"] = received_at if received_at is not None else published_at
    if fields.get("engagement"):
        fields["engagement"].setdefault("observed_at", fields["received_at"])


def _require(fields: Mapping[str, Any], findings: list[Finding]) -> None:
    findings.extend(
        Finding(name, "is required: " + what)
        for name, what in (
            ("source", "where it was said, such as bluesky, rss or reviews"),
            ("native_id", "its id at the source, so that it is counted once"),
        )
        if name not in fields and not any(finding.field == name for finding in findings)
    )
    rated = fields.get("rating", {}).get("value") is not None
    if (
        not fields["text"]
        and not rated
        and not fields.get("media")
        and not any(finding.field == "text" for finding in findings)
    ):
        findings.append(
            Finding("text", "is required where there is neither a rating nor media: nothing is said otherwise")
        )


def _too_large(mention: Mention) -> list[Finding]:
    """Numbers that came in as strings and are beyond what a database holds."""
    engagement = mention.engagement or Engagement()
    numbers = {
        "revision": mention.revision,
        "author.followers": mention.author.followers,
        **{f"engagement.{name}": getattr(engagement, name) for name in ("likes", "reposts", "replies", "views")},
    }
    findings = [
        Finding(name, "is larger than any count or time can be")
        for name, number in numbers.items()
        if number is not None and number > LARGEST_NUMBER
    ]
    if mention.revision is not None and mention.revision < 0:
        findings.append(Finding("revision", "must be 0 or more: milliseconds since 1970"))
    rating = mention.rating or Rating()
    for name, share in (("value", rating.value), ("best", rating.best)):
        if share is not None and not math.isfinite(share):
            findings.append(Finding(f"rating.{name}", "is no finite number"))
    return findings


def _from_validation(error: ValidationError) -> list[Finding]:
    """What Pydantic says, without the values, which may be somebody's words."""
    findings = []
    for item in error.errors(include_url=False, include_input=False):
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        findings.append(Finding(field, item["msg"].removeprefix("Value error, ")))
    return findings


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 72 * 60 else f"{minutes // 1440} days"
