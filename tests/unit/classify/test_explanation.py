"""Which words moved the risk: left out one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.explanation import KEPT, PIECES, explain
from tests.keyword_classifier import KeywordClassifier
from tocsin.contracts.events import ExplainedWord


def explained(passage: str, text: str | None = None) -> tuple[ExplainedWord, ...]:
    [words] = explain(KeywordClassifier(), [passage], [passage if text is None else text])
    return words


def test_the_word_without_which_it_would_be_calm_is_marked_without_its_punctuation() -> None:
    [word] = explained("The soup was «bad», I think")
    assert (word.word, word.start, word.end) == ("bad", 14, 17)
    assert word.weight > 0


@pytest.mark.parametrize("word", ["ब्रेलियो", "हो", "سَيِّئٌ", "schlecht", "n°1", "#Boycott2026"])
def test_a_word_is_marked_with_the_signs_that_belong_to_its_last_letter(word: str) -> None:
    class Bad(KeywordClassifier):
        def classify(self, texts):  # type: ignore[no-untyped-def]
            return super().classify(["bad" if word in text else "calm" for text in texts])

    [[marked]] = explain(Bad(), [f"one «{word}», two"], [f"one «{word}», two"])
    assert marked.word == word.lstrip("#")


def test_an_emoji_is_marked_whole() -> None:
    class Bad(KeywordClassifier):
        def classify(self, texts):  # type: ignore[no-untyped-def]
            return super().classify(["bad" if "👎🏽" in text else "calm" for text in texts])

    [[marked]] = explain(Bad(), ["one 👎🏽 two"], ["one 👎🏽 two"])
    assert marked.word == "👎🏽"


def test_of_a_long_text_the_words_that_a_network_reads_are_told_apart() -> None:
    text = "calm " * 40 + "bad " + "calm " * 2000
    [[word]] = explain(KeywordClassifier(), [text], [text])
    assert "bad" in word.word
    assert len(word.word.split()) <= 10


def test_a_word_that_calms_has_a_negative_weight() -> None:
    class Calmed(KeywordClassifier):
        def classify(self, texts):  # type: ignore[no-untyped-def]
            return super().classify([text if "sorry" in text else f"{text} bad" for text in texts])

    [[word]] = explain(Calmed(), ["we are sorry indeed"], ["we are sorry indeed"])
    assert word.word == "sorry"
    assert word.weight < 0


def test_a_word_that_moves_less_than_the_noise_is_not_marked() -> None:
    class Hesitant(KeywordClassifier):
        def classify(self, texts):  # type: ignore[no-untyped-def]
            return [
                replace(labels, risk=0.5 + 0.15 * ("bad" in text) + 0.05 * ("sour" in text))
                for text, labels in zip(texts, super().classify(texts), strict=True)
            ]

    [[word]] = explain(Hesitant(), ["a bad and sour soup"], ["a bad and sour soup"])
    assert word.word == "bad"


def test_places_are_those_of_the_whole_text_where_only_a_passage_was_classified() -> None:
    text = "Zanzi was bad last year, but Lunéa is bad today"
    [word] = explained("but Lunéa is bad today", text)
    assert text[word.start : word.end] == "bad"
    assert word.start > text.index("Lunéa")


def test_a_word_that_the_text_does_not_have_is_not_marked() -> None:
    assert explained("this is bad news", "this is good news") == ()


def test_a_text_without_words_or_of_one_word_has_no_explanation() -> None:
    assert explained("") == explained("bad") == ()


def test_a_long_text_takes_a_bounded_number_of_passes() -> None:
    classifier = KeywordClassifier()
    text = "calm " * 100 + "bad " + "calm " * 300
    [[word]] = explain(classifier, [text], [text])
    assert "bad" in word.word
    assert len(classifier.seen) <= PIECES + 1


@given(st.lists(st.text(max_size=60), max_size=4))
def test_places_are_always_words_of_the_text(texts: list[str]) -> None:
    for text, words in zip(texts, explain(KeywordClassifier(), texts, texts), strict=True):
        assert len(words) <= KEPT
        for word in words:
            assert text[word.start : word.end] == word.word
        assert [word.start for word in words] == sorted(word.start for word in words)
