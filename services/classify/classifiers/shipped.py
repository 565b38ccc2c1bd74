"""Which classifier the configuration names, and where the one that ships lies."""

from __future__ import annotations

from pathlib import Path

from services.classify.classifiers.onnx import OnnxClassifier
from services.classify.classifiers.port import Classifier
from tocsin.network_card import SHIPPED, shipped_folder

__all__ = ["SHIPPED", "open_classifier", "shipped_folder"]


def open_classifier(name: str = SHIPPED, *, threads: int = 0, token_budget: int = 2048) -> Classifier:
    """The classifier that `classifier.name` of the configuration means.

    `tocsin-e5`: the one that ships; `transformers:NAME`: a Hugging Face classifier by name or folder (extra `torch`);
    anything else: a folder as `models/export.py` writes it. Raises ClassifierUnavailableError.
    """
    if name == SHIPPED:
        return OnnxClassifier(shipped_folder(), threads, token_budget)
    kind, colon, rest = name.partition(":")
    if colon and kind == "transformers":
        from services.classify.classifiers.transformers import TransformersClassifier

        return TransformersClassifier(rest, threads, token_budget)
    return OnnxClassifier(Path(name), threads, token_budget)
