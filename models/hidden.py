"""Heads with one hidden layer, for what no single direction in the features says.

Several small networks are fitted one after the other and laid side by side, so that what comes out is one head: the mean of their
logits. The same call gives the same head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Of logits [rows, outputs] and the rows' numbers: the loss to be made small."""

_PEAK, _BATCH = 2e-3, 256


@dataclass(frozen=True)
class Setting:
    """How a head is fitted: hidden units of each member, rounds over the rows, the share of inputs and of hidden units that a
    step does without, how much the weights decay, and how many members there are."""

    width: int
    epochs: int
    dropped: float
    decay: float
    members: int = 3


BINARY = Setting(32, 8, 0.3, 0.05)
CLASSES = Setting(64, 15, 0.5, 0.1)
CORRECTION = Setting(64, 3, 0.5, 0.3, members=6)


@dataclass(frozen=True)
class Linear:
    """A fitted head: weights [outputs, inputs] and bias [outputs]."""

    weights: Matrix
    bias: Matrix

    def __call__(self, features: Matrix) -> Matrix:
        """What it says of features [texts, inputs]: [texts, outputs]."""
        told: Matrix = features @ self.weights.T + self.bias
        return told

    def times(self, factor: float) -> Linear:
        """The head with what it says multiplied."""
        return Linear(self.weights * np.float32(factor), self.bias * np.float32(factor))


@dataclass(frozen=True)
class Hidden:
    """A fitted head with a hidden layer between two linear ones, cut off at zero (ReLU)."""

    inner: Linear
    outer: Linear

    def __call__(self, features: Matrix) -> Matrix:
        """What it says of features [texts, inputs]: [texts, outputs]."""
        return self.outer(np.maximum(self.inner(features), 0.0))

    def times(self, factor: float) -> Hidden:
        """The head with what it says multiplied."""
        return Hidden(self.inner, self.outer.times(factor))


Head = Linear | Hidden


def fit_binary(
    features: Matrix,
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    groups: NDArray[np.int_] | None = None,
) -> Hidden:
    """One logit: of labels 0 or 1, each row as heavy as its weight.

    With `groups`, a number of each row's, every group has a bias of its own while it is learnt, and their mean is kept.
    """
    wanted, weighed = (torch.from_numpy(each.astype(np.float32)) for each in (labels, weights))

    def loss(logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], wanted[rows], weighed[rows])

    return _fit(features, 1, loss, BINARY, groups)


def fit_classes(features: Matrix, labels: NDArray[np.int_], count: int) -> Hidden:
    """Logits of `count` classes that exclude each other, of which `labels` are the numbers; all rows weigh the same."""
    wanted = torch.from_numpy(labels.astype(np.int64))

    def loss(logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, wanted[rows])

    return _fit(features, count, loss, CLASSES)


AS_TOLD = -1
"""In place of a label: what was told of this row before is to be told again."""


def fit_correction(features: Matrix, labels: NDArray[np.int_], told: Matrix, weights: NDArray[np.float64]) -> Hidden:
    """What is to be added to logits that another head has told, [rows, classes], so that they are right more often.

    Each row is as heavy as its weight. Where a label is `AS_TOLD`, a correction costs as much as what is said differs from before
    (Kullback–Leibler divergence).
    """
    wanted, before = torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(told)
    weighed = torch.from_numpy(weights.astype(np.float32))
    probable = before.softmax(1)

    def loss(logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        now = (before[rows] + logits).log_softmax(1)
        wrong = torch.nn.functional.cross_entropy(
            now, wanted[rows].clamp(min=0), label_smoothing=0.05, reduction="none"
        )
        moved = torch.nn.functional.kl_div(now, probable[rows], reduction="none").sum(1)
        return (torch.where(wanted[rows] == AS_TOLD, moved, wrong) * weighed[rows]).mean()

    return _fit(features, told.shape[1], loss, CORRECTION)


def _fit(
    features: Matrix, outputs: int, loss: Loss, setting: Setting, groups: NDArray[np.int_] | None = None
) -> Hidden:
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    inputs = torch.from_numpy((features - mean) / deviation)
    numbers = torch.zeros(len(inputs), dtype=torch.int64) if groups is None else torch.from_numpy(groups)
    inner, outer = [], []
    with torch.random.fork_rng(devices=[]):
        for seed in range(setting.members):
            torch.manual_seed(seed)
            first, second = _member(inputs, numbers, outputs, loss, setting)
            inner.append(first)
            outer.append(second)
    weights = np.concatenate([each.weights for each in inner]) / deviation
    bias = np.concatenate([each.bias for each in inner]) - weights @ mean
    return Hidden(
        Linear(weights.astype(np.float32), bias.astype(np.float32)),
        Linear(
            np.concatenate([each.weights for each in outer], axis=1) / np.float32(setting.members),
            np.mean([each.bias for each in outer], axis=0, dtype=np.float32),
        ),
    )


def _member(
    inputs: torch.Tensor, groups: torch.Tensor, outputs: int, loss: Loss, setting: Setting
) -> tuple[Linear, Linear]:
    """One network's two layers; AdamW, its rate falling to zero."""
    first, second = torch.nn.Linear(inputs.shape[1], setting.width), torch.nn.Linear(setting.width, outputs)
    drop = torch.nn.Dropout(setting.dropped)
    network = torch.nn.Sequential(drop, first, torch.nn.ReLU(), drop, second)
    own = torch.nn.Parameter(torch.zeros(int(groups.max()) + 1, outputs))
    batch = min(_BATCH, len(inputs))
    steps = len(inputs) // batch
    stepper = torch.optim.AdamW(network.parameters(), lr=_PEAK, weight_decay=setting.decay)
    if groups.any():
        stepper.add_param_group({"params": [own], "weight_decay": 0.0})
    falling = torch.optim.lr_scheduler.LambdaLR(stepper, lambda step: 1 - step / (setting.epochs * steps))
    for _ in range(setting.epochs):
        for rows in torch.randperm(len(inputs))[: steps * batch].split(batch):
            stepper.zero_grad()
            loss(network(inputs[rows]) + own[groups[rows]], rows).backward()  # type: ignore[no-untyped-call]
            stepper.step()
            falling.step()
    last = _read(second)
    return _read(first), Linear(last.weights, last.bias + own.detach().mean(0).numpy())


def _read(layer: Any) -> Linear:
    return Linear(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy())
