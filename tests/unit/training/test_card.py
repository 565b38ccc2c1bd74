"""The card says what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import models
from models.card import PERMISSIVE, card

# Not from `models.make`, which needs torch.
SHIPPED = Path(models.__file__).parent / "tocsin-e5"


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SHIPPED / name).read_text(encoding="utf-8"))
    return content


def test_the_card_that_ships_is_the_one_of_the_figures_that_ship() -> None:
    written = card(read("metrics.json"), read("config.json"), read(PERMISSIVE))
    assert written == (SHIPPED / "card.md").read_text(encoding="utf-8")


def test_the_permissive_training_stands_beside_with_how_long_it_had() -> None:
    permissive = read(PERMISSIVE) | {"training": {"step": 1234, "minutes": 5.6}}
    permissive["toxicity_auroc"]["mlma_french_held_out"] = 0.512
    written = card(read("metrics.json"), read("config.json"), permissive)
    assert "1,234 steps in 6 minutes" in written
    assert "| 0.512 |" in written


def test_without_a_permissive_training_the_card_says_so() -> None:
    assert "was not run" in card(read("metrics.json"), read("config.json"), None)
