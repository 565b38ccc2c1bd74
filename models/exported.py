"""The network as it ships: one forward pass of plain operations, from token ids to every head."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import BertModel

from models.heads import LAYERS, Linear

OUTPUTS = ("sentiment", "risk", "kinds", "toxicity", "relevance", "embedding")
LONGEST = 128
"""Positions kept; texts are cut to fewer tokens than that."""


class ExportedNetwork(nn.Module):
    """The whole of what ships, one forward pass: tokens [batch, length] → the six outputs of `models/README.md`.

    The encoder is written out with plain operations: the graph then has nothing that a runtime cannot fuse. The embedding
    table is int8 with a scale a row, exact to 0.4 % of a row's largest weight.
    """

    def __init__(self, backbone: BertModel, heads: dict[str, Linear], pad: int) -> None:
        super().__init__()
        self.pad = pad
        self.layers = backbone.encoder.layer
        self.norm = backbone.embeddings.LayerNorm
        self.heads = backbone.config.num_attention_heads
        table = backbone.embeddings.word_embeddings.weight.detach()
        scale = table.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        self.register_buffer("words", torch.round(table / scale).to(torch.int8))
        self.register_buffer("word_scale", scale)
        kinds = backbone.embeddings.token_type_embeddings.weight.detach()[0]
        self.register_buffer("positions", backbone.embeddings.position_embeddings.weight.detach()[:LONGEST] + kinds)
        self.outputs = nn.ModuleDict({name: _module(head) for name, head in heads.items()})

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Sentiment [batch, 3], risk [batch], kinds [batch, 12], toxicity [batch], relevance [batch], embedding."""
        mask = (tokens != self.pad).to(torch.float32)
        bias = ((1.0 - mask) * -1e4).unsqueeze(1).unsqueeze(1)
        weights = mask.unsqueeze(-1)
        count = weights.sum(1)
        words = self.words[tokens].to(torch.float32) * self.word_scale[tokens]
        states = self.norm(words + self.positions[: tokens.shape[1]])
        means = []
        for number, layer in enumerate(self.layers, 1):
            states = self._layer(layer, states, bias)
            if number in LAYERS:
                means.append((states * weights).sum(1) / count)
        last = means[-1]
        vectors = self.outputs["embedding"](torch.cat(means, dim=1))
        embedding = vectors / vectors.norm(dim=1, keepdim=True)
        both = torch.cat([embedding * embedding.shape[1] ** 0.5, last], dim=1)
        return (
            self.outputs["sentiment"](last),
            self.outputs["risk"](both).squeeze(-1),
            self.outputs["kinds"](both),
            self.outputs["toxicity"](last).squeeze(-1),
            self.outputs["relevance"](last).squeeze(-1),
            embedding,
        )

    def _layer(self, layer: Any, states: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        attention = layer.attention.self
        batch, length, width = states.shape

        def split(vectors: torch.Tensor) -> torch.Tensor:
            return vectors.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = (split(part(states)) for part in (attention.query, attention.key, attention.value))
        scores = query @ key.transpose(2, 3) / (width // self.heads) ** 0.5 + bias
        context = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
        states = layer.attention.output.LayerNorm(layer.attention.output.dense(context) + states)
        inner = nn.functional.gelu(layer.intermediate.dense(states))
        return layer.output.LayerNorm(layer.output.dense(inner) + states)


def _module(head: Linear) -> nn.Linear:
    module = nn.Linear(head.weights.shape[1], head.weights.shape[0])
    module.weight.data = torch.from_numpy(head.weights.copy())
    module.bias.data = torch.from_numpy(head.bias.copy())
    return module
