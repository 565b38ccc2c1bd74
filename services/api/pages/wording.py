"""The page's words in each language, and how times and numbers are written there. A catalogue is a JSON file beside this one."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

LANGUAGES = ("en", "fr")
"""The first is what whoever asks for none of them gets."""
_FOLDER = Path(__file__).parent / "catalogues"
_THOUSANDS = {"en": ",", "fr": "\u202f"}


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. `say` gives plain text: the template escapes it like any other."""

    language: str
    phrases: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The phrase `key` with its gaps filled. Raises KeyError for one that is not in the catalogue."""
        return self.phrases[key].format(**values)

    def clock(self, at: datetime, zone: ZoneInfo, now: datetime) -> str:
        """`22:38` in `zone`; with the day before it when that is not today there."""
        local = at.astimezone(zone)
        if local.date() == now.astimezone(zone).date():
            return f"{local:%H:%M}"
        return f"{local:%d/%m %H:%M}"

    def day(self, at: datetime, zone: ZoneInfo) -> str:
        """`Tue 24/11/2026`, `mar. 24/11/2026`: the day in `zone`, for what is read long afterwards."""
        local = at.astimezone(zone)
        return f"{self.say(f'weekday.{local.weekday()}')} {local:%d/%m/%Y}"

    def ago(self, at: datetime, now: datetime) -> str:
        """How long ago, in one unit, rounded down; an instant to come is 'just now' too."""
        past = max(now - at, timedelta(0))
        for key, unit in (
            ("ago.days", timedelta(days=1)),
            ("ago.hours", timedelta(hours=1)),
            ("ago.minutes", timedelta(minutes=1)),
        ):
            if past >= unit * (2 if key == "ago.days" else 1):
                return self.say(key, number=past // unit)
        return self.say("ago.now")

    def number(self, value: float) -> str:
        """A whole number with the thousands apart; from 10 000 on, rounded to thousands (`42k`, `1.3M`)."""
        if value >= 999_500:
            return f"{value / 1_000_000:.1f}".replace(".", "," if self.language == "fr" else ".") + "M"
        if value >= 10_000:
            return f"{value / 1000:.0f}k"
        return f"{value:,.0f}".replace(",", _THOUSANDS[self.language])

    def percent(self, share: float) -> str:
        """`37 %` in French, `37%` in English, of a share 0–1."""
        return f"{share * 100:.0f}" + ("\u202f%" if self.language == "fr" else "%")


@functools.cache
def wording(language: str) -> Wording:
    """A language's wording; the first of LANGUAGES where there is no catalogue."""
    known = language if language in LANGUAGES else LANGUAGES[0]
    return Wording(known, json.loads((_FOLDER / f"{known}.json").read_text(encoding="utf-8")))


def preferred_language(accepted: str) -> str:
    """The best of LANGUAGES for an `Accept-Language` header (RFC 9110, section 12.5.4)."""
    best, best_quality = LANGUAGES[0], 0.0
    for item in accepted.split(","):
        tag, _, parameter = item.strip().partition(";")
        primary = tag.strip().lower().split("-", 1)[0]
        quality = _quality(parameter)
        if primary in LANGUAGES and quality > best_quality:
            best, best_quality = primary, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, float(value))
    except ValueError:
        return 0.0
