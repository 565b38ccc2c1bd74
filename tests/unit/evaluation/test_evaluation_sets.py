"""The hand-written sets measure something only while they are broad, and while the network never learnt from them."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import combinations

import pytest

from models.data import LANGUAGES as LEARNT
from models.evaluation.behaviour import LANGUAGES, cases
from models.evaluation.examples import comparisons, homonyms, kind_examples, sentences, story_examples
from models.prototypes import KINDS, own_sentiments, prototypes


def shingles(text: str) -> set[str]:
    folded = " ".join(text.casefold().split())
    return {folded[n : n + 5] for n in range(max(1, len(folded) - 4))}


@functools.cache
def learnt_shingles() -> tuple[list[int], dict[str, list[int]]]:
    """Of each sentence that is learnt how many pieces it has, and of each piece which sentences hold it."""
    sizes: list[int] = []
    holding: dict[str, list[int]] = {}
    for number, each in enumerate((*prototypes(), *own_sentiments())):
        pieces = shingles(each.text)
        sizes.append(len(pieces))
        for piece in pieces:
            holding.setdefault(piece, []).append(number)
    return sizes, holding


def test_each_kind_has_25_examples_in_four_languages_and_there_are_calm_ones() -> None:
    examples = kind_examples()
    for kind in KINDS:
        mine = [each for each in examples if each.kind == kind]
        assert len(mine) >= 25
        assert len({each.language for each in mine}) >= 4
    assert sum(each.kind is None for each in examples) >= 40


@pytest.mark.parametrize(
    "texts",
    [
        [each.text for each in kind_examples()],
        [each.text for each in story_examples()],
        [each.text for each in homonyms()],
        [each.text for each in comparisons()],
        [each.text for each in sentences()],
    ],
    ids=["kinds", "stories", "homonyms", "comparisons", "behaviour"],
)
def test_no_text_is_or_resembles_a_sentence_of_ours_that_is_learnt_and_none_stands_twice(texts: list[str]) -> None:
    sizes, holding = learnt_shingles()
    for text in texts:
        mine = shingles(text)
        shared = Counter(number for piece in mine for number in holding.get(piece, ()))
        alike = max((count / (len(mine) + sizes[number] - count) for number, count in shared.items()), default=0)
        assert alike < 0.5, text
    if len(texts) != len(comparisons()):  # a comparison is asked about once a brand
        assert max(Counter(texts).values()) == 1


def test_our_own_tweets_have_three_sentiments_in_eight_languages_and_none_stands_twice() -> None:
    tweets = own_sentiments()
    counts = Counter((each.language, each.sentiment) for each in tweets)
    assert {language for language, _ in counts} == set(LEARNT)
    assert {sentiment for _, sentiment in counts} == {"negative", "neutral", "positive"}
    for language in LEARNT:
        of_it = [count for (spoken, _), count in counts.items() if spoken == language]
        assert max(of_it) <= 2 * min(of_it)
    written = [each.text for each in tweets]
    assert len(set(written)) >= 0.99 * len(written)  # two may differ in a handle or a link only
    assert all(written)


def test_there_are_150_pairs_of_one_event_in_two_languages_and_more_of_two_events_of_a_brand() -> None:
    pairs = [
        (one.event == other.event, one.language != other.language)
        for one, other in combinations(story_examples(), 2)
        if one.brand == other.brand
    ]
    same = [languages for event, languages in pairs if event]
    assert len(same) >= 150
    assert all(same)
    assert len(pairs) - len(same) >= 300


def test_homonyms_and_comparisons_are_asked_in_their_languages_both_ways() -> None:
    for language in ("fr", "en", "es", "de"):
        assert {each.about for each in homonyms() if each.language == language} == {True, False}
    for language in LANGUAGES:
        asked = {each.expected for each in comparisons() if each.language == language}
        assert asked >= {"not_negative", "not_positive", "negative", "positive"}


def test_each_capability_is_asked_in_every_language_that_can_ask_it() -> None:
    spoken: dict[str, set[str]] = {}
    for case in cases():
        spoken.setdefault(case.capability, set()).add(case.language)
    four = {"all caps"}  # Arabic has no capitals
    assert len(spoken) >= 18
    for capability, languages in spoken.items():
        assert languages >= set(LANGUAGES) - ({"ar"} if capability in four else set()), capability


def test_the_cases_are_the_same_ones_every_time_and_a_change_changes_something() -> None:
    assert cases() == cases()
    for case in cases():
        assert case.changed != case.text
