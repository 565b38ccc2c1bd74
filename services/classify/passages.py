"""What is classified of a mention: for each of its brands, the passage around the brand's match.

The network reads a text as a whole, 96 tokens of it, and does not know which brand is asked about. So a brand is shown

1. its own clauses, where the text also names other brands of ours: *I love Trenolia, but Raillex is late again* is praise for
   the one and a complaint for the other (a clause without a name belongs to the name before it);
2. a comparison from its own side, where it is the measure of somebody else: *better than Raillex* is no praise of Raillex, and
   *unlike Raillex, …* goes on about another;
3. of a long text, the paragraphs that name it, about as much as the network reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.classify.comparisons import is_measure, set_apart, turned_round
from services.classify.homonyms import odds_of_the_brand
from tocsin.contracts.events import Mention
from tocsin.matching import BrandMatcher, Span, passage

READ = 450
"""Characters that are about as much as the network reads (96 tokens) of a language in Latin letters."""
SAYS_SOMETHING = 1
"""Words beside its name that a brand's own clauses need, to be read without the rest of the text: *thanks Trenolia*."""
SHORT_PARAGRAPH = 80
"""A paragraph of fewer characters may be a headline: the one after it is read with it."""

_CONTRAST = (
    "but|while|whereas|though|mais|par contre|en revanche|alors que|tandis que|pero|mientras que|mientras|en cambio"
    "|aber|während|dagegen|hingegen"
)
_CLAUSE_END = re.compile(rf"[.!?…;]+(?=\s|$)|\n+|,?\s+(?=(?:{_CONTRAST})\b)", re.IGNORECASE)
_COMMA = re.compile(r",(?=\s)")
_CONTRASTED = re.compile(
    rf"\b(?i:{_CONTRAST})\b,?\s+(?i:(?:with|avec|chez|con|en|bei|the|l[ae]|les|el|los)\s+)?(?P<name>@?(?!I\b)[^\W\d_a-zà-ÿ]\w+)"
)
"""A name right behind a contrast, whoever's it is: *but Raillex is late*."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What the network is shown of a mention for one brand."""

    mention: Mention
    brand: str
    text: str
    has_query: bool
    """Whether the brand has a query that matches; else somebody else said that the mention is about it."""
    odds: float = 1.0
    """A factor on the odds that it is about the brand, from how the name is written (see `homonyms`)."""


def passages_of(mention: Mention, brands: Sequence[str], matcher: BrandMatcher) -> list[Passage]:
    """A passage a brand; the whole text where the brand has no query or no match."""
    spans = matcher.spans(mention.text)
    return [
        Passage(
            mention,
            brand,
            passage_of(mention.text, brand, spans),
            brand in spans,
            odds_of_the_brand(mention.text, spans.get(brand, ()), capitalised=matcher.is_capitalised(brand)),
        )
        for brand in brands
    ]


def passage_of(text: str, brand: str, spans: Mapping[str, Sequence[Span]]) -> str:
    """What `text` says of `brand`; `spans` are the matches of every brand in it. Never empty where `text` is not."""
    own = spans.get(brand, ())
    if not own:
        return text
    others = [span for name, found in spans.items() if name != brand for span in found]
    if len(text) > READ:
        text, own, others = _paragraphs(text, own, others)
    apart = [told for span in own if (told := set_apart(text, span.start, span.end))]
    if len(apart) == len(own):
        return ". ".join(apart)
    return _own_side(text, own, others)


def _paragraphs(text: str, own: Sequence[Span], others: Sequence[Span]) -> tuple[str, list[Span], list[Span]]:
    """The paragraphs of a long text that name the brand, cut to what the network reads; spans where they stand now."""
    start, end = _around(text, own)
    window = text[start:end]
    if len(window) > READ:
        window = passage(window, [Span(s.start - start, s.end - start) for s in own if start <= s.start < end], READ)
    start = text.index(window, start)
    end = start + len(window)
    return window, _moved(own, start, end), _moved(others, start, end)


def _around(text: str, own: Sequence[Span]) -> tuple[int, int]:
    """From the paragraph of the first match to that of the last; a headline brings the paragraph after it."""
    start = text.rfind("\n", 0, own[0].start) + 1
    end = text.find("\n", own[-1].end)
    while end != -1 and len(text[start:end].strip()) < SHORT_PARAGRAPH:
        end = text.find("\n", end + 1)
    return start, len(text) if end == -1 else end


def _moved(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    return [Span(s.start - start, s.end - start) for s in spans if start <= s.start and s.end <= end]


def _own_side(text: str, own: Sequence[Span], others: Sequence[Span]) -> str:
    """The clauses of the brand, and comparisons with it turned round; the whole text where nobody else is named."""
    mine = {span.start for span in own}
    contrasts = [match.span("name") for match in _CONTRASTED.finditer(text)]
    named = [*others, *(Span(*place) for place in contrasts if place[0] not in mine)]
    set_against = own[0].start in {start for start, _ in contrasts}
    for pattern in (_CLAUSE_END, _COMMA):
        clauses = _cut(text, own, named, pattern)
        speaking = [clause for clause in clauses if clause.own]
        if pattern is _COMMA and all(clause.measured for clause in speaking):
            return _told(speaking)
        if pattern is _CLAUSE_END and all(clause.measured for clause in speaking):
            continue
        if named or set_against:
            kept = _kept(clauses, before=not (set_against or clauses[0].others))
            if _says_something(kept) and len(kept) < len(clauses):
                return _told(kept)
    clauses = _cut(text, own, named, _CLAUSE_END)
    return _told(clauses) if any(clause.measured for clause in clauses) else text


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    own: tuple[int, ...]
    """Where the brand's matches begin."""
    others: bool

    @property
    def measured(self) -> bool:
        return bool(self.own) and all(is_measure(self.text, start) for start in self.own)


def _cut(text: str, own: Sequence[Span], others: Sequence[Span], pattern: re.Pattern[str]) -> list[_Clause]:
    ends = [match.end() for source in {_CLAUSE_END, pattern} for match in source.finditer(text)]
    names = [*own, *others]
    places = sorted({len(text), *(end for end in ends if not any(s.start < end < s.end for s in names))})
    clauses: list[_Clause] = []
    start = 0
    for end in places:
        if text[start:end].strip() or end == len(text):
            mine = tuple(s.start - start for s in own if start <= s.start < end)
            clauses.append(_Clause(text[start:end], mine, any(start <= s.start < end for s in others)))
            start = end
    return clauses


def _kept(clauses: Sequence[_Clause], *, before: bool) -> list[_Clause]:
    """Those that name the brand, and those without a name that follow one (but not after a comparison with it).

    `before`: whether what stands before the first name belongs to the brand.
    """
    kept, belongs = [], before
    for clause in clauses:
        if clause.own:
            belongs = not clause.measured
        elif clause.others:
            belongs = False
        if clause.own or belongs:
            kept.append(clause)
    return kept


def _says_something(clauses: Sequence[_Clause]) -> bool:
    return sum(len(clause.text.split()) - len(clause.own) for clause in clauses) >= SAYS_SOMETHING


def _told(clauses: Sequence[_Clause]) -> str:
    told = (turned_round(clause.text, clause.own[0]) if clause.measured else clause.text for clause in clauses)
    return "".join(told).strip().rstrip(",").strip()
