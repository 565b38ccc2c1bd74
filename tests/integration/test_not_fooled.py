"""The behavioural suite on the network that ships: no capability may fail more often than its ceiling.

The ceilings are what today's network does and a little more, not what would be good: irony and negation are its known weak
sides, see the card. A network that does worse anywhere is held back here. The margin is for processors: int8 products and
what else is in a batch move a few of the cases that are near a border: of 65 with links and handles, 3 fail with VNNI, 4 without.
"""

from __future__ import annotations

import pytest

from models.evaluation.behaviour import cases, failure_rates
from services.classify.classifiers.port import Classifier
from services.classify.classifiers.shipped import open_classifier
from tests.requirements import require_training

CEILINGS = {
    "negation": 0.25,
    "irony": 0.50,
    "quoted": 0.10,
    "question": 0.30,
    "code_switching": 0.10,
    "link": 0.0,
    "emoji": 0.15,
    "empty": 0.0,
    "comparison": 0.15,
    "comparison, the other unknown": 0.20,
    "10,000 characters": 0.20,
    "all caps": 0.10,
    "elongated words": 0.065,
    "typos": 0.16,
    "names": 0.15,
    "numbers": 0.10,
    "hashtags": 0.17,
    "links and handles": 0.065,
    "direction": 0.06,
}
"""The largest share of a capability's cases that may fail."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier()


@pytest.fixture(scope="module")
def rates(classifier: Classifier) -> dict[str, float]:
    return {capability: figures["failed"] for capability, figures in failure_rates(classifier).items()}


def test_every_capability_has_a_ceiling() -> None:
    assert {case.capability for case in cases()} == set(CEILINGS)


@pytest.mark.parametrize("capability", CEILINGS)
def test_it_is_fooled_no_more_often_than_its_ceiling(rates: dict[str, float], capability: str) -> None:
    assert rates[capability] <= CEILINGS[capability]


def test_kinds_stories_and_homonyms_are_told_better_than_by_chance(classifier: Classifier) -> None:
    require_training()
    from models.evaluation.figures import kinds, relevance, stories

    assert kinds(classifier)["macro_f1"] >= 0.62
    assert stories(classifier)["auroc"] >= 0.85
    assert relevance(classifier)["auroc"] >= 0.7
