"""Evidence beside the network: a linear model over runs of one, two and three pieces, summed into sentiment's logits.

Wide and deep (Cheng et al. 2016): it knows less than the network and errs elsewhere, so both together are better than either. It is a
table of numbers that the graph looks up; serving need not know of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import SGDClassifier
from tokenizers import Tokenizer

from models.batches import encode
from models.data import SENTIMENTS, Example
from models.sets import LINEAR_SETS

BUCKETS = 2**18
FACTOR = 1_000_003
SALTS = (0, 7, 13)
"""Runs of one, two and three pieces are numbered by `FACTOR`, moved by these, and share `BUCKETS` places."""

WEIGHT = 0.75
"""How much a logit of the table counts beside one of the network."""


def fit_wide(tokenizer: Tokenizer, examples: Sequence[Example]) -> NDArray[np.float32]:
    """The table, [buckets, sentiments]: logistic regressions on the labelled texts of `LINEAR_SETS`."""
    rows = [e for e in examples if e.source in LINEAR_SETS and e.sentiment is not None and not e.held_out]
    counts = counted(encode(tokenizer, [row.text for row in rows]))
    seen = np.bincount(counts.indices, minlength=BUCKETS)
    rarity = (np.log((1 + len(rows)) / (1 + seen)) + 1) / 4
    model = SGDClassifier(loss="log_loss", alpha=8e-6, max_iter=10, tol=None, random_state=0)
    weights = [LINEAR_SETS[row.source] for row in rows]
    model.fit(counts @ diags(rarity), [int(row.sentiment or 0) for row in rows], sample_weight=weights)
    table: NDArray[np.float32] = (model.coef_ * rarity).T.astype(np.float32)
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
    """Logits of the table alone, [texts, sentiments]."""
    assert table.shape == (BUCKETS, len(SENTIMENTS))
    logits: NDArray[np.float64] = counted(ids) @ table
    return logits
