"""Which classifier the configuration names, and where the one that ships lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.classify.classifiers.onnx import OnnxClassifier
from services.classify.classifiers.port import Classifier
from tocsin.contracts.settings.services import ClassifierSettings
from tocsin.network_card import SHIPPED, shipped_folder

__all__ = ["SHIPPED", "classifier_of", "open_classifier", "shipped_folder"]


def classifier_of(settings: ClassifierSettings) -> Classifier:
    """The classifier that the configuration means. Raises ClassifierUnavailableError."""
    return open_classifier(
        settings.name,
        threads=settings.threads,
        token_budget=settings.token_budget,
        revision=settings.revision,
        labels=settings.labels,
    )


def open_classifier(
    name: str = SHIPPED,
    *,
    threads: int = 0,
    token_budget: int = 1024,
    revision: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Classifier:
    """A classifier by name; see ClassifierSettings for `revision` and `labels`.

    `tocsin-e5`: the one that ships; `transformers:NAME`: a Hugging Face classifier by name or folder (extra `torch`);
    anything else: a folder as `models/export.py` writes it. Raises ClassifierUnavailableError.
    """
    if name == SHIPPED:
        return OnnxClassifier(shipped_folder(), threads, token_budget, revision)
    kind, colon, rest = name.partition(":")
    if colon and kind == "transformers":
        from services.classify.classifiers.transformers import TransformersClassifier

        return TransformersClassifier(rest, threads, token_budget, revision=revision, labels=labels or {})
    return OnnxClassifier(Path(name), threads, token_budget, revision)
