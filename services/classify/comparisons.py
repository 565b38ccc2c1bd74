"""'Better than Brelio' says the opposite of Brelio: a comparison seen from the side of the brand that is its measure.

The network reads a text as a whole and knows no brand. Where one brand is praised at another's cost, what it reads is right for
the one and wrong for the other; so for the other the comparing word is turned round: *A is better than B* becomes *A is worse
than B*. And *unlike B, A answered at once* says nothing of B but these two words. Done for fr, en, es, de and ar with the words
that people use most, and only where *than* or *unlike* stands right before the brand; everything else is left as it is.
"""

from __future__ import annotations

import re

_PAIRS = (
    # English
    ("better", "worse"), ("faster", "slower"), ("quicker", "slower"), ("cheaper", "pricier"), ("cleaner", "dirtier"),
    ("nicer", "nastier"), ("friendlier", "ruder"), ("safer", "riskier"), ("easier", "harder"), ("more", "less"),
    ("comfier", "harsher"), ("kinder", "ruder"), ("happier", "unhappier"), ("smoother", "rougher"),
    # French
    ("mieux", "pire"), ("moins bien", "mieux"), ("meilleur", "pire"), ("meilleure", "pire"), ("meilleurs", "pires"),
    ("meilleures", "pires"), ("plus", "moins"),
    # Spanish
    ("mejor", "peor"), ("mejores", "peores"), ("más", "menos"),
    # German
    ("besser", "schlechter"), ("schlimmer", "besser"), ("bessere", "schlechtere"), ("besseren", "schlechteren"),
    ("besserer", "schlechterer"), ("besseres", "schlechteres"), ("schneller", "langsamer"), ("billiger", "teurer"),
    ("günstiger", "teurer"), ("sauberer", "dreckiger"), ("bequemer", "unbequemer"), ("freundlicher", "unfreundlicher"),
    ("pünktlicher", "unpünktlicher"), ("zuverlässiger", "unzuverlässiger"), ("netter", "unfreundlicher"),
    ("einfacher", "komplizierter"), ("mehr", "weniger"),
    # Arabic
    ("أفضل", "أسوأ"), ("أحسن", "أسوأ"), ("أسرع", "أبطأ"), ("أرخص", "أغلى"), ("أكثر", "أقل"),
)  # fmt: skip
_OPPOSITES: dict[str, str] = {}
for _one, _other in _PAIRS:
    _OPPOSITES.setdefault(_one, _other)
    _OPPOSITES.setdefault(_other, _one)
_OPPOSITES["pire"] = "mieux"  # of its many opposites, the one that fits most sentences
_OPPOSITES["pires"] = "meilleurs"
# Praise that begrudges: of *less bad than B* B is the worse one.
_OPPOSITES |= {
    "less bad": "worse", "less terrible": "worse", "moins pire": "pire", "moins mauvais": "pire", "menos malo": "peor",
    "menos mala": "peor", "weniger schlimm": "schlimmer", "weniger schlecht": "schlechter",
}  # fmt: skip

_ONLY = {"plus", "más", "menos"}
"""Right before *than* they need not compare: *je n'ai plus que Free* is *only Free*."""
_COMPARING = re.compile(
    r"\b(?:" + "|".join(sorted((re.escape(word) for word in _OPPOSITES), key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_ARTICLES = (
    r"(?:(?:à|au|aux|chez|the|that|those|of|at|with|la|le|les|l['’]|celui|celle|ceux|celles|de|du|des"
    r"|el|los|las|lo|en|con|die|der|das|den|dem|bei|von|vom|beim|jene|شركة|@|#|[\"'«“„])\s*)*$"
)
_THAN = re.compile(rf"\b(?P<than>than|que|qu['’]|als|wie|من)\s*{_ARTICLES}", re.IGNORECASE)
"""*than*, and nothing but articles and the like up to the brand's name."""
_UNLIKE = re.compile(
    r"\b(?:(?P<en>unlike|contrary to|in contrast (?:to|with)|as opposed to|compared (?:to|with))"
    r"|(?P<fr>contrairement (?:à|aux?)|à la différence d[eu]s?|à l['’]inverse d[eu]s?|comparée?s? (?:à|aux?)|par rapport (?:à|aux?))"
    r"|(?P<es>a diferencia del?|al contrario (?:que|del?)|comparad[oa]s? con|en comparación con)"
    r"|(?P<de>im (?:gegensatz|vergleich) zu[rm]?|anders als|verglichen mit)"
    r"|(?P<ar>(?:ب|على )عكس|بخلاف|خلافا ل|مقارنة (?:مع|ب)))"
    rf"\s*{_ARTICLES}",
    re.IGNORECASE,
)
"""*unlike*, and nothing but articles and the like up to the brand's name."""
_COMPARED = {"en": "Compared to", "fr": "Comparé à", "es": "Comparado con", "de": "Verglichen mit", "ar": "مقارنة مع"}
"""How it is shown instead: before a lone name the network takes *unlike* for a complaint, and these words for none."""
_WHO = re.compile(
    r",?\s+(?:who|whose|which|where|qui|que|dont|où|quien(?:es)?|donde|die|der|das|wo|التي|الذي)\b", re.IGNORECASE
)
_PAUSE = re.compile(r"[,;:.!?…،؛؟](?=\s|$)|\s[–—-]\s|\n|$")
_AND = re.compile(r"\s(?:and|et|y|e|und)\s", re.IGNORECASE)
_NOTHING = re.compile(
    r"\b(?:nothing|nobody|no one|none|never|can['’]?t|cannot|couldn['’]?t|rien|personne|aucune?|jamais|nada|nadie|ning[uú]n\w*|nunca"
    r"|nichts|niemand|kein\w*|nie|geht kaum|il n['’]y a pas|no hay|no puede)\b",
    re.IGNORECASE,
)
"""*Nothing is worse than B* blames B: no turning round."""


def is_measure(clause: str, start: int) -> bool:
    """Whether the name at `clause[start:]` is what somebody else is compared with: *… better than NAME*."""
    return _comparing_words(clause, start) != []


def set_apart(text: str, start: int, end: int) -> str | None:
    """Of *unlike NAME, …* what is said of the name at `text[start:end]`: *compared to NAME*; None where it is no such phrase.

    What follows the name belongs to it only where it says who that is: *unlike NAME, who never answer, …*.
    """
    unlike = _UNLIKE.search(text, 0, start)
    if unlike is None:
        return None
    who = _WHO.match(text, end)
    pause = _PAUSE.search(text, who.end()) if who else None
    return f"{_COMPARED[unlike.lastgroup or 'en']} {text[start : pause.start() if pause else end]}"


def turned_round(clause: str, start: int) -> str:
    """`clause` with the comparing words before the name at `start` turned into their opposites.

    What follows an *and* behind the name is said of the other one again, and left out. Without a comparison: `clause`.
    """
    words = _comparing_words(clause, start)
    if not words:
        return clause
    again = _AND.search(clause, start)
    text = clause[: again.start()] if again else clause
    for word in reversed(words):
        opposite = _OPPOSITES[word[0].lower()]
        text = text[: word.start()] + (opposite.capitalize() if word[0][0].isupper() else opposite) + text[word.end() :]
    return text


def _comparing_words(clause: str, start: int) -> list[re.Match[str]]:
    than = _THAN.search(clause, 0, start)
    if than is None:
        return []
    before = clause[: than.start()]
    if _NOTHING.search(before, max(before.rfind(mark) for mark in ",:;–—") + 1):
        return []
    words = list(_COMPARING.finditer(before))
    if words and words[-1][0].lower() in _ONLY and not before[words[-1].end() :].strip():
        words.pop()
    return words
