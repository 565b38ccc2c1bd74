"""Channels that a text's begin and end blow up, made small before they become int8, and their weights larger by as much.

An int8 product has one scale for all that goes into it. In this encoder the two marks around a text carry single channels of 20 to 70
where words stay below 3, so nearly all of the 256 steps were theirs. What goes into the two products of the feed-forward part is
therefore multiplied by a number a channel, and the weights divided by it: the answers are the same, and the noise of int8 is
less than half of what it was (`models/EXPERIMENTS.md`). After SmoothQuant (Xiao et al., ICML 2023), with the strength chosen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from models.batches import encode, padded
from models.hidden import Head, Hidden, Linear

STRENGTH = 0.75
"""How much of a channel's size goes over to its weights. At 0.5 three times as much noise is left, at 1 a third more."""
LEFT_ALONE = 3.0
"""A channel at most so many times as large as the median one stays as it is."""

Factors = NDArray[np.float32]


@dataclass(frozen=True)
class Smoothing:
    """What one layer's feed-forward inputs are multiplied by, a number a channel: of its first product, and of its second."""

    inner: Factors
    outer: Factors


@dataclass(frozen=True)
class Spread:
    """What the features of fitted heads are on the average, and how far they stray from it.

    The means of several layers stand side by side in one product, and some stray ten times as far as others: int8 would see those
    alone. So what goes in is brought to the same mean and size, and the first layer of each head made for that.
    """

    mean: Factors
    deviation: Factors

    def taken_from(self, head: Head) -> Head:
        """The head for features that have been brought to the same mean and size, which says the same."""
        first = head.inner if isinstance(head, Hidden) else head
        bias = (first.bias + first.weights @ self.mean).astype(np.float32)
        return _with_first(head, Linear(first.weights * self.deviation, bias))

    def given_to(self, head: Head) -> Head:
        """The head for features as they are, from one that `taken_from` made."""
        first = head.inner if isinstance(head, Hidden) else head
        weights = first.weights / self.deviation
        return _with_first(head, Linear(weights, (first.bias - weights @ self.mean).astype(np.float32)))


def spread_of(features: Factors) -> Spread:
    """The spread of some texts' features, [texts, features]."""
    return Spread(features.mean(0), np.maximum(features.std(0), 1e-4))


def _with_first(head: Head, first: Linear) -> Head:
    return Hidden(first, head.outer) if isinstance(head, Hidden) else first


def smoothing_of(backbone: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> list[Smoothing]:
    """Each layer's factors, from the largest value of each channel while the encoder reads `texts`."""
    found = []
    for layer, (inner, outer) in zip(backbone.encoder.layer, _largest(backbone, tokenizer, texts), strict=True):
        first, second = layer.intermediate.dense, layer.output.dense
        found.append(Smoothing(factors(inner, _weights(first)), factors(outer, _weights(second))))
    return found


def factors(largest: Factors, weights: Factors) -> Factors:
    """Factors of channels whose values reach `largest` and whose weights are [outputs, channels]; 1 for most of them."""
    heaviest = np.maximum(np.abs(weights).max(0), 1e-5)
    size = largest**STRENGTH / heaviest ** (1 - STRENGTH)
    size = size / max(float(np.median(size)), 1e-12)
    return (1 / np.where(size > LEFT_ALONE, size, 1.0)).astype(np.float32)


@torch.inference_mode()
def _largest(backbone: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> list[tuple[Factors, Factors]]:
    """Of each layer, the largest absolute value of each channel that goes into either product."""
    products = [
        product for layer in backbone.encoder.layer for product in (layer.intermediate.dense, layer.output.dense)
    ]
    largest: list[Factors] = [np.zeros(product.in_features, np.float32) for product in products]

    def watch(place: int) -> Any:
        def seen(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            here = given[0].float().abs().flatten(0, 1).amax(0).numpy()
            largest[place] = np.maximum(largest[place], here)

        return seen

    watching = [product.register_forward_pre_hook(watch(place)) for place, product in enumerate(products)]
    try:
        backbone.eval()
        # One by one: what stands in the place of padding is of no matter.
        for ids in encode(tokenizer, texts):
            tokens, mask = padded([ids])
            backbone(input_ids=tokens, attention_mask=mask)
    finally:
        for each in watching:
            each.remove()
    return list(zip(largest[::2], largest[1::2], strict=True))


def _weights(product: nn.Linear) -> Factors:
    weights: Factors = product.weight.detach().float().numpy()
    return weights
