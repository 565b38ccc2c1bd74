"""Figures of a classifier on the hand-written sets; `models/evaluate.py` writes them into `metrics.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from models.evaluation.behaviour import failure_rates
from models.evaluation.examples import Homonym, homonyms, kind_examples, story_examples
from models.prototypes import KINDS
from services.classify.classifiers.port import Classifier, Labels
from services.classify.homonyms import odds_of_the_brand, weighed
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher, Span


def hand_written(classifier: Classifier) -> dict[str, Any]:
    """Everything that is measured on sentences of our own, by set."""
    return {
        "kinds": kinds(classifier),
        "stories": stories(classifier),
        "homonyms": relevance(classifier),
        "failure_rates": failure_rates(classifier),
    }


def kinds(classifier: Classifier) -> dict[str, Any]:
    """Kinds at or above their threshold against the one that is meant: F1 a kind, their mean, and how the calm fare.

    `macro_f1` is the mean over the twelve kinds on all examples; `by_language` is the share whose only or most probable kind
    is the right one (calm ones: none).
    """
    examples = kind_examples()
    labels = classifier.classify([each.text for each in examples])
    truth = np.array([[each.kind == kind for kind in KINDS] for each in examples])
    said = np.array([[kind in dict(each.kinds) for kind in KINDS] for each in labels])
    scores = f1_score(truth, said, average=None, zero_division=0)
    first = [each.kinds[0][0] if each.kinds else None for each in labels]
    right = np.array([one == each.kind for one, each in zip(first, examples, strict=True)])
    spoken = np.array([each.language for each in examples])
    risky = np.array([each.kind is not None for each in examples])
    risks = np.array([each.risk for each in labels])
    return {
        "macro_f1": round(float(np.mean(scores)), 3),
        "f1": {kind: round(float(score), 3) for kind, score in zip(KINDS, scores, strict=True)},
        "right_kind_first_by_language": {
            language: round(float(right[spoken == language].mean()), 3) for language in dict.fromkeys(spoken.tolist())
        },
        "examples": len(examples),
        "risk_auroc_against_calm": round(float(roc_auc_score(risky, risks)), 3),
        "risky_over_the_threshold": round(float((risks[risky] >= classifier.thresholds.risk).mean()), 3),
        "calm_over_the_threshold": round(float((risks[~risky] >= classifier.thresholds.risk).mean()), 3),
    }


def stories(classifier: Classifier) -> dict[str, Any]:
    """Pairs of texts about one brand: the same event in other languages against other events, by cosine.

    `auroc`: how well the cosine tells them apart; `nearest_is_the_same_event`: among the brand's other texts.
    """
    examples = story_examples()
    vectors = unit_vectors(classifier.classify([each.text for each in examples]))
    closeness = vectors @ vectors.T
    brand, event = (np.array([getattr(each, name) for each in examples]) for name in ("brand", "event"))
    one, other = np.triu_indices(len(examples), 1)
    within = brand[one] == brand[other]
    same = (event[one] == event[other])[within]
    cosines = closeness[one, other][within]
    rest = np.where((brand[:, None] == brand[None]) & ~np.eye(len(brand), dtype=bool), closeness, -2.0)
    return {
        "pairs_same_event": int(same.sum()),
        "pairs_other_event": int((~same).sum()),
        "auroc": round(float(roc_auc_score(same, cosines)), 3),
        "median_cosine": {
            "same_event": round(float(np.median(cosines[same])), 3),
            "other_event": round(float(np.median(cosines[~same])), 3),
        },
        "nearest_is_the_same_event": round(float(np.mean(event[rest.argmax(1)] == event)), 3),
    }


def relevance(classifier: Classifier) -> dict[str, Any]:
    """How well relevance tells a company from the word that its name is: AUROC, in all and by language.

    As the record has it: what the network says, and how the name is written. `of_the_network_alone` is without the latter.
    """
    examples = homonyms()
    about = np.array([each.about for each in examples])
    spoken = np.array([each.language for each in examples])
    by_network = np.array([each.relevance for each in classifier.classify([each.text for each in examples])])
    odds = [odds_of_the_brand(each.text, _spans(each), capitalised=True) for each in examples]
    scores = np.array([weighed(float(score), factor) for score, factor in zip(by_network, odds, strict=True)])
    kept = scores >= classifier.thresholds.relevance
    return {
        "auroc": round(float(roc_auc_score(about, scores)), 3),
        "of_the_network_alone": round(float(roc_auc_score(about, by_network)), 3),
        "by_language": {
            language: round(float(roc_auc_score(about[spoken == language], scores[spoken == language])), 3)
            for language in dict.fromkeys(spoken.tolist())
        },
        "meant_kept": round(float(kept[about].mean()), 3),
        "not_meant_kept": round(float(kept[~about].mean()), 3),
        "examples": len(examples),
    }


def _spans(example: Homonym) -> list[Span]:
    matcher = BrandMatcher.of_brands([BrandSettings(id="brand", names=(example.brand,))])
    return matcher.spans(example.text)["brand"]


def unit_vectors(labels: Sequence[Labels]) -> NDArray[np.float64]:
    """The embeddings of `labels` as rows of length 1 (zeros stay zeros)."""
    vectors = np.array([np.frombuffer(each.embedding, np.int8) for each in labels]).astype(np.float64)
    unit: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
