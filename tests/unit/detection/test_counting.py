"""Observations, hours and windows: who counts, once, and in which order they came does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from pydantic import ValidationError

from services.alert.detection.blocks import blocks_of, build_block, extend_block, marks_of
from services.alert.detection.columns import Columns
from services.alert.detection.copies import copy_key
from services.alert.detection.hours import count_hours
from services.alert.detection.observations import HarmfulRates, HourCount, Rate
from services.alert.detection.words import crisis_word_finder
from tests.unit.detection.given import HOUR, NOW, RATES, burst, observation
from tocsin.contracts.settings.detection import CRISIS_WORDS

NO_WORDS = crisis_word_finder(())


def window(observations: list, hours: float = 1, rates: HarmfulRates = RATES):
    blocks = dict(sorted(blocks_of(observations, rates, lambda _text: False).items()))
    columns = Columns(list(blocks.values()), NOW - 24 * HOUR, NOW, rates=rates)
    return columns.count(NOW, hours * HOUR, 1 / 6)


def test_an_hour_counts_authors_once_and_mentions_without_an_author_each() -> None:
    at = NOW + timedelta(minutes=5)
    nameless = [replace(observation(at), author=None) for _ in range(3)]
    twice = [observation(at, author="a", negative=True), observation(at, author="a")]
    (hour,) = count_hours(nameless + twice, RATES, NO_WORDS)
    assert (hour.mentions, hour.authors, hour.harmful) == (5, 4, 1)


def test_an_hour_comes_back_from_json_as_it_was() -> None:
    toxic = observation(NOW, language="pt-BR", toxicity=0.9, negative=True)
    mentions = [*burst(5, followers=10, language="fr"), toxic]
    (hour,) = count_hours(mentions, RATES, NO_WORDS)
    assert HourCount.from_json(hour.hour, hour.to_json()) == hour
    assert set(hour.languages) == {"fr", "pt"}


def test_own_posts_and_those_not_about_the_brand_count_nowhere() -> None:
    others = [observation(NOW, counted=False), observation(NOW, relevance=0.1)]
    assert count_hours(others, RATES, NO_WORDS) == []
    assert window(others).authors == 0


def test_what_wakes_nobody_teaches_but_is_in_no_window() -> None:
    late = burst(9, NOW - HOUR, wakes=False)
    assert window(late).harmful == 0
    assert count_hours(late, RATES, NO_WORDS)[0].harmful == 9


def test_one_author_never_carries_more_than_a_sixth() -> None:
    loud = [observation(NOW - timedelta(minutes=50 * n + 1), negative=True, author="loud") for n in range(20)]
    others = burst(12, NOW - 17 * HOUR, 17 * HOUR)
    counted = window(loud + others, 17)
    assert counted.distinct_harmful == 13
    assert counted.harmful - 12 <= max(1.0, (17 + 12) / 6) + 1e-9


def test_a_window_does_not_depend_on_the_order_of_arrival() -> None:
    posts = [observation(NOW - HOUR / n, author="a", negative=n % 2 == 0) for n in range(1, 9)]
    mentions = burst(30, NOW - HOUR) + posts
    assert window(mentions) == window(mentions[::-1])


def test_counts_are_corrected_for_the_errors_of_the_classifier_by_language() -> None:
    rates = HarmfulRates(default=Rate(tpr=0.9, fpr=0.1), by_language={"hi": Rate(tpr=0.6, fpr=0.2)})
    mentions = [observation(NOW - HOUR / 2, negative=n < 26, language="en") for n in range(100)]
    assert window(mentions, rates=rates).harmful == pytest.approx((26 - 10) / 0.8)
    mentions = [observation(NOW - HOUR / 2, negative=n < 40, language="hi-Latn") for n in range(100)]
    assert window(mentions, rates=rates).harmful == pytest.approx((40 - 20) / 0.4)


def test_a_classifier_no_better_than_chance_is_refused() -> None:
    with pytest.raises(ValidationError, match="cannot be corrected"):
        Rate(tpr=0.5, fpr=0.45)


def test_copies_share_a_key_whatever_is_put_around_them() -> None:
    original = copy_key("Maison Lune poisons its customers!")
    assert copy_key("RT @someone: maison lune POISONS its customers… https://example.org/x 😡") == original
    assert copy_key("Maison Lune feeds its customers!") != original
    assert copy_key("😡😡 https://example.org") == ""
    assert copy_key("half an emoji \ud83d") == copy_key("half an emoji")


@pytest.mark.parametrize(
    "text", ["#Boycott now", "boycotting them", "Ruf: BOYKOTT!", "قاطعوا الشركة", "un vrai scandale"]
)
def test_crisis_words_are_found_in_several_languages(text: str) -> None:
    assert crisis_word_finder(CRISIS_WORDS)(text)
    assert not crisis_word_finder(CRISIS_WORDS)("what a lovely shop, I recommend it")


def test_an_hour_that_is_extended_piece_by_piece_is_the_one_that_is_built_at_once() -> None:
    random = Random(3)
    said = [
        observation(
            NOW + timedelta(seconds=random.randrange(3600)), negative=random.random() < 0.4, author=f"a{random.randrange(30)}",
            toxicity=random.random(), source=random.choice("xyz"), language=random.choice(["fr", "en", None]),
            wakes=random.random() < 0.9,
        )
        for _ in range(300)
    ]  # fmt: skip
    marked = marks_of(said, RATES, NO_WORDS)
    at_once, pieces = build_block(marked), build_block(())
    for start in range(0, len(marked), 40):
        pieces = extend_block(pieces, marked[start : start + 40])
    assert pieces.ids == at_once.ids
    same = [name for name in at_once.rows.dtype.names or () if name not in {"language", "source"}]
    assert all((pieces.rows[name] == at_once.rows[name]).all() for name in same)
    for name, words in (("language", "languages"), ("source", "sources")):
        spelled = [[getattr(block, words)[number] for number in block.rows[name]] for block in (pieces, at_once)]
        assert spelled[0] == spelled[1]
