"""Soft sentiments for self-training: what several trained networks and a linear model over characters think together.

`python -m models.teacher DATA --work-folders A B --output soft.npz` averages the log-probabilities of each folder's `best.pt`
and, with `--linear W`, adds W times those of a logistic regression over character and word n-grams, for its own training texts out
of fold. `models/train.py --teacher soft.npz` then learns from them, from texts that nobody labelled too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.special import log_softmax
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier

from models.batches import encode
from models.calibration import raw_outputs
from models.data import Example, training, validation
from models.evaluate import sentiment_figures
from models.readings import digest_of
from models.sets import LINEAR_SETS, TARGET
from models.start import saved_network
from models.train import sentiment_scores

Scores = NDArray[np.float64]

FOLDS = 4


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--work-folders", type=Path, nargs="+", required=True, help="where train.py left best.pt, or folders of export"
    )
    parser.add_argument("--linear", type=float, default=0.0, help="weight of the linear model beside the networks")
    parser.add_argument(
        "--texts", type=int, default=30_000, help="texts beside the target set's that are given a label"
    )
    parser.add_argument("--temperature", type=float, default=1.3, help="the networks' logits are divided by it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


class LinearModel:
    """Logistic regression over character and word n-grams: weak, and wrong elsewhere than a network is."""

    def __init__(self) -> None:
        self._characters = HashingVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), n_features=2**19, norm=None, alternate_sign=False, binary=True
        )
        self._words = HashingVectorizer(
            ngram_range=(1, 2), n_features=2**18, norm=None, alternate_sign=False, binary=True, token_pattern=r"\S+"
        )
        self._weights = TfidfTransformer()

    def counts(self, texts: Sequence[str]) -> csr_matrix:
        """N-grams of the texts, [texts, features]."""
        small = [text.lower() for text in texts]
        return csr_matrix(hstack([self._characters.transform(small), self._words.transform(small)]))

    def fit(self, counts: csr_matrix, rows: Sequence[Example]) -> None:
        """Learn the rows' sentiments."""
        self._model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=12, random_state=0)
        weights = [LINEAR_SETS[row.source] for row in rows]
        self._model.fit(
            self._weights.fit_transform(counts), [int(row.sentiment or 0) for row in rows], sample_weight=weights
        )

    def scores(self, counts: csr_matrix) -> Scores:
        """Log-probabilities, [texts, 3], never below that of 1 in 1,000."""
        found: Scores = np.log(self._model.predict_proba(self._weights.transform(counts)).clip(1e-3))
        return found


def linear_scores(examples: list[Example], asked: Sequence[str]) -> Scores:
    """Log-probabilities of the linear model for the asked texts; for those it learnt from, of a model that did not."""
    rows = [e for e in examples if e.source in LINEAR_SETS and e.sentiment is not None and not e.held_out]
    model = LinearModel()
    counts, wanted = model.counts([row.text for row in rows]), model.counts(asked)
    model.fit(counts, rows)
    answers = model.scores(wanted)
    fold_of = {row.text: digest_of(row.text) % FOLDS for row in rows}
    own, asked_folds = (
        np.array([fold_of[row.text] for row in rows]),
        np.array([fold_of.get(text, -1) for text in asked]),
    )
    for fold in range(FOLDS):
        inside = np.flatnonzero(own != fold)
        model.fit(counts[inside], [rows[n] for n in inside])
        answers[asked_folds == fold] = model.scores(wanted[np.flatnonzero(asked_folds == fold)])
    return answers


def network_scores(work: Path, texts: Sequence[str], temperature: float, threads: int = 1) -> Scores:
    """Log-probabilities of one network; an exported folder's are calibrated by its own temperature, its linear table included."""
    if (work / "model.onnx").exists():
        own = json.loads((work / "config.json").read_text(encoding="utf-8"))["temperatures"]["sentiment"]
        answers = raw_outputs(work, texts, threads)["sentiment"].astype(np.float64)
        calibrated: Scores = log_softmax(answers / own, axis=1)
        return calibrated
    network, tokenizer = saved_network(work)
    logits = sentiment_scores(network, encode(tokenizer, texts)).astype(np.float64)
    found: Scores = log_softmax(logits / temperature, axis=1)
    return found


def asked_texts(examples: list[Example], count: int, random: np.random.Generator) -> list[str]:
    """All texts of the target set, and of the other sets the same share of each language, in random order."""
    target = [e.text for e in examples if e.source == TARGET]
    by_language: dict[str, list[str]] = {}
    for example in examples:
        if example.source != TARGET and not example.held_out:
            by_language.setdefault(example.language[:2], []).append(example.text)
    share = count // len(by_language)
    others = [t for texts in by_language.values() for t in (texts[n] for n in random.permutation(len(texts))[:share])]
    return list(dict.fromkeys([*target, *others]))


def run(chosen: argparse.Namespace) -> None:
    """Label, measure the teacher on validation, write."""
    torch.set_num_threads(chosen.threads)
    examples, checked = training(chosen.data), validation(chosen.data)
    texts = [*asked_texts(examples, chosen.texts, np.random.default_rng(0)), *(e.text for e in checked)]
    parts = [network_scores(work, texts, chosen.temperature, chosen.threads) for work in chosen.work_folders]
    together = np.mean(parts, axis=0)
    for work, part in zip(chosen.work_folders, parts, strict=True):
        print(work.name, json.dumps(sentiment_figures(checked, part[-len(checked) :].argmax(1).tolist())))
    print("networks", json.dumps(sentiment_figures(checked, together[-len(checked) :].argmax(1).tolist())))
    if chosen.linear > 0.0:
        together = together + chosen.linear * linear_scores(examples, texts)
        print(
            "with the linear model",
            json.dumps(sentiment_figures(checked, together[-len(checked) :].argmax(1).tolist())),
        )
    kept = slice(0, len(texts) - len(checked))
    scores = np.exp(log_softmax(together[kept], axis=1)).astype(np.float16)
    np.savez(chosen.output, digests=np.array([digest_of(text) for text in texts[kept]]), scores=scores)


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
