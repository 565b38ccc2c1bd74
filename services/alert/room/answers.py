"""Prepared answers: which of them fit what somebody wrote. Tocsin never posts one; a person reads, copies and posts it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.contracts.settings.room import AnswerSettings

FITTING_RISK = 0.5
"""From this score on a kind of risk is what a mention is about."""
MOST_OFFERED = 5


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wrote, as far as an answer to it depends on that."""

    brand: str
    text: str
    language: str | None
    source: str
    risk_kinds: Sequence[tuple[str, float]] = ()


def fitting(answers: Iterable[AnswerSettings], request: Request) -> list[AnswerSettings]:
    """The answers to offer, the most fitting first: in the mention's language and for its network, by its words and kinds of risk.

    An answer without words is offered where one of its kinds of risk is what the mention is about. A mention whose language is
    not known is offered every language.
    """
    text = _folded(request.text)
    kinds = {kind for kind, score in request.risk_kinds if score >= FITTING_RISK}
    scored = []
    for place, answer in enumerate(answers):
        score = _score(answer, request, text, kinds)
        if score:
            scored.append((-score, place, answer))
    return [answer for _, _, answer in sorted(scored, key=lambda item: item[:2])][:MOST_OFFERED]


def _score(answer: AnswerSettings, request: Request, text: str, kinds: set[str]) -> int:
    language = (request.language or "").split("-")[0].lower()
    if answer.brands and request.brand not in answer.brands:
        return 0
    if language and answer.language != language:
        return 0
    if answer.networks and request.source not in answer.networks:
        return 0
    words = sum(_says(text, word) for word in answer.words)
    risks = len(kinds.intersection(answer.kinds))
    if not words and not risks:
        return 0
    return 4 * words + 3 * risks + 2 * bool(answer.networks) + bool(answer.brands)


def _says(text: str, word: str) -> bool:
    """Whole words, whatever the case and accents; `rembours*` finds every ending."""
    folded = _folded(word.rstrip("*"))
    end = "" if word.endswith("*") else r"(?!\w)"
    return bool(folded) and re.search(rf"(?<!\w){re.escape(folded)}{end}", text) is not None


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))
