"""One encoder, one mean over its tokens, a linear head a task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertModel

from models.data import SENTIMENTS, SET_NAMES


@dataclass(frozen=True)
class Batch:
    """Tensors of one training batch; `nan` marks a missing binary label, -100 a missing sentiment."""

    tokens: Tensor
    mask: Tensor
    source: Tensor
    sentiment: Tensor
    toxicity: Tensor
    risk: Tensor
    risk_weight: Tensor
    relevance: Tensor
    relevance_weight: Tensor


class Network(nn.Module):
    """The encoder with its sentiment, toxicity, risk and relevance heads.

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
        for module in (self.sentiment, self.toxicity, self.risk, self.relevance):
            nn.init.normal_(module.weight, std=0.02)
        for module in (self.sentiment_bias, self.toxicity_bias):
            nn.init.zeros_(module.weight)

    def pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean of the last layer's tokens: [batch, width] float32."""
        states = self.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        return mean_of_tokens(states, mask)

    def loss(self, batch: Batch, smoothing: float) -> Tensor:
        """The weighted sum of the heads' losses over the labels that are there."""
        features = self.dropout(self.pooled(batch.tokens, batch.mask))
        rows = len(batch.source)
        sentiment = self.sentiment(features) + self.sentiment_bias(batch.source)
        total = nn.functional.cross_entropy(
            sentiment, batch.sentiment, ignore_index=-100, label_smoothing=smoothing, reduction="sum"
        )
        toxicity = self.toxicity(features) + self.toxicity_bias(batch.source)
        total = total + 0.5 * _binary(toxicity, batch.toxicity, torch.ones_like(batch.toxicity))
        total = total + 0.5 * _binary(self.risk(features), batch.risk, batch.risk_weight)
        total = total + 0.5 * _binary(self.relevance(features), batch.relevance, batch.relevance_weight)
        return total / rows


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that are no padding: [batch, tokens, width] and [batch, tokens] → [batch, width]."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def _binary(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Sum of binary cross-entropies over the rows that have a label."""
    there = ~torch.isnan(labels)
    targets = torch.where(there, labels, 0.0)
    losses = nn.functional.binary_cross_entropy_with_logits(logits.float().squeeze(-1), targets, reduction="none")
    return (losses * weights * there).sum()
