"""What detection corrects its counts by is the measured network's own, whole and sensible, or nothing starts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.alert.rates import harmful_rates
from tocsin.network_card import ErrorRates, NetworkCardUnreadable, read_network_card

CONFIG = {
    "name": "ours",
    "revision": "abc",
    "thresholds": {"risk": 0.8, "relevance": 0.2, "toxicity": 0.7, "kinds": 0.3},
}
METRICS = {
    "revision": "abc",
    "harmful_rates": {"fr": {"tpr": 0.9, "fpr": 0.1}, "default": {"tpr": 0.7, "fpr": 0.2}},
}


def write(folder: Path, config: Any = CONFIG, metrics: Any = METRICS) -> str:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return str(folder)


def test_rates_by_language_and_for_every_other_one_are_those_that_were_measured(tmp_path: Path) -> None:
    card = read_network_card(write(tmp_path))
    assert card.rates["fr"] == ErrorRates(0.9, 0.1)
    rates = harmful_rates(card)
    assert (rates.of("fr").tpr, rates.of("fr").fpr) == (0.9, 0.1)
    assert (rates.of("sw").tpr, rates.of("sw").fpr) == (0.7, 0.2)
    assert (rates.risk_threshold, rates.relevance_threshold, rates.toxicity_threshold) == (0.8, 0.2, 0.7)


def test_the_shipped_card_holds_the_eight_languages() -> None:
    assert set(read_network_card().rates) == {"fr", "en", "es", "de", "it", "pt", "ar", "hi", "default"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda m: m.update(revision="another"),
            "was measured on revision another, and config.json is of revision abc",
        ),
        (lambda m: m.pop("revision"), "it lacks 'revision'"),
        (lambda m: m.pop("harmful_rates"), "it lacks 'harmful_rates'"),
        (lambda m: m["harmful_rates"].pop("default"), "lacks `harmful_rates.default`"),
        (lambda m: m["harmful_rates"]["fr"].update(tpr=90), "`harmful_rates` of fr are no rates"),
        (lambda m: m["harmful_rates"]["fr"].update(tpr=0.1, fpr=0.9), "`harmful_rates` of fr are no rates"),
        (lambda m: m.update(harmful_rates=[1]), "cannot be read"),
    ],
)
def test_rates_that_are_another_networks_or_none_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    metrics = json.loads(json.dumps(METRICS))
    change(metrics)
    with pytest.raises(NetworkCardUnreadable, match=re.escape(expected)):
        read_network_card(write(tmp_path, metrics=metrics))


def test_a_folder_without_metrics_is_refused(tmp_path: Path) -> None:
    name = write(tmp_path)
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(NetworkCardUnreadable, match="restore the folder's files together"):
        read_network_card(name)


def test_a_network_that_hardly_tells_harmful_from_harmless_is_refused_in_words(tmp_path: Path) -> None:
    metrics = json.loads(json.dumps(METRICS))
    metrics["harmful_rates"]["fr"] = {"tpr": 0.55, "fpr": 0.5}
    card = read_network_card(write(tmp_path, metrics=metrics))
    with pytest.raises(NetworkCardUnreadable, match=r"`harmful_rates` of fr: tpr 0.55 is hardly above fpr 0.5"):
        harmful_rates(card)
