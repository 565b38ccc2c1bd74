"""The memory of copies: what counts as one, what it costs, what it forgets."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from services.classify.classifiers import preparation
from services.classify.labelling import Labeller
from tests.keyword_classifier import KeywordClassifier
from tocsin.contracts.events import LabelQuality


@pytest.fixture
def classifier() -> KeywordClassifier:
    return KeywordClassifier()


def qualities(labeller: Labeller, *texts: str) -> list[LabelQuality]:
    return [each.quality for each in labeller.label(texts)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@anna the soup is bad", "@ben the soup is bad"),
        ("bad soup https://a.example/1", "bad soup https://b.example/2?utm=3"),
        ("BAD SOUP EVERYBODY", "BAD soup everybody"),
        ("bad   soup\n", "bad soup"),
        ("soooooo bad", "sooo bad"),
    ],
)
def test_what_the_network_sees_alike_is_a_copy(one: str, other: str, classifier: KeywordClassifier) -> None:
    labeller = Labeller(classifier)
    first, second = labeller.label([one, other])
    assert (first.quality, second.quality) == (LabelQuality.MODEL, LabelQuality.COPY)
    assert first.labels == second.labels
    assert len(classifier.seen) == 1


def test_one_other_word_makes_another_text(classifier: KeywordClassifier) -> None:
    assert qualities(Labeller(classifier), "bad soup", "bad soups") == [LabelQuality.MODEL, LabelQuality.MODEL]


def test_a_text_that_is_copied_again_and_again_is_not_forgotten(classifier: KeywordClassifier) -> None:
    labeller = Labeller(classifier, capacity=2)
    qualities(labeller, "viral")
    for number in range(5):
        assert qualities(labeller, f"other {number}", "viral") == [LabelQuality.MODEL, LabelQuality.COPY]
    assert classifier.seen.count("viral") == 1


def test_no_memory_at_all_still_answers(classifier: KeywordClassifier) -> None:
    labeller = Labeller(classifier, capacity=0)
    assert qualities(labeller, "bad", "bad") == [LabelQuality.MODEL, LabelQuality.COPY]
    assert qualities(labeller, "bad") == [LabelQuality.MODEL]


def test_long_texts_are_remembered_at_the_cost_of_short_ones() -> None:
    labeller = Labeller(KeywordClassifier())
    labeller.label(["word " * 300])
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(500):
            labeller.label([f"{number} " + "🔥 слово " * 250])
        labeller.classifier.seen.clear()  # type: ignore[attr-defined]
        preparation._prepared.cache_clear()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 500 < 2_000
