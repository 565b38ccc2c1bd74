"""Which texts share a pass through the network: pure arithmetic on lengths, no tokenizer and no network.

A batch is padded to its longest text, so its cost is *longest × count* tokens. Sorting by length and packing up to a
budget of padded tokens wastes little on padding and keeps memory and time of a pass bounded, whatever comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

Value = TypeVar("Value")


def distinct(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Each different text once, in order of first appearance, and for every text the position of its like among them.

    `[unique[p] for p in positions] == list(texts)`: copies, which are most of a bad buzz, then cost one pass together.
    """
    first: dict[str, int] = {}
    positions = [first.setdefault(text, len(first)) for text in texts]
    return list(first), positions


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Batches of indices into `lengths` (tokens a text), longest first, each of at most `budget` padded tokens.

    Every index is in exactly one batch. A text that is longer than the budget goes alone. Equal lengths keep their order.
    Raises ValueError for a budget below 1 or a length below 0.
    """
    if budget < 1:
        raise ValueError(f"the token budget is {budget}; it must be at least 1")
    if lengths and min(lengths) < 0:
        raise ValueError(f"a text cannot be {min(lengths)} tokens long")
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = max(lengths[index], 1)
    return batches


def restore(batches: Iterable[Sequence[int]], values: Iterable[Sequence[Value]]) -> list[Value]:
    """The values of each batch, put back in the order of the texts that `pack` was given.

    Raises ValueError when batches and values do not match one to one.
    """
    placed: dict[int, Value] = {}
    for indices, batch_values in zip(batches, values, strict=True):
        placed.update(zip(indices, batch_values, strict=True))
    return [placed[index] for index in range(len(placed))]
