"""What is known of the neural network beside its weights: thresholds and error rates, which detection corrects its counts by.

classify runs the network, alert only reads its card: a folder as `models/export.py` and `models/evaluate.py` write it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

SHIPPED = "tocsin-e5"
"""The network that ships with Tocsin, as `classifier.model` calls it."""
_MEND = "restore the folder's files together, or leave `classifier.model` out to use the network that ships"


class NetworkCardUnreadable(ValueError):
    """The folder of the network has no readable card; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How the network's *harmful* compares with human-labelled negatives: true and false positive rate, 0–1."""

    tpr: float
    fpr: float


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """Name, revision, thresholds (0–1) and error rates by primary language tag, with one for `default`."""

    name: str
    revision: str
    risk_threshold: float = 0.5
    relevance_threshold: float = 0.0
    toxicity_threshold: float = 0.5
    rates: dict[str, ErrorRates] = field(default_factory=lambda: {"default": ErrorRates(1.0, 0.0)})


def shipped_folder() -> Path:
    """The shipped network's folder: package data in a wheel, `models/` in a checkout."""
    root = Path(__file__).resolve().parent.parent
    packaged = root / "services" / "classify" / SHIPPED
    return packaged if packaged.is_dir() else root / "models" / SHIPPED


def read_network_card(name: str = SHIPPED) -> NetworkCard:
    """The card of the network of this name.

    A Hugging Face classifier (`transformers:NAME`) was never measured here: it is taken at its word, without correction.
    Raises NetworkCardUnreadable.
    """
    if name.startswith("transformers:"):
        return NetworkCard(name=name.removeprefix("transformers:"), revision="unmeasured")
    folder = shipped_folder() if name == SHIPPED else Path(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        thresholds = config["thresholds"]
        card = NetworkCard(
            name=str(config["name"]),
            revision=str(config["revision"]),
            risk_threshold=float(thresholds["risk"]),
            relevance_threshold=float(thresholds["relevance"]),
            toxicity_threshold=float(thresholds["toxicity"]),
            rates={
                language: ErrorRates(float(rates["tpr"]), float(rates["fpr"]))
                for language, rates in metrics["harmful_rates"].items()
            },
        )
        measured = str(metrics["revision"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise NetworkCardUnreadable(
            f"{folder}: the network's config.json and metrics.json cannot be read ({what}); {_MEND}"
        ) from error
    _check(folder, card, measured)
    return card


def _check(folder: Path, card: NetworkCard, measured: str) -> None:
    """Detection must not correct its counts by another network's error rates, or by none where they are missing."""
    if measured != card.revision:
        raise NetworkCardUnreadable(
            f"{folder / 'metrics.json'} was measured on revision {measured}, and config.json is of revision {card.revision}: "
            f"its error rates are another network's. Measure this one with models/evaluate.py, or {_MEND}"
        )
    if "default" not in card.rates:
        raise NetworkCardUnreadable(f"{folder / 'metrics.json'} lacks `harmful_rates.default`; {_MEND}")
    odd = [language for language, rate in card.rates.items() if not 0 <= rate.fpr <= rate.tpr <= 1]
    if odd:
        raise NetworkCardUnreadable(
            f"{folder / 'metrics.json'}: `harmful_rates` of {', '.join(odd)} are no rates: tpr and fpr lie between 0 and 1, and tpr "
            f"is the greater one. Measure the network with models/evaluate.py, or {_MEND}"
        )
