"""Heads that are fitted after the training, on the frozen encoder's features, in seconds.

- `embedding`: a ridge regression from the means of several layers to the pretrained encoder's own sentence embedding,
  centred. The last layer has learnt to forget what a text is about; the ones before remember.
- `kinds` and `risk`: logistic regressions on that embedding beside the last layer's mean, on `prototypes.tsv` and, for
  risk, the sets with complaints too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from transformers import BertModel

from models.data import Example
from models.network import mean_of_tokens
from models.prototypes import KINDS, Prototype
from models.train import encode, padded

LAYERS = (3, 6, 8, 10, 12)
"""Whose means the embedding is made from; any one of them is clearly worse at telling the same event in other words."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """A fitted head: weights [outputs, inputs] and bias [outputs]."""

    weights: Matrix
    bias: Matrix


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
        with torch.autocast("cpu", torch.bfloat16):
            answer = backbone(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        for layer in layers:
            means[layer][rows] = mean_of_tokens(answer.hidden_states[layer].float(), mask).numpy()
    return means


def features_of(backbone: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Matrix:
    """What the fitted heads look at: the means of `LAYERS` side by side, [texts, 5 × width]; the last layer's is last."""
    means = layer_means(backbone, tokenizer, texts, LAYERS)
    return np.concatenate([means[layer] for layer in LAYERS], axis=1)


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


def embedded(head: Linear, features: Matrix) -> Matrix:
    """Embeddings of unit length, [texts, width]."""
    vectors = features @ head.weights.T + head.bias
    unit: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def inputs_of(features: Matrix, head: Linear) -> Matrix:
    """What risk and kinds see: the embedding, times √width so that both halves weigh alike, beside the last mean."""
    width = len(head.weights)
    return np.concatenate([embedded(head, features) * np.float32(width**0.5), features[:, -width:]], axis=1)


def fit_kinds(inputs: Matrix, sentences: Sequence[Prototype], strength: float = 0.03) -> Linear:
    """One logistic regression a kind: its risky scenes against everything else, calm scenes on its topic included.

    Also in the negatives: scenes of other kinds, though some real mentions are of two kinds at once.
    """
    rows = [
        _logistic(inputs, np.array([s.risky and s.kind == kind for s in sentences], float), None, strength)
        for kind in KINDS
    ]
    return Linear(np.concatenate([r.weights for r in rows]), np.concatenate([r.bias for r in rows]))


def risk_rows(examples: Sequence[Example], per_set: int, random: np.random.Generator) -> list[Example]:
    """The training examples that the risk head is fitted on.

    Those with a risk label, at most `per_set` of a set and label; and neutral and positive texts of the target set as
    weak evidence of calm in the eight languages, where complaints are labelled in English and German only.
    """
    groups: dict[tuple[str, str, float], list[Example]] = {}
    for example in examples:
        if example.held_out:
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


def fit_risk(
    inputs: Matrix,
    rows: Sequence[Example],
    prototype_inputs: Matrix,
    sentences: Sequence[Prototype],
    strength: float = 0.001,
) -> Linear:
    """Logistic regression on labelled rows and prototypes; the prototypes weigh as much as all the rows together."""
    weights = np.array([r.risk_weight for r in rows])
    own = np.full(len(sentences), weights.sum() / len(sentences))
    labels = np.array([float(r.risk or 0.0) for r in rows] + [float(s.risky) for s in sentences])
    together = np.concatenate([weights, own])
    for side in (0.0, 1.0):
        together[labels == side] *= 0.5 * len(labels) / together[labels == side].sum()
    return _logistic(np.concatenate([inputs, prototype_inputs]), labels, together, strength)


def _logistic(
    inputs: Matrix, labels: NDArray[np.float64], weights: NDArray[np.float64] | None, strength: float
) -> Linear:
    """L2-regularised logistic regression, the classes balanced where no weights are given."""
    fitted = LogisticRegression(C=strength, max_iter=400, class_weight=None if weights is not None else "balanced")
    fitted.fit(inputs, labels, sample_weight=weights)
    return Linear(fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32))
