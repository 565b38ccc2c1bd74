"""One encoder, one mean over its tokens, a linear head a task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertModel

from models.data import SENTIMENTS
from models.prototypes import KINDS
from models.sets import SET_NAMES, TARGET


@dataclass(frozen=True)
class Batch:
    """Tensors of one training batch; `nan` marks a missing label, -100 a missing sentiment."""

    tokens: Tensor
    mask: Tensor
    source: Tensor
    sentiment: Tensor
    taught: Tensor
    """Soft sentiments of a teacher, [batch, 3]."""
    toxicity: Tensor
    risk: Tensor
    risk_weight: Tensor
    relevance: Tensor
    relevance_weight: Tensor
    kinds: Tensor
    """[batch, kinds]."""
    remembered: Tensor
    """What the pretrained encoder made of each text (`models/memory.py`), [batch, width]; `nan` where nobody asked it."""


@dataclass(frozen=True)
class Recipe:
    """What the loss adds up."""

    smoothing: float = 0.05
    """Label smoothing of sentiment."""
    drop: float = 0.0
    """R-Drop: how much two passes with other dropout must agree (Liang et al. 2021); doubles the time of a step."""
    teaching: float = 0.0
    """How much a teacher's soft sentiment weighs beside the labels."""
    side: float = 0.5
    """How much toxicity, risk, relevance and kinds weigh beside sentiment."""
    memory: float = 0.0
    """How much it weighs that the layers still say what the pretrained encoder said: sentiment forgets what a text is about."""


def looked_at(depth: int) -> tuple[int, ...]:
    """Whose means the heads for topics are made from, of so many layers: 3, 6, 8, 10 and 12 of twelve.

    Any one of them is clearly worse at telling the same event in other words.
    """
    return tuple(sorted({max(1, round(depth * part)) for part in (1 / 4, 1 / 2, 2 / 3, 5 / 6, 1)}))


class Network(nn.Module):
    """The encoder with its sentiment, toxicity, risk and relevance heads on the last layer, and on several layers the kinds and
    the memory of the pretrained encoder's embedding.

    Sentiment and toxicity have one weight matrix for all sets and one bias a set: sets disagree about how often a class
    occurs and where it begins, not about its direction. In service the bias of the target set speaks.
    """

    def __init__(self, backbone: BertModel, dropout: float = 0.1) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.sentiment = nn.Linear(width, len(SENTIMENTS), bias=False)
        self.sentiment_bias = nn.Embedding(len(SET_NAMES), len(SENTIMENTS))
        self.toxicity = nn.Linear(width, 1, bias=False)
        self.toxicity_bias = nn.Embedding(len(SET_NAMES), 1)
        self.risk = nn.Linear(width, 1)
        self.relevance = nn.Linear(width, 1)
        self.layers = looked_at(backbone.config.num_hidden_layers)
        self.kinds = nn.Linear(len(self.layers) * width, len(KINDS))
        self.memory = nn.Linear(len(self.layers) * width, width)
        for module in (self.sentiment, self.toxicity, self.risk, self.relevance, self.kinds, self.memory):
            nn.init.normal_(module.weight, std=0.02)
        for module in (self.sentiment_bias, self.toxicity_bias):
            nn.init.zeros_(module.weight)

    def pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean of the last layer's tokens: [batch, width] float32."""
        states = self.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        return mean_of_tokens(states, mask)

    def means(self, tokens: Tensor, mask: Tensor) -> list[Tensor]:
        """Mean over the tokens of each layer that is looked at, the last one last: [batch, width] float32 each."""
        answer = self.backbone(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        return [mean_of_tokens(answer.hidden_states[layer].float(), mask) for layer in self.layers]

    def loss(self, batch: Batch, recipe: Recipe) -> Tensor:
        """The weighted sum of the heads' losses over the labels that are there, a row."""
        total, plain = self._pass(batch, recipe)
        if recipe.drop > 0.0:
            again, other = self._pass(batch, recipe)
            total = 0.5 * (total + again) + recipe.drop * _disagreement(plain, other)
        return total / len(batch.source)

    def _pass(self, batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """The loss of one pass, and its sentiment logits with the target set's bias."""
        means = self.means(batch.tokens, batch.mask)
        features, everything = self.dropout(means[-1]), self.dropout(torch.cat(means, dim=1))
        plain = self.sentiment(features)
        total = nn.functional.cross_entropy(
            plain + self.sentiment_bias(batch.source),
            batch.sentiment,
            ignore_index=-100,
            label_smoothing=recipe.smoothing,
            reduction="sum",
        )
        target = plain + self.sentiment_bias.weight[SET_NAMES.index(TARGET)]
        if recipe.teaching > 0.0:
            total = total + recipe.teaching * _soft(target, batch.taught)
        toxicity = self.toxicity(features) + self.toxicity_bias(batch.source)
        side = _binary(toxicity.squeeze(-1), batch.toxicity, torch.ones_like(batch.toxicity))
        side = side + _binary(self.risk(features).squeeze(-1), batch.risk, batch.risk_weight)
        side = side + _binary(self.relevance(features).squeeze(-1), batch.relevance, batch.relevance_weight)
        side = side + _binary(self.kinds(everything), batch.kinds, torch.ones_like(batch.kinds))
        if recipe.memory > 0.0:
            total = total + recipe.memory * _forgotten(self.memory(everything), batch.remembered)
        return total + recipe.side * side, target


def fastest_precision() -> torch.autocast:
    """Context in which the encoder runs in bfloat16 where the processor multiplies it itself, and in float32 elsewhere.

    Emulated, on a processor with AVX2 alone, bfloat16 takes seventeen times as long as float32.
    """
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=native)


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that are no padding: [batch, tokens, width] and [batch, tokens] → [batch, width]."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def _binary(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Sum of binary cross-entropies over the labels that are there."""
    there = ~torch.isnan(labels)
    targets = torch.where(there, labels, 0.0)
    losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
    return (losses * weights * there).sum()


def _soft(logits: Tensor, taught: Tensor) -> Tensor:
    """Sum of cross-entropies against soft labels over the rows that have one."""
    there = ~torch.isnan(taught)
    return -(torch.where(there, taught, 0.0) * logits.float().log_softmax(1)).sum()


def _forgotten(vectors: Tensor, remembered: Tensor) -> Tensor:
    """Sum of one minus the cosine over the rows that have something to remember."""
    there = ~torch.isnan(remembered[:, 0])
    return (1 - nn.functional.cosine_similarity(vectors[there].float(), remembered[there])).sum()


def _disagreement(one: Tensor, other: Tensor) -> Tensor:
    """Sum over the rows of the mean of both Kullback–Leibler divergences."""
    first, second = one.float().log_softmax(1), other.float().log_softmax(1)
    return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum()
