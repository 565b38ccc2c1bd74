"""From examples to the tensors of a step: draw, disguise, tokenise, pad."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.data import Example, Sampler
from models.network import Batch
from models.prototypes import KINDS
from models.readings import Teacher
from models.sets import SET_NAMES, judged_as

MAXIMUM_LENGTH = 96
"""Tokens of a text that are read, begin and end included."""

PAD = 1
POOL = 16
"""Batches that are drawn together, so that texts of like length share one."""

Memory = Callable[[str], Sequence[float] | None]
"""What the pretrained encoder made of a text, where it was asked."""

Disguise = Callable[[Example, np.random.Generator], str]
"""An example's text as the network sees it this time."""


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, cut to the maximum length."""
    tokenizer.enable_truncation(MAXIMUM_LENGTH)
    return [e.ids for start in range(0, len(texts), 2000) for e in tokenizer.encode_batch(texts[start : start + 2000])]


def padded(ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [batch, longest] and their mask."""
    longest = max(len(each) for each in ids)
    tokens = torch.tensor([each + [PAD] * (longest - len(each)) for each in ids])
    return tokens, (tokens != PAD).long()


class Batches:
    """Endless batches of one run. Texts are tokenised when drawn: a short run never sees most of them."""

    def __init__(
        self,
        examples: list[Example],
        tokenizer: Tokenizer,
        sampler: Sampler,
        random: np.random.Generator,
        size: int,
        disguise: Disguise | None = None,
        teacher: Teacher | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._examples, self._tokenizer, self._sampler = examples, tokenizer, sampler
        self._random, self._size, self._disguise = random, size, disguise
        self._teacher, self._memory = teacher, memory

    def pool(self, progress: float) -> Iterator[Batch]:
        """One pool: drawn together, sorted by length so that little is padded, then in random order."""
        rows = [self._examples[n] for n in self._sampler.draw(progress, self._size * POOL).tolist()]
        texts = [row.text if self._disguise is None else self._disguise(row, self._random) for row in rows]
        ids = encode(self._tokenizer, texts)
        order = sorted(range(len(rows)), key=lambda n: len(ids[n]))
        for start in self._random.permutation(POOL) * self._size:
            numbers = order[start : start + self._size]
            yield batch_of([rows[n] for n in numbers], [ids[n] for n in numbers], self._teacher, self._memory)


def batch_of(
    rows: Sequence[Example], ids: Sequence[list[int]], teacher: Teacher | None = None, memory: Memory | None = None
) -> Batch:
    """The tensors of some examples."""

    def numbers(values: list[float | None]) -> Tensor:
        return torch.tensor([float("nan") if v is None else v for v in values])

    nothing = (float("nan"),) * 3
    taught = [teacher(e.text) or nothing for e in rows] if teacher else [nothing] * len(rows)
    remembered = [memory(e.text) if memory else None for e in rows]
    width = max((len(each) for each in remembered if each is not None), default=1)
    tokens, mask = padded(ids)
    return Batch(
        tokens=tokens,
        mask=mask,
        source=torch.tensor([SET_NAMES.index(judged_as(e.source)) for e in rows]),
        sentiment=torch.tensor([-100 if e.sentiment is None else e.sentiment for e in rows]),
        taught=torch.tensor(taught, dtype=torch.float32),
        toxicity=numbers([e.toxicity for e in rows]),
        risk=numbers([e.risk for e in rows]),
        risk_weight=numbers([e.risk_weight for e in rows]),
        relevance=numbers([e.relevance for e in rows]),
        relevance_weight=numbers([e.relevance_weight for e in rows]),
        kinds=torch.tensor([e.kinds or (float("nan"),) * len(KINDS) for e in rows]),
        remembered=torch.tensor(
            [(float("nan"),) * width if each is None else each for each in remembered], dtype=torch.float32
        ),
    )
