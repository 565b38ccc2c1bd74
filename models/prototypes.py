"""Sentences of our own for what has no labelled set: the kinds of risk, and risk told without emotion.

`prototypes.tsv` has, for each of the twelve kinds, five scenes that can feed a bad buzz and two calm ones on the same
topic, and ten calm ones on no such topic, each told in eight languages (Hindi mostly in Latin script, as people type it);
and as `single…` ten more risky scenes a kind and thirty calm ones, each in one language.
The brand in them, Brelio, does not exist.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from services.classify.classifiers.preparation import prepare

KINDS = (
    "boycott_call",
    "product_safety",
    "discrimination",
    "harassment",
    "fraud",
    "legal",
    "privacy",
    "service_outage",
    "labour",
    "environment",
    "executive_conduct",
    "misinformation",
)
"""In the order of the network's output, which is the order of `tocsin.contracts.events.RiskKind`."""


@dataclass(frozen=True)
class Prototype:
    """One sentence; `scene` is the same number in every language of a kind."""

    kind: str | None
    scene: str
    risky: bool
    language: str
    text: str


def prototypes() -> list[Prototype]:
    """All sentences of `prototypes.tsv`, prepared as in service."""
    with (Path(__file__).parent / "prototypes.tsv").open(encoding="utf-8", newline="") as lines:
        return [
            Prototype(
                kind=None if row["kind"] == "none" else row["kind"],
                scene=f"{row['kind']}-{row['scene']}",
                risky=row["side"] == "risk",
                language=row["language"],
                text=prepare(row["text"]),
            )
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
