"""What the network learns from: which sets, how their labels map to the heads, how often each is drawn.

The data folder is an argument everywhere; it holds `sentiment/*.jsonl` and `risk/*.jsonl`, one object a line with `text`,
`label`, mostly `lang` and `task`. A row becomes one `Example` with a label for some of the heads and none for the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.classify.classifiers.preparation import prepare

SENTIMENTS = ("negative", "neutral", "positive")
LANGUAGES = ("fr", "en", "es", "de", "it", "pt", "ar", "hi")
TARGET = "umsab"
"""The set that the exported sentiment head speaks for: its classes are balanced and it has all eight languages."""


@dataclass(frozen=True)
class SentimentSet:
    """A set with sentiments; `share` weighs how often it is drawn against the square root of its size."""

    name: str
    path: str
    share: float
    task: str = "sentiment"
    mapping: dict[str, str] | None = None
    about_a_brand: bool = False
    """Its texts speak about a company or a product: a negative one is weak evidence of risk, a positive one against."""


_EMOTIONS = {
    "joy": "positive",
    "optimism": "positive",
    "trust": "positive",
    "anger": "negative",
    "disgust": "negative",
    "fear": "negative",
    "sadness": "negative",
}

SENTIMENT_SETS = (
    SentimentSet("semeval", "sentiment/semeval2013_2016_en.jsonl", 1.0),
    SentimentSet("deft", "sentiment/deft2017_fr.jsonl", 1.6),
    SentimentSet("germeval", "sentiment/germeval2017_db_de.jsonl", 1.0),
    SentimentSet("arsarcasm", "sentiment/arsarcasm_v2_ar.jsonl", 1.0),
    SentimentSet("sentimix", "sentiment/sentimix_hinglish.jsonl", 1.6),
    SentimentSet("goemotions", "sentiment/goemotions_sentiment_en.jsonl", 0.5),
    SentimentSet("brand_entity", "sentiment/brand_entity_tweets_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("sanders", "sentiment/sanders_brands_en.jsonl", 0.6, about_a_brand=True),
    SentimentSet("sxsw", "sentiment/brand_products_sxsw_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("apple", "sentiment/apple_twitter_en.jsonl", 0.6, about_a_brand=True),
    SentimentSet("cesamard", "risk/cesamard_reviews_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("emoevent", "risk/emoevent_es.jsonl", 1.2, "emotion", {**_EMOTIONS, "others": "neutral"}),
    SentimentSet("tweeteval_emotion", "risk/tweeteval_emotion_train.jsonl", 0.5, "emotion", _EMOTIONS),
    SentimentSet("xed", "risk/xed_emotion_multi.jsonl", 0.6, "emotion", _EMOTIONS),
)

TOXICITY_SETS = (
    ("tweeteval_offensive", "risk/tweeteval_offensive_train.jsonl", "offensive"),
    ("mlma", "risk/mlma_train.jsonl", "toxicity"),
    ("germeval2018", "risk/germeval2018_de.jsonl", "toxicity"),
    ("germeval2021", "risk/germeval2021_de.jsonl", "toxicity"),
    ("toldbr", "risk/toldbr_pt.jsonl", "toxicity"),
    ("hasoc", "risk/hasoc2019_hi_de_en.jsonl", "toxicity"),
    ("lhsab", "risk/lhsab_ar.jsonl", "toxicity"),
)
_TOXIC = {"toxic": 1.0, "offensive": 1.0, "non_toxic": 0.0, "normal": 0.0, "not-offensive": 0.0}

SET_NAMES = (
    TARGET,
    *(s.name for s in SENTIMENT_SETS),
    *(name for name, _, _ in TOXICITY_SETS),
    "complaints",
    "review_bombing",
    "crisislex",
)
"""Each set has a bias of its own in the sentiment and toxicity heads, because class priors and annotators differ."""


@dataclass
class Example:
    """One text; a label is None where the set says nothing about that head, and a weak label has a weight below 1."""

    text: str
    language: str
    source: str
    group: str
    share: float = 1.0
    sentiment: int | None = None
    toxicity: float | None = None
    risk: float | None = None
    risk_weight: float = 1.0
    relevance: float | None = None
    relevance_weight: float = 1.0
    held_out: bool = field(init=False)

    def __post_init__(self) -> None:
        """Put about one text in sixteen aside, by the text, so that two tasks of one set never share one."""
        self.held_out = hashlib.blake2b(self.text.encode(), digest_size=1).digest()[0] < 16


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file, with the text prepared as in service; rows without text are left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            row["text"] = prepare(row["text"])
            if row["text"]:
                yield row


def validation(folder: Path) -> list[Example]:
    """The sentiment validation set: UMSAB's, eight languages, balanced classes."""
    return [
        Example(row["text"], row["lang"], TARGET, "umsab", sentiment=SENTIMENTS.index(row["label"]))
        for row in read(folder / "sentiment/umsab_val.jsonl")
    ]


def training(folder: Path) -> list[Example]:
    """All training examples of the three groups (`umsab`, `sentiment`, `side`), held-out parts included and marked.

    A text of the validation set never comes back, whatever set it is in.
    """
    forbidden = {example.text for example in validation(folder)}
    examples = [*_umsab(folder)]
    for each in SENTIMENT_SETS:
        examples += _sentiment_set(folder, each)
    for name, path, task in TOXICITY_SETS:
        rows = [row for row in read(folder / path) if row["task"] == task]
        examples += [
            Example(row["text"], row["lang"], name, "side", 1 / len(rows) ** 0.5, toxicity=_TOXIC[row["label"]])
            for row in rows
        ]
    examples += [*_complaints(folder), *_review_bombing(folder), *_crisislex(folder)]
    return [example for example in examples if example.text not in forbidden]


def _umsab(folder: Path) -> Iterator[Example]:
    for row in read(folder / "sentiment/umsab_train.jsonl"):
        share = 1.8 if row["lang"] == "hi" else 1.0  # a third as many rows as the other languages
        sentiment = SENTIMENTS.index(row["label"])
        example = Example(row["text"], row["lang"], TARGET, "umsab", share, sentiment=sentiment)
        example.held_out = False
        yield example


def _sentiment_set(folder: Path, each: SentimentSet) -> list[Example]:
    rows = list(read(folder / each.path))
    irrelevant = {r["text"] for r in rows if r["task"] == "brand_relevance" and r["label"] == "irrelevant"}
    relevant = {r["text"] for r in rows if r["task"] == "brand_relevance" and r["label"] == "relevant"}
    complaint = {r["text"]: float(r["label"] == "complaint") for r in rows if r["task"] == "complaint"}
    examples = []
    labelled = [r for r in rows if r["task"] == each.task]
    share = each.share / max(len(labelled), 1) ** 0.5
    for row in labelled:
        label = row["label"] if each.mapping is None else each.mapping.get(row["label"])
        if label is None:
            continue
        text = row["text"]
        example = Example(
            text, row["lang"], each.name, "sentiment", share, sentiment=SENTIMENTS.index(label), risk_weight=0.5
        )
        if each.about_a_brand:
            example.risk, example.relevance, example.relevance_weight = float(label == "negative"), 1.0, 0.3
        if text in irrelevant or text in relevant:
            example.relevance = float(text in relevant)
            example.risk = float(text in relevant and label == "negative")
        if text in complaint:
            example.risk = complaint.pop(text)
        if each.name == "goemotions":
            example.relevance, example.relevance_weight = 0.0, 0.3
        examples.append(example)
    seen = {r["text"] for r in labelled}
    examples += [
        Example(text, "de", each.name, "side", share, relevance=float(text in relevant))
        for text in sorted(irrelevant | relevant)
        if text not in seen
    ]
    examples += [
        Example(text, "en", each.name, "side", share, risk=label, relevance=1.0, relevance_weight=0.3)
        for text, label in sorted(complaint.items())
    ]
    return examples


def _complaints(folder: Path) -> Iterator[Example]:
    rows = list(read(folder / "risk/complaints_twitter_en.jsonl"))
    for row in rows:
        risk = float(row["label"] == "complaint")
        share = 1.5 / len(rows) ** 0.5
        yield Example(row["text"], "en", "complaints", "side", share, risk=risk, relevance=1.0, relevance_weight=0.3)


def _review_bombing(folder: Path) -> Iterator[Example]:
    rows = list(read(folder / "risk/review_bombing_train.jsonl"))
    for row in rows:
        if row["label"] == "review_bombing":
            yield Example(row["text"], "en", "review_bombing", "side", 0.8 / len(rows) ** 0.5, risk=1.0)


def _crisislex(folder: Path) -> Iterator[Example]:
    """Accidents and disasters without a brand. Whether an informative one is a risk depends on whose plant it was: no label."""
    rows = list(read(folder / "risk/crisislex_t26_sample.jsonl"))
    for row in rows:
        example = Example(
            row["text"], "xx", "crisislex", "side", 0.6 / len(rows) ** 0.5, relevance=0.0, relevance_weight=0.3
        )
        if row["label"] != "Related and informative":
            example.risk, example.risk_weight = 0.0, 0.3
        yield example


PHASES = (
    (0.70, {"umsab": 0.36, "sentiment": 0.44, "side": 0.20}),
    (1.01, {"umsab": 0.76, "sentiment": 0.14, "side": 0.10}),
)
"""Up to which part of the run each group is drawn how often: broad first, then mostly the target set."""


class Sampler:
    """Draws examples with replacement, group by group as `PHASES` says; held-out ones never."""

    def __init__(self, examples: list[Example], random: np.random.Generator) -> None:
        self._random = random
        weights = np.array([0.0 if e.held_out else e.share for e in examples])
        groups = np.array([e.group for e in examples])
        self._phases: list[tuple[float, NDArray[np.float64]]] = []
        for limit, shares in PHASES:
            cumulated = np.zeros(len(examples))
            for group, share in shares.items():
                inside = groups == group
                cumulated[inside] = weights[inside] / weights[inside].sum() * share
            self._phases.append((limit, np.cumsum(cumulated)))

    def draw(self, progress: float, count: int) -> NDArray[np.intp]:
        """Indices of `count` examples for a moment of the run (`progress` 0–1)."""
        cumulated = next(c for limit, c in self._phases if progress < limit)
        drawn: NDArray[np.intp] = np.searchsorted(cumulated, self._random.random(count) * cumulated[-1])
        return drawn
