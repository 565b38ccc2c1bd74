"""What every classifier promises, on the one that ships and on a network run by transformers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from services.classify.classifiers.port import Classifier
from services.classify.classifiers.shipped import open_classifier
from tests.requirements import require_torch
from tests.tiny_network import save_tiny_network

TEXTS = [
    "The soup was wonderful and the waiter made us laugh",
    "J'attends mon colis depuis trois semaines, personne ne répond",
    "Der Laden öffnet um neun",
    "قاطعوا هذه الشركة",
    "😡😡😡",
]


def shipped(_folder: Path) -> Classifier:
    """The network in the repository."""
    return open_classifier()


def through_transformers(folder: Path) -> Classifier:
    """A tiny network with random weights, saved and opened as a Hugging Face folder."""
    require_torch()
    save_tiny_network(folder, ["Positive", "Neutral", "Negative"])
    return open_classifier(f"transformers:{folder}")


@pytest.fixture(scope="module", params=[shipped, through_transformers])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Each implementation in turn."""
    make: Callable[[Path], Classifier] = request.param
    return make(tmp_path_factory.mktemp("network"))


def test_there_is_an_answer_for_each_text_in_order(classifier: Classifier) -> None:
    together = classifier.classify(TEXTS)
    assert len(together) == len(TEXTS)
    for text, labels in zip(TEXTS, together, strict=True):
        alone = classifier.classify([text])[0]
        assert labels.sentiment == pytest.approx(alone.sentiment, abs=0.15)
        assert labels.risk == pytest.approx(alone.risk, abs=0.15)


def test_the_order_of_the_texts_changes_nothing(classifier: Classifier) -> None:
    forwards = classifier.classify(TEXTS)
    backwards = classifier.classify(TEXTS[::-1])[::-1]
    assert forwards == backwards


def test_scores_are_probabilities(classifier: Classifier) -> None:
    for labels in classifier.classify(TEXTS):
        assert list(labels.sentiment) == ["negative", "neutral", "positive"]
        assert math.fsum(labels.sentiment.values()) == pytest.approx(1.0)
        for score in (*labels.sentiment.values(), labels.risk, labels.toxicity, labels.relevance):
            assert 0 <= score <= 1
        assert labels.sentiment[labels.label] == max(labels.sentiment.values())


def test_kinds_are_above_their_threshold_and_the_most_probable_comes_first(classifier: Classifier) -> None:
    for labels in classifier.classify([*TEXTS, "Boycott this company, stop buying from them"]):
        scores = [score for _, score in labels.kinds]
        assert scores == sorted(scores, reverse=True)
        assert all(score >= classifier.thresholds.kinds[kind] for kind, score in labels.kinds)


def test_copies_get_the_same_labels(classifier: Classifier) -> None:
    first, _, second = classifier.classify([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert first == second


def test_handles_and_links_do_not_matter(classifier: Classifier) -> None:
    one, other = classifier.classify(["@brelio look https://a.example/1", "@someone look http://b.example/2"])
    assert one == other


def test_no_texts_get_no_labels(classifier: Classifier) -> None:
    assert classifier.classify([]) == []


@pytest.mark.parametrize("text", ["", "   \n", "\x00"])
def test_a_text_without_a_word_is_neutral_without_conviction(classifier: Classifier, text: str) -> None:
    (labels,) = classifier.classify([text])
    assert labels.label == "neutral"
    assert labels.sentiment["neutral"] == 0.5
    assert (labels.risk, labels.kinds, labels.toxicity, labels.relevance) == (0.0, (), 0.0, 1.0)
    assert set(labels.embedding) == {0}


@pytest.mark.parametrize("text", ["\ud800", "word " * 200_000, "😀" * 5_000, "\u202e\u0000\ufffe", "@" * 10_000, "."])
def test_no_text_makes_it_fail(classifier: Classifier, text: str) -> None:
    first, second = classifier.classify([text, "fine"])
    assert math.fsum(first.sentiment.values()) == pytest.approx(1.0)
    assert len(first.embedding) == len(second.embedding) > 0


def test_it_says_what_it_is_and_how_often_it_errs(classifier: Classifier) -> None:
    assert classifier.name
    assert classifier.revision
    rates = classifier.harmful_rates
    assert "default" in rates
    for rate in rates.values():
        assert 0 <= rate.fpr < rate.tpr <= 1
