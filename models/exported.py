"""The network as it ships: one forward pass of plain operations, from token ids to every head."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import BertModel

from models.hidden import Head, Hidden, Linear
from models.network import looked_at
from models.smoothing import Smoothing, Spread
from models.wide import BUCKETS, COLUMNS, FACTOR, SALTS, WEIGHTS

OUTPUTS = ("sentiment", "risk", "kinds", "toxicity", "relevance", "embedding")
AT_THE_END = ("sentiment", "relevance")
"""The outputs whose heads look at the last layer alone; the others look at several."""

CORRECTION = "correction"
"""The head whose answers are added to sentiment's; it is none of the outputs."""

KIND_MARGIN = 1.5
"""Logit of a kind that alone makes a risk logit of 0: a call to boycott is a risk even where it reads like no complaint."""

HIDDEN = -1e4
"""What is added to the score of a place that is padding."""

LONGEST = 128
"""Positions kept; texts are cut to fewer tokens than that."""


class ExportedNetwork(nn.Module):
    """The whole of what ships, one forward pass: tokens [batch, length] → the six outputs of `models/README.md`.

    The encoder is written out with plain operations, which a runtime fuses, but for attention (`_Attention`). The embedding
    table is int8 with a scale a row, exact to 0.4 % of a row's largest weight. With `smoothing`, one a layer, the products of
    the feed-forward parts lose less to int8, and so do those of the heads' first layers
    by `spread`; the answers before that are the same.
    """

    def __init__(
        self,
        backbone: BertModel,
        heads: dict[str, Head],
        pad: int,
        spread: Spread,
        wide: NDArray[np.float32] | None = None,
        smoothing: Sequence[Smoothing] = (),
    ) -> None:
        super().__init__()
        self.pad = pad
        self.layers = copy.deepcopy(backbone.encoder.layer)
        self.smoothed = nn.ModuleList(
            _Smoothed(layer, each) for layer, each in zip(self.layers, smoothing, strict=bool(smoothing))
        )
        self.looked_at = looked_at(backbone.config.num_hidden_layers)
        self.joined = nn.ModuleList(_joined(layer.attention.self) for layer in self.layers)
        self.norm = backbone.embeddings.LayerNorm
        self.heads = backbone.config.num_attention_heads
        table = backbone.embeddings.word_embeddings.weight.detach()
        scale = table.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        self.register_buffer("words", torch.round(table / scale).to(torch.int8))
        self.register_buffer("word_scale", scale)
        kinds = backbone.embeddings.token_type_embeddings.weight.detach()[0]
        self.register_buffer("positions", backbone.embeddings.position_embeddings.weight.detach()[:LONGEST] + kinds)
        evidence = np.zeros((BUCKETS, len(COLUMNS)), np.float32) if wide is None else wide
        self.register_buffer("wide", torch.from_numpy(WEIGHTS * evidence))
        self.register_buffer("spread_mean", torch.from_numpy(spread.mean.copy()))
        self.register_buffer("spread_size", torch.from_numpy(1 / spread.deviation))
        heads = {name: head if name in AT_THE_END else spread.taken_from(head) for name, head in heads.items()}
        self.outputs = nn.ModuleDict({name: _head(head) for name, head in heads.items()})

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Sentiment [batch, 3], risk [batch], kinds [batch, 12], toxicity [batch], relevance [batch], embedding."""
        mask = (tokens != self.pad).to(torch.float32)
        there = mask.to(torch.int32)
        weights = mask.unsqueeze(-1)
        count = weights.sum(1)
        words = self.words[tokens].to(torch.float32) * self.word_scale[tokens]
        states = self.norm(words + self.positions[: tokens.shape[1]])
        means = []
        for number, (layer, joined) in enumerate(zip(self.layers, self.joined, strict=True), 1):
            states = self._attended(layer, joined, states, there)
            states = self._fed_forward(layer, self.smoothed[number - 1] if self.smoothed else None, states)
            if number in self.looked_at:
                means.append((states * weights).sum(1) / count)
        last = means[-1]
        everything = (torch.cat(means, dim=1) - self.spread_mean) * self.spread_size
        vectors = self.outputs["embedding"](everything)
        embedding = vectors / vectors.norm(dim=1, keepdim=True)
        # Of twelve kinds and calm: the odds of each kind against all the rest.
        told = torch.softmax(self.outputs["kinds"](everything), dim=1)[:, :-1].clamp(1e-6, 1 - 1e-6)
        kinds = torch.log(told) - torch.log(1 - told)
        risk = torch.maximum(self.outputs["risk"](everything).squeeze(-1), kinds.amax(1) - KIND_MARGIN)
        evidence = self._wide(tokens, mask)
        return (
            self._sentiment(last, everything) + evidence[:, :-1],
            risk,
            kinds,
            self.outputs["toxicity"](everything).squeeze(-1) + evidence[:, -1],
            self.outputs["relevance"](last).squeeze(-1),
            embedding,
        )

    def _sentiment(self, last: torch.Tensor, everything: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = self.outputs["sentiment"](last)
        return told + self.outputs[CORRECTION](everything) if CORRECTION in self.outputs else told

    def _wide(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What runs of one, two and three pieces say (`models/wide.py`), [batch, columns]."""
        runs, there = tokens, mask
        total, count = torch.zeros(()), torch.zeros(())
        for length, salt in enumerate(SALTS):
            if length:
                # A run that would reach beyond the text's end holds padding, and counts nothing.
                runs = runs[:, :-1] * FACTOR + tokens[:, length:]
                there = mask[:, length:]
            total = total + (self.wide[(runs + salt) % BUCKETS] * there.unsqueeze(-1)).sum(1)
            count = count + there.sum(1, keepdim=True)
        return total / count.clamp(min=1.0).sqrt()

    def _attended(self, layer: Any, joined: nn.Module, states: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        query, key, value = joined(states).split(states.shape[2], dim=2)
        context = _Attention.apply(query, key, value, there, self.heads)
        attended: torch.Tensor = layer.attention.output.LayerNorm(layer.attention.output.dense(context) + states)
        return attended

    @staticmethod
    def _fed_forward(layer: Any, smoothed: Any, states: torch.Tensor) -> torch.Tensor:
        given = states if smoothed is None else states * smoothed.inner
        inner = nn.functional.gelu(layer.intermediate.dense(given))
        inner = inner if smoothed is None else inner * smoothed.outer
        told: torch.Tensor = layer.output.LayerNorm(layer.output.dense(inner) + states)
        return told


class _Smoothed(nn.Module):
    """The factors of one layer, whose weights are divided by them here and now."""

    def __init__(self, layer: Any, smoothing: Smoothing) -> None:
        super().__init__()
        for name, product in (("inner", layer.intermediate.dense), ("outer", layer.output.dense)):
            self.register_buffer(name, torch.from_numpy(getattr(smoothing, name).copy()))
            with torch.no_grad():
                product.weight /= getattr(self, name)


class _Attention(torch.autograd.Function):
    """Attention over the heads; in the graph it is one operation of ONNX Runtime's instead of a dozen.

    Query, key, value: [batch, length, width], the query divided by the root of a head's width already; `there`: int32 [batch,
    length], 0 for padding. The answers are the same but for the order of sums, and a text of a dozen pieces takes 7 % less time.
    """

    @staticmethod
    def forward(
        _: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, there: torch.Tensor, heads: int
    ) -> torch.Tensor:
        batch, length, width = query.shape
        parts = (each.reshape(batch, length, heads, width // heads).transpose(1, 2) for each in (query, key, value))
        query, key, value = parts
        scores = query @ key.transpose(2, 3) + ((1 - there) * HIDDEN).to(query.dtype)[:, None, None]
        return (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)

    @staticmethod
    def symbolic(graph: Any, query: Any, key: Any, value: Any, there: Any, heads: int) -> Any:
        """The operation; its third input would be a bias, which the products before it have added."""
        missing = graph.op("prim::Constant")
        missing.setType(torch._C.OptionalType.ofTensor())
        settings = {"num_heads_i": heads, "scale_f": 1.0, "mask_filter_value_f": HIDDEN}
        fused = graph.op("com.microsoft::MultiHeadAttention", query, key, value, missing, there, **settings)
        return fused.setType(query.type())


def _joined(attention: Any) -> nn.Linear:
    """Query, key and value as one matrix product, the query divided by the root of a head's width beforehand."""
    scale = attention.attention_head_size**-0.5
    parts = (attention.query, attention.key, attention.value)
    weights = torch.cat([part.weight * (scale if part is attention.query else 1.0) for part in parts])
    bias = torch.cat([part.bias * (scale if part is attention.query else 1.0) for part in parts])
    return _module(Linear(weights.detach().numpy(), bias.detach().numpy()))


def _head(head: Head) -> nn.Module:
    if isinstance(head, Hidden):
        return nn.Sequential(OrderedDict(inner=_module(head.inner), cut=nn.ReLU(), outer=_module(head.outer)))
    return _module(head)


def _module(head: Linear) -> nn.Linear:
    module = nn.Linear(head.weights.shape[1], head.weights.shape[0])
    module.weight.data = torch.from_numpy(head.weights.copy())
    module.bias.data = torch.from_numpy(head.bias.copy())
    return module
