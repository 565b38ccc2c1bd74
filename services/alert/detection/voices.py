"""What is said in a window and by whom: stories, the loudest, and whether somebody has many people paste one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, get_args

import numpy as np

from services.alert.detection.blocks import REPOST, kinds_of
from services.alert.detection.columns import Integers, View
from tocsin.contracts.decisions import Language
from tocsin.contracts.settings.detection import CampaignSettings

MOST_STORIES, MOST_EXAMPLES, MOST_LOUDEST = 5, 3, 3
_TITLE = 100
"""Characters of a story's title."""


class Quote(NamedTuple):
    """What a mention says, in its first `observations.SHORT_TEXT` characters, and who said it."""

    text: str
    author: str | None


Quotes = Callable[[Sequence[str]], Mapping[str, Quote]]
"""What these mentions say, by id; one that is gone is left out."""


@dataclass(frozen=True, slots=True)
class Story:
    """Mentions that tell one thing. Mentions, authors and texts are counted apart."""

    id: int
    title: str
    authors: int
    mentions: int
    texts: int
    """Different texts, near copies as one."""
    reposts: int
    examples: tuple[str, ...]
    """Ids of mentions, the loudest first, each of another text where there are several."""
    kinds: tuple[str, ...]
    """Kinds of risk, the most frequent first."""
    first_at: datetime
    titles: Mapping[str, str]
    """The title in those of our languages in which somebody told the story, by language."""

    def title_in(self, language: str) -> str:
        """The title for a reader of this language: in it if anybody wrote so, else as the loudest has it."""
        return self.titles.get(language, self.title)


@dataclass(frozen=True, slots=True)
class Voice:
    """One of the loudest authors."""

    mention_id: str
    author: str | None
    followers: int | None


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text that many authors pasted within a short time."""

    authors: int
    mention_id: str
    """Its first."""


def tell(view: View, quotes: Quotes) -> tuple[list[Story], list[Voice]]:
    """The largest stories of these mentions (most authors first, then the loudest), and the loudest authors.

    `quotes` is asked once, for all that is quoted of both.
    """
    if not len(view):
        return [], []
    drafts, loudest = _largest_stories(view), _loudest_authors(view)
    wanted = [item for draft in drafts for item in (draft.examples[0], *draft.told_in.values())]
    ids = [view.id(place) for place in loudest]
    said = quotes(list(dict.fromkeys([*wanted, *ids])))
    voices = [
        Voice(
            item,
            said[item].author if item in said else None,
            None if view.rows["followers"][place] < 0 else int(view.rows["followers"][place]),
        )
        for item, place in zip(ids, loudest, strict=True)
    ]
    return [_story(view, draft, said) for draft in drafts], voices


def _largest_stories(view: View) -> list[_Draft]:
    stories, first, which = np.unique(_stories_of(view), return_index=True, return_inverse=True)
    people, who = np.unique(view.rows["author"], return_inverse=True)
    authors = np.bincount(np.unique(which * len(people) + who) // len(people))
    loudness = _loudness(view)
    loudest = np.zeros(len(stories))
    np.maximum.at(loudest, which, loudness)
    order = np.lexsort((first, -loudest, -authors))[:MOST_STORIES]
    return [_draft(view, np.flatnonzero(which == group), int(stories[group]), loudness) for group in order]


def _loudest_authors(view: View) -> list[int]:
    """The places of the loudest mentions, one an author: followers and engagement together."""
    order = np.argsort(-_loudness(view), kind="stable")
    _, first = np.unique(view.rows["author"][order], return_index=True)
    found: list[int] = order[np.sort(first)[:MOST_LOUDEST]].tolist()
    return found


def count_apart(view: View) -> dict[str, int]:
    """How many mentions, authors, texts and stories these are."""
    return {
        "mentions": len(view),
        "authors": len(np.unique(view.rows["author"])),
        "texts": len(np.unique(view.rows["copies"])),
        "stories": len(np.unique(_stories_of(view))),
    }


def loudest(view: View, quotes: Quotes, most: int = MOST_LOUDEST) -> list[Voice]:
    """The loudest authors: followers and engagement together."""
    if not len(view):
        return []
    order = np.argsort(-_loudness(view), kind="stable")
    _, first = np.unique(view.rows["author"][order], return_index=True)
    chosen = order[np.sort(first)[:most]]
    ids = [view.id(place) for place in chosen.tolist()]
    said = quotes(ids)
    return [
        Voice(
            item,
            said[item].author if item in said else None,
            None if view.rows["followers"][place] < 0 else int(view.rows["followers"][place]),
        )
        for item, place in zip(ids, chosen.tolist(), strict=True)
    ]


def pasted(view: View, settings: CampaignSettings) -> Pasted | None:
    """The text that looks coordinated: many authors wrote it themselves, all of a sudden, and they are much of what is said.

    A repost names whom it repeats; that many pass a post on is a storm, not a campaign.
    """
    own = view.only(~view.has(REPOST))
    if len(own) < settings.authors:
        return None
    _, which = np.unique(own.rows["copies"], return_inverse=True)
    everybody = own.authors(np.ones(len(own), dtype=bool))
    largest = int(np.bincount(which).argmax())
    places = np.flatnonzero(which == largest)
    authors = len(np.unique(own.rows["author"][places]))
    if authors < max(settings.authors, settings.share * everybody):
        return None
    seconds = own.rows["seconds"][places]
    young = np.count_nonzero(seconds - seconds[0] <= settings.young.total_seconds())
    return Pasted(authors, own.id(int(places[0]))) if young >= 0.5 * len(places) else None


def sources_of(view: View) -> dict[str, int]:
    """Mentions by source."""
    counts = np.bincount(view.rows["source"], minlength=len(view.sources))
    return {source: int(count) for source, count in zip(view.sources, counts, strict=True) if count}


def _stories_of(view: View) -> Integers:
    # A mention that was given no story yet is told by its text.
    story: Integers = view.rows["story"]
    return np.where(story != 0, story, view.rows["copies"])


def _loudness(view: View) -> Integers:
    loudness: Integers = np.maximum(view.rows["followers"], 0) + view.rows["engagement"]
    return loudness


@dataclass(frozen=True, slots=True)
class _Draft:
    """A story before anybody looked up what it says."""

    id: int
    places: Integers
    texts: int
    examples: tuple[str, ...]
    told_in: Mapping[str, str]
    """The loudest mention in each of our languages."""


def _draft(view: View, places: Integers, story: int, loudness: Integers) -> _Draft:
    by_loudness = places[np.argsort(-loudness[places], kind="stable")]
    _, first = np.unique(view.rows["copies"][by_loudness], return_index=True)
    distinct = by_loudness[np.sort(first)]
    others = by_loudness[~np.isin(by_loudness, distinct[:MOST_EXAMPLES])]
    chosen = [*distinct[:MOST_EXAMPLES], *others][:MOST_EXAMPLES]
    examples = tuple(view.id(int(place)) for place in chosen)
    return _Draft(story, places, len(distinct), examples, _loudest_by_language(view, by_loudness))


def _story(view: View, draft: _Draft, said: Mapping[str, Quote]) -> Story:
    rows = view.rows[draft.places]
    kinds: dict[str, int] = {}
    for bits, number in zip(*np.unique(rows["kinds"], return_counts=True), strict=True):
        for kind in kinds_of(int(bits)):
            kinds[kind.value] = kinds.get(kind.value, 0) + int(number)
    first = draft.examples[0]
    return Story(
        id=draft.id,
        title=shorten(said[first].text) if first in said else "",
        authors=len(np.unique(rows["author"])),
        mentions=len(rows),
        texts=draft.texts,
        reposts=int(((rows["flags"] & REPOST) > 0).sum()),
        examples=draft.examples,
        kinds=tuple(sorted(kinds, key=lambda kind: (-kinds[kind], kind))),
        first_at=datetime.fromtimestamp(float(rows["seconds"][0]), UTC),
        titles={language: shorten(said[item].text) for language, item in draft.told_in.items() if item in said},
    )


def _loudest_by_language(view: View, by_loudness: Integers) -> dict[str, str]:
    """The id of the loudest mention in each of our languages; whoever is woken reads one of them."""
    spoken = view.rows["language"][by_loudness]
    found: dict[str, str] = {}
    for language in get_args(Language):
        if language in view.languages:
            places = by_loudness[spoken == view.languages.index(language)]
            if len(places):
                found[language] = view.id(int(places[0]))
    return found


def shorten(text: str) -> str:
    """A text on one line, as long as a title may be."""
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rstrip() + "…"
