"""Sentences of our own for what has no labelled set: the kinds of risk, and risk told without emotion.

`prototypes.tsv` has, for each of the twelve kinds, five scenes that can feed a bad buzz and two calm ones on the same
topic, and ten calm ones on no such topic, each told in eight languages (Hindi mostly in Latin script, as people type it).
Scenes named `single…` are not told in every language: some 98 risky ones a kind, each in one language, written for it and
not translated; and `single-calm…`, five a kind and language and a dozen on no topic, where the same number is nearly
the same scene in several languages (so that leaving a scene out leaves out all of it).
Registers change on purpose: posts, press, reviews, what employees tell, neutral reports. All brands in them are made up.
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
    """One sentence; `scene` has the same name in every language that it is told in."""

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
