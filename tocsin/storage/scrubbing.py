"""Takes somebody's words out of what was made of them: evidence, reasons, messages. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

ERASED = "…"
"""What stands where words were."""
SHORTEST = 16
"""Characters that a quotation must have in common with an erased text; fewer would take everybody's words out.

A shorter text is taken out where it stands as a whole.
"""
_SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True)
class Words:
    """What must go: texts, names of authors, and ids of mentions."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()
    identifiers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str], names: Iterable[str], identifiers: Iterable[uuid.UUID]) -> Words:
        """Each once, and without what is too short to be anybody's."""
        return cls(
            tuple(dict.fromkeys(text for text in texts if text.strip())),
            tuple(dict.fromkeys(name for name in names if len(name.strip()) >= _SHORTEST_NAME)),
            frozenset(map(str, identifiers)),
        )


def scrub(value: Any, words: Words) -> Any:
    """The same JSON value without them: quotations become `…`, ids leave their lists. Equal to `value` where none was there."""
    match value:
        case dict():
            return {key: scrub(item, words) for key, item in value.items()}
        case list() | tuple():
            return [scrub(item, words) for item in value if not _is_one_of(item, words.identifiers)]
        case str():
            return scrub_text(value, words)
        case _:
            return value


def scrub_text(text: str, words: Words) -> str:
    """A text without quotations of `SHORTEST` characters or more from an erased text, short erased texts, and names."""
    for erased in words.texts:
        text = _without_quotations(text, erased)
    for name in words.names:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", ERASED, text)
    return text


def _is_one_of(item: Any, identifiers: Collection[str]) -> bool:
    if isinstance(item, dict):
        return any(
            item.get(key) in identifiers for key in ("mention", "mention_id", "id") if isinstance(item.get(key), str)
        )
    return isinstance(item, str) and item in identifiers


def _without_quotations(text: str, erased: str) -> str:
    whole = " ".join(erased.split())
    if len(whole) < SHORTEST:
        return re.sub(rf"(?<!\w){re.escape(whole)}(?!\w)", ERASED, text) if whole else text
    beginnings = {whole[start : start + SHORTEST] for start in range(len(whole) - SHORTEST + 1)}
    kept: list[str] = []
    position = 0
    while position < len(text):
        if text[position : position + SHORTEST] not in beginnings:
            kept.append(text[position])
            position += 1
            continue
        end = position + SHORTEST
        while end < len(text) and text[position : end + 1] in whole:
            end += 1
        kept.append(ERASED)
        position = end
    return "".join(kept)
