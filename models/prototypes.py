"""Sentences of our own for what has no labelled set: the kinds of risk, risk told without emotion, and hard sentiment.

`prototypes.tsv` has, for each of the twelve kinds, five scenes that can feed a bad buzz and two calm ones on the same
topic, and ten calm ones on no such topic, each told in eight languages (Hindi mostly in Latin script, as people type it).
Scenes named `single…` are told once, in the language that they were written for: some 220 to 400 risky ones a kind (of calls to
boycott 580), and 850 protests against a company by way of reviews, which are of no kind. Scenes named `single-calm…` are calm: on
a kind's topic, on none, or plain bad reviews beside the protests; where five have low numbers, they are nearly the same in
several languages (so that leaving a scene out leaves out all of it).

`sentiments.tsv` has tweets with their sentiment in eight languages, and sentences on what misleads a reader of tweets: irony,
negation, questions, quotations, turns, two languages at once. Its Hindi is not learnt (`models/data.py` says why).

Registers change on purpose: posts, press, reviews, what employees tell, neutral reports. All brands in them are made up. Whoever
wrote them had not seen `evaluation/`.
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


@dataclass(frozen=True)
class OwnSentiment:
    """One sentence with its sentiment; `capability` names what makes it hard."""

    capability: str
    sentiment: str
    language: str
    text: str


def own_sentiments() -> list[OwnSentiment]:
    """All sentences of `sentiments.tsv`, prepared as in service."""
    with (Path(__file__).parent / "sentiments.tsv").open(encoding="utf-8", newline="") as lines:
        return [
            OwnSentiment(row["capability"], row["sentiment"], row["language"], prepare(row["text"]))
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


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
