"""What `models/evaluate.py` measures besides UMSAB's sentiment: each function asks a classifier and gives figures by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from models.data import SENTIMENTS, Example, read, review_bombing
from models.prototypes import prototypes
from models.sets import POSTS
from services.classify.classifiers.onnx import OnnxClassifier
from services.classify.classifiers.port import Labels, Thresholds

HELD_OUT_OF_A_SET = 400


def is_harmful(labels: Labels, thresholds: Thresholds) -> bool:
    """What detection counts: negative, or risk at or above its threshold."""
    return labels.label == "negative" or labels.risk >= thresholds.risk


def rates(labels: Sequence[Labels], negative: NDArray[np.bool_], thresholds: Thresholds) -> dict[str, float]:
    """Share called harmful among human-labelled negatives (tpr) and among the others (fpr)."""
    harmful = np.array([is_harmful(each, thresholds) for each in labels])
    return {"tpr": round(float(harmful[negative].mean()), 4), "fpr": round(float(harmful[~negative].mean()), 4)}


def auroc(truth: Sequence[float | None], scores: Sequence[float]) -> float:
    """Area under the ROC curve, rounded."""
    return round(float(roc_auc_score(truth, scores)), 3)


def brand_posts(classifier: OnnxClassifier, examples: list[Example]) -> dict[str, float]:
    """Sentiment on the held-out posts about Deutsche Bahn, whose classes are far from balanced: nothing is moved for it."""
    rows = [e for e in examples if e.source == POSTS and e.held_out and e.sentiment is not None]
    truth = [SENTIMENTS[e.sentiment or 0] for e in rows]
    told = [labels.label for labels in classifier.classify([e.text for e in rows])]
    negative = {"labels": ["negative"], "average": "macro"}
    return {
        "texts": len(rows),
        "macro_f1": round(100 * float(f1_score(truth, told, average="macro")), 2),
        "negative_precision": round(float(precision_score(truth, told, **negative)), 3),
        "negative_recall": round(float(recall_score(truth, told, **negative)), 3),
    }


def toxicity(classifier: OnnxClassifier, data: Path, examples: list[Example]) -> dict[str, float]:
    """AUROC of toxicity: TweetEval's offensive validation set, and the French of MLMA's held-out part."""
    rows = list(read(data / "risk/tweeteval_offensive_val.jsonl"))
    offensive = [float(row["label"] == "offensive") for row in rows]
    french = [e for e in examples if e.source == "mlma" and e.held_out and e.language == "fr"]
    return {
        "tweeteval_offensive_validation": auroc(offensive, _toxicity(classifier, [row["text"] for row in rows])),
        "mlma_french_held_out": auroc([e.toxicity for e in french], _toxicity(classifier, [e.text for e in french])),
    }


def _toxicity(classifier: OnnxClassifier, texts: Sequence[str]) -> list[float]:
    return [labels.toxicity for labels in classifier.classify(texts)]


def bombed_games(classifier: OnnxClassifier, data: Path) -> dict[str, float]:
    """AUROC of risk on each game's reviews by the head that ships, which learnt from both games."""
    return {
        game: auroc([row.risk for row in rows], [x.risk for x in classifier.classify([row.text for row in rows])])
        for game, rows in review_bombing(data).items()
    }


def probability_error(truth: NDArray[np.float64], scores: NDArray[np.float64], bins: int = 15) -> float:
    """Expected calibration error of a probability: mean gap to the share of positives over equal-width bins."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(scores[places == b].sum() - truth[places == b].sum()) for b in range(bins)]
    return round(float(sum(gaps) / len(truth)), 4)


def binary_heads(classifier: OnnxClassifier, examples: list[Example]) -> dict[str, Any]:
    """AUROC of risk, toxicity and relevance on the held-out part of each set that has both answers, and of risk its
    calibration error over all of them."""
    by_set: dict[str, list[Example]] = {}
    for example in examples:
        if example.held_out and len(by_set.setdefault(example.source, [])) < HELD_OUT_OF_A_SET:
            by_set[example.source].append(example)
    figures: dict[str, dict[str, float]] = {"risk": {}, "toxicity": {}, "relevance": {}}
    risks: list[tuple[float, float]] = []
    for name, rows in by_set.items():
        labels = classifier.classify([row.text for row in rows])
        for head, found in figures.items():
            pairs = [
                (getattr(row, head), getattr(each, head))
                for row, each in zip(rows, labels, strict=True)
                if getattr(row, head) is not None
            ]
            if head == "risk":
                risks += pairs
            if len({truth for truth, _ in pairs}) == 2:
                found[name] = auroc([t for t, _ in pairs], [s for _, s in pairs])
    truth, scores = (np.array(each, float) for each in zip(*risks, strict=True))
    return {**figures, "risk_expected_calibration_error": probability_error(truth, scores)}


def streams(classifier: OnnxClassifier, data: Path) -> dict[str, Any]:
    """Figures on streams that nothing was trained on: complaints to airlines, and tweets with the word boycott."""
    airlines = list(read(data / "streams/airlines_dev.jsonl"))[::3]
    labels = classifier.classify([row["text"] for row in airlines])
    negative = np.array([row["sentiment"] == "negative" for row in airlines])
    truth = [SENTIMENTS.index(row["sentiment"]) for row in airlines]
    right = np.mean([SENTIMENTS.index(each.label) == t for each, t in zip(labels, truth, strict=True)])
    boycott = classifier.classify([row["text"] for row in read(data / "streams/boycott_2012_2019.jsonl")][::10])
    return {
        "airlines": {
            "sentiment_accuracy": round(float(right), 4),
            "risk_auroc_against_human_negatives": round(float(roc_auc_score(negative, [x.risk for x in labels])), 3),
            "harmful": rates(labels, negative, classifier.thresholds),
        },
        "boycott": {
            "with_kind_boycott_call": round(
                float(np.mean(["boycott_call" in dict(each.kinds) for each in boycott])), 3
            ),
            "harmful": round(float(np.mean([is_harmful(each, classifier.thresholds) for each in boycott])), 3),
        },
    }


def stories(classifier: OnnxClassifier, data: Path) -> dict[str, float]:
    """How well the embedding tells same from other: events of CrisisLex, and our scenes across languages."""
    rows = [row for row in read(data / "risk/crisislex_t26_sample.jsonl") if row["label"] == "Related and informative"]
    rows = rows[:: max(1, len(rows) // 800)]
    vectors = unit_embeddings(classifier.classify([row["text"] for row in rows]))
    events = np.array([row["event"] for row in rows])
    pairs = np.triu_indices(len(rows), 1)
    sentences = [s for s in prototypes() if "single" not in s.scene]
    own = unit_embeddings(classifier.classify([s.text for s in sentences]))
    closeness = own @ own.T
    language, scene = (np.array([getattr(s, field) for s in sentences]) for field in ("language", "scene"))
    closeness[language[:, None] == language[None]] = -1
    return {
        "same_event_auroc": round(
            float(roc_auc_score((events[:, None] == events)[pairs], (vectors @ vectors.T)[pairs])), 3
        ),
        "same_scene_found_in_another_language": round(float(np.mean(scene[closeness.argmax(1)] == scene)), 3),
    }


def unit_embeddings(labels: Sequence[Labels]) -> NDArray[np.float64]:
    """Embeddings as served, of unit length: [texts, width]."""
    vectors = np.array([np.frombuffer(each.embedding, np.int8) for each in labels]).astype(np.float64)
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
