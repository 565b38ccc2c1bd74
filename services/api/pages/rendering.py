"""Templates to HTML: everything is escaped, and a gap that nobody filled is an error and not an empty place."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.api.pages.loudness import marked_text, reactions, safe_link, shown_name, shown_text
from services.api.pages.wording import LANGUAGES, Wording, wording
from tocsin.contracts.events import RiskKind
from tocsin.contracts.incidents import Level, Verdict

FOLDER = Path(__file__).parent


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, words: Wording, now: datetime, **values: Any) -> str:
    """A template of `templates/` in the language of `words`; `now` is what 'ago' is counted to."""
    return _environment().get_template(template).render(**{**_surroundings(words, now), **values})


def _surroundings(words: Wording, now: datetime) -> Mapping[str, Any]:
    def risk_name(kind: str) -> str:
        return words.say(f"risk.{kind}") if kind in set(RiskKind) else kind

    def wall(at: datetime, zone: ZoneInfo) -> str:
        return f"{at.astimezone(zone):%H:%M}"

    return {
        "wording": words,
        "languages": [wording(language) for language in LANGUAGES],
        "say": words.say,
        "number": words.number,
        "percent": words.percent,
        "now": now,
        "clock": lambda at, zone: words.clock(at, zone, now),
        "ago": lambda at: words.ago(at, now),
        "wall": wall,
        "day": words.day,
        "risk_name": risk_name,
        "reactions": reactions,
        "safe_link": safe_link,
        "shown_text": shown_text,
        "marked_text": marked_text,
        "shown_name": shown_name,
        "verdicts": list(Verdict),
        "levels": list(Level),
        "who": None,
        "form_token": None,
        "link": None,
        # Where the links to the other languages lead; empty: to the address of the page itself, which then must answer GET.
        "language_page": "",
    }
