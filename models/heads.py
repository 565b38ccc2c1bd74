"""Heads that are fitted after the training, on the frozen encoder's features, in seconds.

The features are the means of several layers over the tokens: the last layer has learnt to forget what a text is about; the ones
before remember.

- `embedding`: a ridge regression from them to the pretrained encoder's own sentence embedding, centred.
- `kinds`: small networks with one hidden layer (`hidden.py`) on `prototypes.tsv` over the twelve kinds and calm, one of which it is.
- `risk`: such networks on the same sentences, the sets with complaints and the reviews of bombed games. What
  makes a tweet a risk (a complaint) makes none of a bad review, and no single direction says both.
- `toxicity`: such networks on its own sets.
- `correction`: such networks again, added to what the head of sentiment says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from transformers import BertModel

from models.batches import encode, padded
from models.data import SENTIMENTS, Example
from models.hidden import AS_TOLD, Hidden, Linear, fit_binary, fit_classes, fit_correction
from models.network import fastest_precision, looked_at, mean_of_tokens
from models.prototypes import KINDS, Prototype
from models.sets import LINEAR_SETS, POSTS, TARGET, TOXICITY_SETS
from models.wide import balanced

Matrix = NDArray[np.float32]


@torch.inference_mode()
def layer_means(
    backbone: BertModel, tokenizer: Tokenizer, texts: Sequence[str], layers: Sequence[int]
) -> dict[int, Matrix]:
    """Mean over the tokens of each of `layers` (0: embeddings, 1…: after that layer): [texts, width] each."""
    backbone.eval()
    ids = encode(tokenizer, texts)
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    means = {layer: np.zeros((len(ids), backbone.config.hidden_size), np.float32) for layer in layers}
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        tokens, mask = padded([ids[n] for n in rows])
        with fastest_precision():
            answer = backbone(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        for layer in layers:
            means[layer][rows] = mean_of_tokens(answer.hidden_states[layer].float(), mask).numpy()
    return means


def features_of(backbone: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Matrix:
    """What the fitted heads look at: the means of some layers side by side, [texts, 5 × width]; the last layer's is last."""
    layers = looked_at(backbone.config.num_hidden_layers)
    means = layer_means(backbone, tokenizer, texts, layers)
    return np.concatenate([means[layer] for layer in layers], axis=1)


def fit_embedding(features: Matrix, wanted: Matrix, penalty: float = 1e-6) -> Linear:
    """Ridge regression of the centred `wanted` embeddings (unit length, [texts, width]) on the features.

    `penalty` is relative to the features' total variance.
    """
    mean = features.mean(0)
    inputs = (features - mean).astype(np.float64)
    gram = inputs.T @ inputs
    gram += penalty * np.trace(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, inputs.T @ (wanted - wanted.mean(0))).T.astype(np.float32)
    return Linear(weights, (-weights @ mean).astype(np.float32))


def fit_kinds(features: Matrix, sentences: Sequence[Prototype], calm: Matrix | None = None) -> Hidden:
    """Log-probabilities but for a constant: of each kind, and last of calm, calm scenes on a kind's topic included.

    `calm` are features of posts as they come, of which nearly none is a risk: without them, whatever is unlike the scenes would be
    of some kind. Each row weighs the same, so that calm is by far the most probable beforehand, as it is in a stream.
    """
    labels = np.array([KINDS.index(s.kind) if s.risky and s.kind else len(KINDS) for s in sentences])
    if calm is not None:
        features = np.concatenate([features, calm])
        labels = np.concatenate([labels, np.full(len(calm), len(KINDS))])
    return fit_classes(features, labels, len(KINDS) + 1)


def risk_rows(examples: Sequence[Example], per_set: int, random: np.random.Generator) -> list[Example]:
    """The training examples that the risk head is fitted on.

    Those with a risk label, at most `per_set` of a set and label; and neutral and positive texts of the target set as
    weak evidence of calm in the eight languages, where complaints are labelled in English and German only.
    """
    groups: dict[tuple[str, str, float], list[Example]] = {}
    for example in examples:
        if example.held_out or example.source == "prototypes":
            continue
        if example.risk is not None:
            groups.setdefault((example.source, "", example.risk), []).append(example)
        elif example.group == "umsab" and example.sentiment in {1, 2}:
            calm = Example(example.text, example.language, example.source, "side", risk=0.0, risk_weight=0.5)
            groups.setdefault((example.source, example.language, 0.0), []).append(calm)
    chosen: list[Example] = []
    for key in sorted(groups):
        rows = groups[key]
        limit = per_set // 2 if key[1] else per_set
        chosen += [rows[n] for n in random.permutation(len(rows))[:limit]]
    return chosen


def toxicity_rows(examples: Sequence[Example], random: np.random.Generator, per_set: int = 1500) -> list[Example]:
    """The training examples that the toxicity head is fitted on: all of the first two sets, so many of each other one."""
    chosen: list[Example] = []
    for number, (name, *_) in enumerate(TOXICITY_SETS):
        rows = [e for e in examples if e.source == name and e.toxicity is not None and not e.held_out]
        chosen += rows if number < 2 else [rows[n] for n in random.permutation(len(rows))[:per_set]]
    return chosen


def kinds_left_out(
    features: Matrix, again: Matrix, sentences: Sequence[Prototype], calm: Matrix | None = None
) -> dict[str, float]:
    """How well kinds are told on risky scenes that the head never saw, in four folds by scene: share right, macro-F1.

    `again` are features of the same sentences dressed otherwise, which are learnt and not asked about.
    `sharpness` is what the log-probabilities are to be multiplied by, so that they are right about themselves.
    """
    numbers = sorted({s.scene.rpartition("-")[2] for s in sentences})
    folds = np.array([numbers.index(s.scene.rpartition("-")[2]) % 4 for s in sentences])
    labels = np.array([KINDS.index(s.kind) if s.risky and s.kind else len(KINDS) for s in sentences])
    logits = np.zeros((len(sentences), len(KINDS) + 1))
    for fold in range(4):
        out = folds == fold
        learnt = [s for s, o in zip(sentences, out, strict=True) if not o]
        head = fit_kinds(np.concatenate([features[~out], again[~out]]), 2 * learnt, calm)
        logits[out] = head(features[out])
    risky = labels < len(KINDS)
    told = logits[risky, : len(KINDS)].argmax(1)

    def loss(sharpness: float) -> float:
        return float(-log_softmax(logits * sharpness, axis=1)[np.arange(len(labels)), labels].mean())

    return {
        "kinds_right_on_left_out_scenes": round(float(np.mean(told == labels[risky])), 3),
        "kinds_macro_f1_on_left_out_scenes": round(float(f1_score(labels[risky], told, average="macro")), 3),
        "sharpness": round(float(minimize_scalar(loss, bounds=(0.5, 5.0), method="bounded").x), 3),
    }


REVIEW_WEIGHT = 3.0
"""How much a game's review weighs beside a labelled row: there are a few hundred, and two games only."""


def fit_risk(
    features: Matrix,
    rows: Sequence[Example],
    prototype_features: Matrix,
    sentences: Sequence[Prototype],
) -> Hidden:
    """Small networks on labelled rows and prototypes; the prototypes weigh as much as all the rows together."""
    weights = np.array([r.risk_weight * (REVIEW_WEIGHT if r.source == "review_bombing" else 1.0) for r in rows])
    own = np.full(len(sentences), weights.sum() / len(sentences))
    labels = np.array([float(r.risk or 0.0) for r in rows] + [float(s.risky) for s in sentences])
    together = np.concatenate([weights, own])
    for side in (0.0, 1.0):
        together[labels == side] *= 0.5 * len(labels) / together[labels == side].sum()
    return fit_binary(np.concatenate([features, prototype_features]), labels, together)


def fit_toxicity(features: Matrix, rows: Sequence[Example]) -> Hidden:
    """Small networks on labelled rows, each set with a bias of its own; the bias that ships is their mean."""
    sources = [row.source for row in rows]
    labels = np.array([int(row.toxicity or 0) for row in rows])
    names = sorted(set(sources))
    groups = np.array([names.index(source) for source in sources])
    return fit_binary(features, labels.astype(np.float64), balanced(sources, labels), groups)


CORRECTED_BY = 1.5
"""How much of a correction is added. What is fitted says too little: the encoder has learnt these very posts, and is right about them
more often than about others."""
OTHER_TWEETS = 4_000
"""So many texts of other sets are to be told as before."""
POST, POSITIVE_POST, OTHER_TWEET = 3.0, 6.0, 2.0
"""How much a post about a brand weighs beside a text of the target set, of which there are more, one of the few positive ones, and a
text that is to be told as before."""


def correction_rows(examples: Sequence[Example], random: np.random.Generator) -> list[Example]:
    """The training examples that sentiment's correction is fitted on: the target set's, posts about a brand as they come, and
    tweets of other sets.

    None where there are no such posts, which are for research use.
    """
    known = [e for e in examples if e.sentiment is not None and not e.held_out and e.source in LINEAR_SETS]
    rows = [e for e in known if e.source in {TARGET, POSTS}]
    others = [e for e in known if e.source not in {TARGET, POSTS}]
    if all(row.source == TARGET for row in rows):
        return []
    return [*rows, *(others[n] for n in random.permutation(len(others))[:OTHER_TWEETS])]


def fit_sentiment_correction(features: Matrix, rows: Sequence[Example], told: Matrix) -> Hidden:
    """What several layers know of a text's sentiment that the last one does not, as logits to be added to `told`, the head's.

    Among posts about a brand neutral ones are by far the most, where the target set has as many of each class; the layers before
    know which of both a text is like. What is neither is to be told as it was.
    """
    labels = [int(row.sentiment or 0) if row.source in {TARGET, POSTS} else AS_TOLD for row in rows]

    def weight(row: Example) -> float:
        if row.source == POSTS:
            return POSITIVE_POST if row.sentiment == SENTIMENTS.index("positive") else POST
        return 1.0 if row.source == TARGET else OTHER_TWEET

    return fit_correction(features, np.array(labels), told, np.array([weight(row) for row in rows])).times(CORRECTED_BY)
