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
from sklearn.metrics import f1_score

from models.card import write_card
from models.data import LANGUAGES, SENTIMENTS, Example, training, validation
from models.evaluation.figures import hand_written
from models.measures import (
    binary_heads,
    bombed_games,
    brand_posts,
    rates,
    stories,
    streams,
    toxicity,
)
from services.classify.classifiers.onnx import OnnxClassifier


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "tocsin-e5")
    parser.add_argument(
        "--work-folder", type=Path, help="where export left what only the fitting of the heads could measure"
    )
    parser.add_argument(
        "--permissive", action="store_true", help="the folder was trained without the sets for research use"
    )
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


def calibration_error(scores: NDArray[np.float64], truth: NDArray[np.int_], bins: int = 15) -> float:
    """Expected calibration error of the top label: mean gap between confidence and accuracy over equal-width bins."""
    confidence, right = scores.max(1), scores.argmax(1) == truth
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[places == b].sum() - right[places == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(truth))


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


def findings(chosen: argparse.Namespace, revision: str) -> dict[str, Any]:
    """What `models/export.py` measured while it fitted the heads; of a folder measured again, what was known before."""
    if chosen.work_folder is not None:
        found: dict[str, Any] = json.loads((chosen.work_folder / "findings.json").read_text(encoding="utf-8"))
        return found
    before = chosen.folder / "metrics.json"
    known = json.loads(before.read_text(encoding="utf-8")) if before.exists() else {}
    return known.get("at_the_fitting", {}) if known.get("revision") == revision else {}


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """Every figure of a folder."""
    classifier = OnnxClassifier(chosen.folder, chosen.threads)
    examples = training(chosen.data)
    return {
        "name": classifier.name,
        "revision": classifier.revision,
        **sentiment(classifier, validation(chosen.data)),
        "brand_posts_held_out": brand_posts(classifier, examples),
        "auroc_on_held_out_parts": binary_heads(classifier, examples),
        "toxicity_auroc": toxicity(classifier, chosen.data, examples),
        "review_bombing_auroc": bombed_games(classifier, chosen.data),
        "at_the_fitting": findings(chosen, classifier.revision),
        "hand_written": hand_written(classifier),
        "streams": streams(classifier, chosen.data),
        "embedding": stories(classifier, chosen.data),
        "size_megabytes": round((chosen.folder / "model.onnx").stat().st_size / 1e6, 1),
    }


def run(chosen: argparse.Namespace) -> None:
    """Measure everything, write metrics.json and the card."""
    metrics = measured(chosen)
    (chosen.folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    write_card(chosen.folder)
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
