"""Evidence beside the network: linear models over runs of one, two and three pieces, summed into the logits of sentiment and toxicity.

Wide and deep (Cheng et al. 2016): it knows less than the network and errs elsewhere, so both together are better than either. It is a
table of numbers that the graph looks up; serving need not know of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import SGDClassifier
from tokenizers import Tokenizer

from models.batches import encode
from models.data import SENTIMENTS, Example
from models.sets import LINEAR_SETS

BUCKETS = 2**18
FACTOR = 1_000_003
SALTS = (0, 7, 13)
"""Runs of one, two and three pieces are numbered by `FACTOR`, moved by these, and share `BUCKETS` places."""

COLUMNS = (*SENTIMENTS, "toxicity")
"""What a row of the table says something of."""

WEIGHTS = np.array([0.75, 0.75, 0.75, 0.6], np.float32)
"""How much a logit of the table counts beside one of the network, by column."""


def fit_wide(tokenizer: Tokenizer, examples: Sequence[Example]) -> NDArray[np.float32]:
    """The table, [buckets, columns]."""
    return np.concatenate([fit_sentiment(tokenizer, examples), fit_toxicity(tokenizer, examples)], axis=1)


def fit_sentiment(tokenizer: Tokenizer, examples: Sequence[Example]) -> NDArray[np.float32]:
    """Sentiment's columns: logistic regressions on the labelled texts of `LINEAR_SETS`."""
    rows = [e for e in examples if e.source in LINEAR_SETS and e.sentiment is not None and not e.held_out]
    labels = np.array([int(row.sentiment or 0) for row in rows])
    weights = np.array([LINEAR_SETS[row.source] for row in rows])
    return _fitted(encode(tokenizer, [row.text for row in rows]), labels, weights)


def fit_toxicity(tokenizer: Tokenizer, examples: Sequence[Example]) -> NDArray[np.float32]:
    """Toxicity's column, [buckets, 1]: one on all texts with that label, each set with a bias of its own."""
    rows = [e for e in examples if e.toxicity is not None and not e.held_out]
    sources = [row.source for row in rows]
    labels = np.array([int(row.toxicity or 0) for row in rows])
    ids = encode(tokenizer, [row.text for row in rows])
    return _fitted(ids, labels, balanced(sources, labels), own_bias(sources))


def own_bias(groups: Sequence[str]) -> NDArray[np.float32]:
    """An indicator of each row's group, [rows, groups], which gives each group a bias of its own."""
    names = sorted(set(groups))
    indicators: NDArray[np.float32] = np.eye(len(names), dtype=np.float32)[[names.index(group) for group in groups]]
    return indicators


def balanced(groups: Sequence[str], labels: NDArray[np.int_]) -> NDArray[np.float64]:
    """Weights with which both labels of each group weigh the same together; their mean is 1 where each group has both."""
    sizes, counts = Counter(groups), Counter(zip(groups, labels.tolist(), strict=True))
    return np.array([0.5 * sizes[group] / counts[group, label] for group, label in zip(groups, labels, strict=True)])


def _fitted(
    ids: Sequence[Sequence[int]],
    labels: NDArray[np.int_],
    weights: NDArray[np.float64],
    beside: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Weights of each bucket, [buckets, outputs]; `beside` takes part in the fit and is left out of what comes out."""
    counts = counted(ids)
    seen = np.bincount(counts.indices, minlength=BUCKETS)
    rarity = (np.log((1 + len(labels)) / (1 + seen)) + 1) / 4
    inputs = counts @ diags(rarity)
    if beside is not None:
        inputs = hstack([inputs, csr_matrix(beside)], format="csr")
    model = SGDClassifier(loss="log_loss", alpha=8e-6, max_iter=10, tol=None, random_state=0)
    model.fit(inputs, labels, sample_weight=weights)
    table: NDArray[np.float32] = (model.coef_[:, :BUCKETS] * rarity).T.astype(np.float32)
    return table


def counted(ids: Sequence[Sequence[int]]) -> csr_matrix:
    """How often each text's runs of pieces fall into each bucket, over the root of how many runs it has."""
    places, values, ends = [], [], [0]
    for each in ids:
        runs = buckets(np.array(each, np.int64))
        places.append(runs)
        values.append(np.full(len(runs), max(len(runs), 1) ** -0.5))
        ends.append(ends[-1] + len(runs))
    matrix = csr_matrix((np.concatenate(values), np.concatenate(places), ends), shape=(len(ids), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def buckets(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket of each run of one, two and three pieces; `models/exported.py` does the same in the graph."""
    runs, found = ids, [ids % BUCKETS]
    for length, salt in enumerate(SALTS[1:], 1):
        runs = runs[:-1] * FACTOR + ids[length:]
        found.append((runs + salt) % BUCKETS)
    return np.concatenate(found)


def scores(table: NDArray[np.float32], ids: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Logits of the table alone, [texts, columns]."""
    assert table.shape == (BUCKETS, len(COLUMNS))
    logits: NDArray[np.float64] = counted(ids) @ table
    return logits
