"""Every head of the exported network, from a trained checkpoint: some were trained, some are fitted here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer
from transformers import BertModel

from models.augmentation import dressed
from models.data import Example
from models.exported import CORRECTION
from models.heads import (
    correction_rows,
    features_of,
    fit_embedding,
    fit_kinds,
    fit_risk,
    fit_sentiment_correction,
    fit_toxicity,
    kinds_left_out,
    layer_means,
    risk_rows,
    toxicity_rows,
)
from models.hidden import Head, Hidden, Linear
from models.network import Network
from models.prototypes import prototypes
from models.sets import SET_NAMES, TARGET

Games = dict[str, list[Example]]
"""Reviews by game."""

Findings = dict[str, Any]

Features = Callable[[Sequence[str]], NDArray[np.float32]]
"""From texts to what fitted heads look at, [texts, features]."""


@dataclass(frozen=True)
class Trained:
    """A checkpoint with what belongs to it."""

    network: Network
    pretrained: BertModel
    tokenizer: Tokenizer


def fit_heads(trained: Trained, examples: list[Example], games: Games, texts: int) -> tuple[dict[str, Head], Findings]:
    """Every head of the exported network: some from training, some fitted here (see `models/heads.py`).

    Also what only this moment can measure: kinds on scenes left out, and each bombed game by a head that never saw it.
    """
    random = np.random.default_rng(0)
    network, tokenizer = trained.network, trained.tokenizer
    sentences = prototypes()
    general = texts_of_all_languages(examples, texts, random)
    features = features_of(network.backbone, tokenizer, general)
    depth = trained.pretrained.config.num_hidden_layers
    wanted = layer_means(trained.pretrained, tokenizer, [f"query: {text}" for text in general], (depth,))[depth]
    embedding = fit_embedding(features, wanted / np.linalg.norm(wanted, axis=1, keepdims=True))

    def inputs(texts_of_it: Sequence[str]) -> NDArray[np.float32]:
        return features_of(network.backbone, tokenizer, texts_of_it)

    own = inputs([s.text for s in sentences])
    rows = risk_rows(examples, 400, random)
    labelled = inputs([row.text for row in rows])
    played = {game: inputs([row.text for row in reviews]) for game, reviews in games.items()}
    # Each text once more with other marks around it, which are not to matter (see `dressed`); for kinds, too.
    chance = np.random.default_rng(1)
    own_again = inputs([dressed(s.text, chance) for s in sentences])
    labelled_again = inputs([dressed(row.text, chance) for row in rows])
    played_again = {game: inputs([dressed(row.text, chance) for row in reviews]) for game, reviews in games.items()}

    neutral = [n for n, row in enumerate(rows) if row.source == TARGET]
    calm = np.concatenate([labelled[neutral], labelled_again[neutral]])
    both = np.concatenate([own, own_again])

    def risk_of(chosen: Sequence[str]) -> Hidden:
        reviews = [row for game in chosen for row in games[game]]
        known = [labelled, *(played[game] for game in chosen), labelled_again, *(played_again[game] for game in chosen)]
        seen = 2 * [*rows, *reviews]
        return fit_risk(np.concatenate(known), seen, both, 2 * sentences)

    crossed = {}
    for game, reviews in games.items():
        head = risk_of([other for other in games if other != game])
        scores = head(played[game])[:, 0]
        crossed[game] = round(float(roc_auc_score([row.risk for row in reviews], scores)), 3)
    sentiment = Linear(_array(network.sentiment.weight), _array(network.sentiment_bias.weight)[SET_NAMES.index(TARGET)])
    kinds, told = _kinds(own, own_again, calm)
    return {
        "embedding": embedding,
        "kinds": kinds,
        "risk": risk_of(list(games)),
        "sentiment": sentiment,
        **heads_of_tone(inputs, examples, sentiment),
        "relevance": Linear(_array(network.relevance.weight), _array(network.relevance.bias)),
    }, {"review_bombing_by_a_head_that_saw_the_other_game": crossed, **told}


def head_of_kinds(inputs: Features, examples: list[Example]) -> tuple[Hidden, Findings]:
    """The kinds alone, and what is measured on scenes left out."""
    sentences, chance = prototypes(), np.random.default_rng(1)
    texts = [s.text for s in sentences]
    own, again = inputs(texts), inputs([dressed(text, chance) for text in texts])
    calm = [row.text for row in risk_rows(examples, 400, np.random.default_rng(0)) if row.source == TARGET]
    return _kinds(own, again, np.concatenate([inputs(calm), inputs([dressed(text, chance) for text in calm])]))


def _kinds(own: NDArray[np.float32], again: NDArray[np.float32], calm: NDArray[np.float32]) -> tuple[Hidden, Findings]:
    """From features of the prototypes, of the same dressed otherwise, and of calm tweets."""
    sentences = prototypes()
    findings = kinds_left_out(own, again, sentences, calm)
    head = fit_kinds(np.concatenate([own, again]), 2 * sentences, calm)
    return head.times(findings["sharpness"]), findings


def heads_of_tone(inputs: Features, examples: list[Example], sentiment: Linear) -> dict[str, Head]:
    """Toxicity, and the correction of what the head of sentiment says; none where no posts about brands may be learnt from."""
    random, chance = np.random.default_rng(0), np.random.default_rng(1)
    toxic = toxicity_rows(examples, random)
    texts = [row.text for row in toxic]
    again = [dressed(text, chance) for text in texts]
    heads: dict[str, Head] = {
        "toxicity": fit_toxicity(np.concatenate([inputs(texts), inputs(again)]), 2 * toxic),
    }
    if corrected := correction_rows(examples, chance):
        seen = inputs([row.text for row in corrected])
        told = sentiment(seen[:, -sentiment.weights.shape[1] :])
        heads[CORRECTION] = fit_sentiment_correction(seen, corrected, told)
    return heads


def texts_of_all_languages(examples: list[Example], count: int, random: np.random.Generator) -> list[str]:
    """About `count` of the examples' texts, as many of each language that has so many."""
    by_language: dict[str, list[str]] = {}
    for example in examples:
        by_language.setdefault(example.language, []).append(example.text)
    share = count // len(by_language)
    return [
        texts[n] for _, texts in sorted(by_language.items()) for n in random.permutation(len(texts))[:share].tolist()
    ]


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().numpy().copy()
    return array
