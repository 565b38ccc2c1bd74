"""The behavioural suite: what a classifier of mentions must not be fooled by, in fr, en, es, de and ar.

In the manner of CheckList (Ribeiro et al., ACL 2020): *minimum* cases have one right answer, *invariance* cases change what must
not matter, *direction* cases change what must matter in a known direction. `failure_rates` is written into `metrics.json` and
the card; `tests/integration/test_not_fooled.py` holds each capability under a ceiling.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from models.evaluation.examples import Sentence, comparisons, sentences
from services.classify.classifiers.port import Classifier, Labels, Thresholds
from services.classify.passages import passages_of
from tocsin.contracts.events import Mention
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher

LANGUAGES = ("fr", "en", "es", "de", "ar")
LONG = 10_000
"""Characters of a long text."""

Single = Callable[[Labels, Thresholds], bool]
Pair = Callable[[Labels, Labels, Thresholds], bool]

EXPECTATIONS: dict[str, Single] = {
    "negative": lambda seen, _: seen.label == "negative",
    "positive": lambda seen, _: seen.label == "positive",
    "neutral": lambda seen, _: seen.label == "neutral",
    "not_negative": lambda seen, _: seen.label != "negative",
    "not_positive": lambda seen, _: seen.label != "positive",
    "calm": lambda seen, at: seen.risk < at.risk,
    "risky": lambda seen, at: seen.risk >= at.risk,
    "not_toxic": lambda seen, at: seen.toxicity < at.toxicity,
}
"""What is asked of one text."""

SURE = 0.9
"""Where a score has hardly any way to go, it need not go it."""

CHANGES: dict[str, Pair] = {
    "same": lambda a, b, at: a.label == b.label and ((a.risk >= at.risk) == (b.risk >= at.risk) or _near(a, b)),
    "riskier": lambda a, b, _: b.risk > a.risk or b.risk > SURE,
    "more_negative": lambda a, b, _: b.sentiment["negative"] > min(a.sentiment["negative"], SURE),
    "less_negative": lambda a, b, _: b.sentiment["negative"] < max(a.sentiment["negative"], 1 - SURE),
}
"""What is asked of a text and the same text changed."""

_PEOPLE = {
    "fr": ("Camille Moreau", "Mamadou Traoré", "Nguyen Thi Mai"),
    "en": ("Emily Carter", "Jamal Washington", "Priya Patel"),
    "es": ("Lucía Fernández", "Yusuf Benali", "Wei Chen"),
    "de": ("Anna Schneider", "Mehmet Yılmaz", "Olga Petrowa"),
    "ar": ("سارة العتيبي", "جون سميث", "محمد المصري"),
}
_SIGNED = {
    "fr": "{text}. Signé : {name}",
    "en": "{text}. Signed, {name}",
    "es": "{text}. Firmado: {name}",
    "de": "{text}. Gezeichnet: {name}",
    "ar": "{text}. التوقيع: {name}",
}
_COUNTED = {
    "fr": "Client numéro",
    "en": "Customer number",
    "es": "Cliente número",
    "de": "Kundennummer",
    "ar": "عميل رقم",
}


def _near(one: Labels, other: Labels) -> bool:
    return abs(one.risk - other.risk) <= 0.1


@dataclass(frozen=True)
class Case:
    """One question: `text`, and `changed` where what is asked is about a change."""

    capability: str
    expected: str
    language: str
    text: str
    changed: str | None = None


def cases() -> list[Case]:
    """All cases, always the same ones."""
    written = sentences()
    base = [each for each in written if each.capability == "base"]
    return [
        *_minimum(written),
        *_unseen(),
        *_compared(both=True),
        *_compared(both=False),
        *_long_texts(written, base),
        *_unchanged(base),
        *_directed(written, base),
    ]


def failures(classifier: Classifier, asked: Sequence[Case]) -> list[Case]:
    """The cases that `classifier` gets wrong."""
    first = classifier.classify([case.text for case in asked])
    second = classifier.classify([case.changed or "" for case in asked])
    return [
        case
        for case, one, other in zip(asked, first, second, strict=True)
        if not _holds(case, one, other, classifier.thresholds)
    ]


def failure_rates(classifier: Classifier) -> dict[str, dict[str, Any]]:
    """By capability: how many cases, the share that failed, and that share by language."""
    asked = cases()
    wrong = set(map(id, failures(classifier, asked)))
    rates: dict[str, dict[str, Any]] = {}
    for capability in dict.fromkeys(case.capability for case in asked):
        rows = [case for case in asked if case.capability == capability]
        spoken = dict.fromkeys(case.language for case in rows)
        rates[capability] = {
            "cases": len(rows),
            "failed": _share(rows, wrong),
            **{language: _share([case for case in rows if case.language == language], wrong) for language in spoken},
        }
    return rates


def _share(rows: Sequence[Case], wrong: set[int]) -> float:
    return round(sum(id(case) in wrong for case in rows) / len(rows), 3)


def _holds(case: Case, one: Labels, other: Labels, at: Thresholds) -> bool:
    if case.changed is None:
        return EXPECTATIONS[case.expected](one, at)
    return CHANGES[case.expected](one, other, at)


def _minimum(written: Sequence[Sentence]) -> Iterator[Case]:
    for each in written:
        if each.capability not in {"base", "add", "long"}:
            yield Case(each.capability, each.expected, each.language, each.text)


def _unseen() -> Iterator[Case]:
    """Nothing left after cleaning: neutral, and no risk."""
    blank, marks = ("   ", "\u200b", "\n\t\n", "\x00", "\u200f\u200e"), ("…", "...", "¿?", "–", "؟")
    for language, *texts in zip(LANGUAGES, blank, marks, strict=True):
        for text in texts:
            yield Case("empty", "neutral", language, text)
            yield Case("empty", "calm", language, text)


def _compared(*, both: bool) -> Iterator[Case]:
    """The passage for the brand that is asked about, as the handler takes it; `both`: the other one is configured too."""
    for each in comparisons():
        known = ("Trenolia", "Raillex") if both else (each.brand,)
        capability = "comparison" if both else "comparison, the other unknown"
        yield Case(capability, each.expected, each.language, shown(each.text, each.brand, known))


def shown(text: str, brand: str, known: Sequence[str]) -> str:
    """What the network is shown of `text` for `brand` in a house where the brands `known` are configured by name."""
    matcher = BrandMatcher.of_brands([BrandSettings(id=name.lower(), names=(name,)) for name in known])
    mention = Mention(source="suite", native_id=text[:100], text=text, published_at=datetime(2026, 1, 1, tzinfo=UTC))
    return passages_of(mention, [brand.lower()], matcher)[0].text


def _long_texts(written: Sequence[Sentence], base: Sequence[Sentence]) -> Iterator[Case]:
    """A complaint by name in the middle of 10,000 calm characters, in a paragraph of its own or among others."""
    for each in written:
        if each.capability != "long":
            continue
        calm = [row.text for row in base if row.language == each.language and row.expected == "neutral"]
        for between in ("\n\n", ". "):
            filler = _filled(calm, between)
            half = filler.index(between, LONG // 2)
            text = f"{filler[:half]}{between}Brelio : {each.text}{filler[half:]}"
            yield Case("10,000 characters", each.expected, each.language, shown(text, "Brelio", ["Brelio"]))


def _filled(calm: Sequence[str], between: str) -> str:
    text = ""
    for each in cycle(calm):
        if len(text) >= LONG:
            break
        text += each + between
    return text.removesuffix(between)


def _unchanged(base: Sequence[Sentence]) -> Iterator[Case]:
    chance = random.Random(1)
    for number, row in enumerate(base):
        text = row.text
        if text != text.upper():
            yield Case("all caps", "same", row.language, text, text.upper())
        yield Case("elongated words", "same", row.language, text, stretched(text))
        yield Case("typos", "same", row.language, text, mistyped(text, chance))
        name = _PEOPLE[row.language][number % 3]
        other = _PEOPLE[row.language][(number + 1) % 3]
        signed = _SIGNED[row.language]
        yield Case(
            "names", "same", row.language, signed.format(text=text, name=name), signed.format(text=text, name=other)
        )
        counted = _COUNTED[row.language]
        yield Case("numbers", "same", row.language, f"{text}. {counted} 4711", f"{text}. {counted} 80362")
        yield Case("hashtags", "same", row.language, text, f"{text} #Brelio #brelio2026")
        yield Case("links and handles", "same", row.language, text, f"@brelio {text} https://example.org/{number}")


def _directed(written: Sequence[Sentence], base: Sequence[Sentence]) -> Iterator[Case]:
    for added in written:
        if added.capability != "add":
            continue
        wanted = "negative" if added.expected == "less_negative" else "neutral"
        for row in base:
            if row.language == added.language and row.expected == wanted:
                yield Case("direction", added.expected, row.language, row.text, f"{row.text}. {added.text}")


def stretched(text: str) -> str:
    """The last vowel of the longest word five times, as people write what they shout."""
    longest = max(text.split(), key=len)
    pulled = re.sub(r"([aeiouyàéèíóúäöüاوي])(?!.*[aeiouyàéèíóúäöüاوي])", r"\1\1\1\1\1", longest, flags=re.IGNORECASE)
    return text.replace(longest, pulled, 1)


def mistyped(text: str, chance: random.Random) -> str:
    """Two neighbouring letters swapped within one word of five letters or more."""
    words = text.split(" ")
    places = [
        (number, at)
        for number, word in enumerate(words)
        if len(word) >= 5
        for at in range(1, len(word) - 2)
        if word[at] != word[at + 1]
    ]
    number, at = chance.choice(places)
    word = words[number]
    words[number] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)
