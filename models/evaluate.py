"""Measures an exported folder through the classifier that serves it, and writes its metrics.json.

`python -m models.evaluate DATA [--folder models/tocsin-e5]`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from models.data import LANGUAGES, SENTIMENTS, Example, read, training, validation
from models.prototypes import prototypes
from services.classify.classifiers.onnx import OnnxClassifier
from services.classify.classifiers.port import Labels, Thresholds

HELD_OUT_OF_A_SET = 400


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "tocsin-e5")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args(argv)


def sentiment_figures(examples: list[Example], predicted: Sequence[int]) -> dict[str, float]:
    """Macro-F1 in percent of each language, and their mean."""
    figures: dict[str, float] = {}
    for language in LANGUAGES:
        rows = [(e.sentiment, p) for e, p in zip(examples, predicted, strict=True) if e.language == language]
        figures[language] = 100 * float(f1_score([t for t, _ in rows], [p for _, p in rows], average="macro"))
    figures["mean"] = float(np.mean(list(figures.values())))
    return {name: round(value, 2) for name, value in figures.items()}


def is_harmful(labels: Labels, thresholds: Thresholds) -> bool:
    """What detection counts: negative, or risk at or above its threshold."""
    return labels.label == "negative" or labels.risk >= thresholds.risk


def calibration_error(scores: NDArray[np.float64], truth: NDArray[np.int_], bins: int = 15) -> float:
    """Expected calibration error of the top label: mean gap between confidence and accuracy over equal-width bins."""
    confidence, right = scores.max(1), scores.argmax(1) == truth
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[places == b].sum() - right[places == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(truth))


def rates(labels: Sequence[Labels], negative: NDArray[np.bool_], thresholds: Thresholds) -> dict[str, float]:
    """Share called harmful among human-labelled negatives (tpr) and among the others (fpr)."""
    harmful = np.array([is_harmful(each, thresholds) for each in labels])
    return {"tpr": round(float(harmful[negative].mean()), 4), "fpr": round(float(harmful[~negative].mean()), 4)}


def sentiment(classifier: OnnxClassifier, checked: list[Example]) -> dict[str, Any]:
    """Figures on the sentiment validation set."""
    labels = classifier.classify([e.text for e in checked])
    scores = np.array([[each.sentiment[name] for name in SENTIMENTS] for each in labels])
    truth = np.array([e.sentiment for e in checked])
    negative = truth == SENTIMENTS.index("negative")
    spoken = np.array([e.language for e in checked])
    harmful = {
        language: rates(
            [x for x, s in zip(labels, spoken, strict=True) if s == language],
            negative[spoken == language],
            classifier.thresholds,
        )
        for language in LANGUAGES
    }
    calm_risk = np.array([each.risk for each in labels])[~negative] >= classifier.thresholds.risk
    return {
        "sentiment_macro_f1": sentiment_figures(checked, scores.argmax(1).tolist()),
        "expected_calibration_error": round(calibration_error(scores, truth), 4),
        "harmful_rates": {**harmful, "default": rates(labels, negative, classifier.thresholds)},
        "calm_mentions_with_risk": round(float(calm_risk.mean()), 4),
        "calm_mentions_with_a_kind": round(
            float(np.mean([bool(x.kinds) for x, n in zip(labels, negative, strict=True) if not n])), 4
        ),
    }


def binary_heads(classifier: OnnxClassifier, examples: list[Example]) -> dict[str, dict[str, float]]:
    """AUROC of risk, toxicity and relevance on the held-out part of each set that has both answers."""
    by_set: dict[str, list[Example]] = {}
    for example in examples:
        if example.held_out and len(by_set.setdefault(example.source, [])) < HELD_OUT_OF_A_SET:
            by_set[example.source].append(example)
    figures: dict[str, dict[str, float]] = {"risk": {}, "toxicity": {}, "relevance": {}}
    for name, rows in by_set.items():
        labels = classifier.classify([row.text for row in rows])
        for head, found in figures.items():
            pairs = [
                (getattr(row, head), getattr(each, head))
                for row, each in zip(rows, labels, strict=True)
                if getattr(row, head) is not None
            ]
            if len({truth for truth, _ in pairs}) == 2:
                found[name] = round(float(roc_auc_score([t for t, _ in pairs], [s for _, s in pairs])), 3)
    return figures


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
    vectors = _unit(classifier.classify([row["text"] for row in rows]))
    events = np.array([row["event"] for row in rows])
    pairs = np.triu_indices(len(rows), 1)
    sentences = [s for s in prototypes() if "single" not in s.scene]
    own = _unit(classifier.classify([s.text for s in sentences]))
    closeness = own @ own.T
    language, scene = (np.array([getattr(s, field) for s in sentences]) for field in ("language", "scene"))
    closeness[language[:, None] == language[None]] = -1
    return {
        "same_event_auroc": round(
            float(roc_auc_score((events[:, None] == events)[pairs], (vectors @ vectors.T)[pairs])), 3
        ),
        "same_scene_found_in_another_language": round(float(np.mean(scene[closeness.argmax(1)] == scene)), 3),
    }


def _unit(labels: Sequence[Labels]) -> NDArray[np.float64]:
    vectors = np.array([np.frombuffer(each.embedding, np.int8) for each in labels]).astype(np.float64)
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def run(chosen: argparse.Namespace) -> None:
    """Measure everything and write metrics.json."""
    classifier = OnnxClassifier(chosen.folder, chosen.threads)
    checked = validation(chosen.data)
    metrics = {
        "name": classifier.name,
        "revision": classifier.revision,
        **sentiment(classifier, checked),
        "auroc_on_held_out_parts": binary_heads(classifier, training(chosen.data)),
        "streams": streams(classifier, chosen.data),
        "embedding": stories(classifier, chosen.data),
        "size_megabytes": round((chosen.folder / "model.onnx").stat().st_size / 1e6, 1),
    }
    (chosen.folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
