"""Which mentions to show first: the risky ones that many people see, each text once."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tocsin.storage.searches import FoundMention

_TEXT_SHOWN = 420
_NAME_SHOWN = 80
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
"""They turn the reading direction round, also of what stands behind them; the page sets each text's direction by itself."""
_UNLABELLED_RISK = 0.3
"""What a negative mention without a risk score counts as."""


@dataclass(frozen=True, slots=True)
class LoudMention:
    """One text with how loud its loudest mention is; `copies` counts all mentions of the same text."""

    mention: FoundMention
    loudness: float
    copies: int


def loudest(mentions: Iterable[FoundMention], limit: int) -> list[LoudMention]:
    """The `limit` loudest texts, the loudest first; of copies the loudest mention stands for all."""
    groups: dict[str, list[FoundMention]] = {}
    for mention in mentions:
        groups.setdefault(mention.copy_key or mention.id.hex, []).append(mention)
    loud = []
    for copies in groups.values():
        first = max(copies, key=lambda mention: (loudness(mention), mention.published_at, mention.id))
        if first.explanation is None:
            # Words are looked at for a few mentions only: those of an equal text are as good.
            looked_at = (copy.explanation for copy in copies if copy.explanation and copy.text == first.text)
            first = replace(first, explanation=next(looked_at, None))
        # Copies make a text louder, too: a hundred small voices are one big one.
        volume = loudness(first) + 0.5 * math.log10(len(copies))
        loud.append(LoudMention(first, volume, len(copies)))
    return sorted(loud, key=lambda item: (-item.loudness, item.mention.id))[:limit]


def loudness(mention: FoundMention) -> float:
    """Risk (0–1) times the order of magnitude of whom it reaches: followers, and each reaction as ten of them."""
    risk = mention.risk if mention.risk is not None else _UNLABELLED_RISK
    reach = (mention.author_followers or 0) + 10 * reactions(mention)
    return risk * (1 + math.log10(1 + reach))


def reactions(mention: FoundMention) -> int:
    """Likes, reposts and replies together, as last observed."""
    return (mention.likes or 0) + (mention.reposts or 0) + (mention.replies or 0)


def shown_text(text: str, longest: int = _TEXT_SHOWN) -> str:
    """Somebody's words for the page: without control characters that would disturb what stands around them, and cut."""
    kept = "".join(" " if unicodedata.category(letter) in {"Cc", "Cs", "Co"} else letter for letter in text)
    line = " ".join(_BIDI_CONTROLS.sub("", kept).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Words:
    """A stretch of a text as it is shown; `moved`: whether it made the mention risky, by a lot (2), somewhat (1), or not (0)."""

    text: str
    moved: int = 0


def marked_text(mention: FoundMention) -> list[Words]:
    """The mention's text for the page, in stretches: those words marked that made it risky. Together: `shown_text`."""
    text = mention.text or ""
    marks = sorted(
        (mark["start"], mark["end"], mark["weight"]) for mark in mention.explanation or () if mark["weight"] > 0
    )
    most = max((weight for _, _, weight in marks), default=0.0)
    stretches: list[Words] = []
    done = 0
    for start, end, weight in marks:
        if done <= start < end <= len(text):
            stretches += [Words(text[done:start]), Words(text[start:end], 2 if weight >= most / 2 else 1)]
            done = end
    stretches.append(Words(text[done:]))
    return _shown(stretches, shown_text(text))


def _shown(stretches: Iterable[Words], whole: str) -> list[Words]:
    """The stretches as they stand in `whole`, which is their text cleaned and cut."""
    shown, place = [], 0
    for stretch in stretches:
        cleaned = shown_text(stretch.text, len(whole) + 1)
        if not cleaned:
            continue
        found = whole.find(cleaned, place)
        if found < 0:  # the text is cut before its end
            break
        if found > place:
            shown.append(Words(whole[place:found]))
        shown.append(Words(cleaned, stretch.moved))
        place = found + len(cleaned)
    return [*shown, Words(whole[place:])] if place < len(whole) else shown


def shown_name(name: str) -> str:
    """An author's name, cleaned as a text is, and shorter."""
    return shown_text(name, _NAME_SHOWN)


def safe_link(url: str | None) -> str | None:
    """`url` where it leads to the web; None for `javascript:` and whatever else a source may have sent."""
    if url is None:
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme in {"http", "https"} and parts.netloc else None
