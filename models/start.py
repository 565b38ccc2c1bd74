"""Where a training begins: at the pretrained encoder, or at the model that ships, so that training adds up.

The shipped graph holds int8 weights with their scales. Read back as float32 they give the shipped logits but for int8 noise;
a session without the checkpoints of the one before goes on from there, and its model is the next one's beginning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from transformers import BertModel

from models.backbone import SPECIAL_PIECES, encoder_config
from models.data import SENTIMENTS, Example
from models.exported import AT_THE_END, CORRECTION, OUTPUTS
from models.fused import FUSED
from models.hidden import Head, Hidden, Linear
from models.network import Network
from models.sets import SET_NAMES, TARGET
from models.smoothing import Smoothing, Spread

HEAD_WIDTH = 32
"""Of each attention head in e5-small; neither a graph nor a checkpoint says it."""

Weights = dict[str, NDArray[np.float32]]

_HIDDEN_PRODUCTS = ("joined", "attention.output.dense", "intermediate.dense", "output.dense")
"""The matrix products of one layer in the order in which the graph runs them."""


def kept_rows(cut_tokenizer: Path, full_tokenizer: Path) -> list[int]:
    """Which ids of the full vocabulary a cut tokenizer kept, in its order."""
    full: dict[str, Any] = json.loads(full_tokenizer.read_text(encoding="utf-8"))
    ids = {piece: number for number, (piece, _) in enumerate(full["model"]["vocab"])}
    cut = json.loads(cut_tokenizer.read_text(encoding="utf-8"))
    return [ids[piece] for piece, _ in cut["model"]["vocab"]]


def shipped_weights(path: Path) -> Weights:
    """The graph's weights as float32 by readable names (`layers.3.joined.weight`, [outputs, inputs] as torch has them).

    Raises ValueError for a graph that `models/export.py` did not write.
    """
    graph = onnx.load(str(path)).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    weights: Weights = {
        name: value.astype(np.float32) for name, value in stored.items() if value.dtype == np.float32 and value.ndim
    }
    try:
        weights["words"] = stored["words"].astype(np.float32) * stored["word_scale"]
    except KeyError as problem:
        raise ValueError(f"{path} was not written by models/export.py: it has no {problem}") from problem
    products = [node for node in graph.node if node.op_type in {"MatMulInteger", FUSED}]
    hidden = [node for node in products if not node.input[1].startswith("outputs.")]
    layers = len(hidden) // len(_HIDDEN_PRODUCTS)
    names = [f"layers.{layer}.{part}" for layer in range(layers) for part in _HIDDEN_PRODUCTS]
    if len(hidden) != len(names):
        raise ValueError(f"{path}: {len(hidden)} int8 products in the encoder, which is no multiple of a layer's four")
    for node, name in zip(hidden, names, strict=True):
        weights[f"{name}.weight"] = _product(stored, node.input[1])
    for name, value in stored.items():
        if name.startswith("outputs.") and name.endswith("_Transposed_quantized"):
            weights[name.removesuffix("_Transposed_quantized")] = _product(stored, name)
        elif name.startswith("outputs.") and name.endswith("_Transposed"):
            weights[name.removesuffix("_Transposed")] = value.T.astype(np.float32)
        elif name.startswith("joined."):
            weights[f"layers.{name.split('.')[1]}.joined.bias"] = value
    for layer, smoothing in enumerate(shipped_smoothing(weights)):
        weights[f"layers.{layer}.intermediate.dense.weight"] *= smoothing.inner
        weights[f"layers.{layer}.output.dense.weight"] *= smoothing.outer
    return weights


def shipped_smoothing(weights: Weights) -> list[Smoothing]:
    """What a shipped graph's feed-forward inputs are multiplied by, a layer; none for a graph that was written without it."""
    if not any(name.startswith("smoothed.") for name in weights):
        return []

    def kept(name: str, channels: int) -> NDArray[np.float32]:
        # A graph holds equal tensors once, under the first one's name; equal are those that leave all channels alone.
        return weights.get(name, np.ones(channels, np.float32))

    found = []
    for layer in range(sum(name.endswith(".joined.weight") for name in weights)):
        inner = kept(f"smoothed.{layer}.inner", weights[f"layers.{layer}.intermediate.dense.weight"].shape[1])
        outer = kept(f"smoothed.{layer}.outer", weights[f"layers.{layer}.output.dense.weight"].shape[1])
        found.append(Smoothing(inner, outer))
    return found


def _product(stored: dict[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    """An int8 matrix [inputs, outputs] with a scale an output, as float32 [outputs, inputs]."""
    stem = name.removesuffix("_quantized")
    whole = stored[name].astype(np.float32) - stored[f"{stem}_zero_point"].astype(np.float32)
    matrix: NDArray[np.float32] = (whole * stored[f"{stem}_scale"]).T
    return matrix


def shipped_spread(weights: Weights) -> Spread:
    """What a shipped graph takes its heads' features to be. Raises ValueError for one that was written before it said so."""
    try:
        return Spread(weights["spread_mean"], 1 / weights["spread_size"])
    except KeyError as problem:
        raise ValueError(
            f"the graph has no {problem}: it was written before the heads' first layers were int8"
        ) from problem


def shipped_heads(weights: Weights) -> dict[str, Head]:
    """The heads of a shipped graph, by output, for features as they are."""
    spread = shipped_spread(weights)

    def linear(name: str) -> Linear:
        return Linear(weights[f"outputs.{name}.weight"], weights[f"outputs.{name}.bias"])

    def head(name: str) -> Head:
        if f"outputs.{name}.weight" in weights:
            found: Head = linear(name)
        else:
            found = Hidden(linear(f"{name}.inner"), linear(f"{name}.outer"))
        return found if name in AT_THE_END else spread.given_to(found)

    corrected = [CORRECTION] if f"outputs.{CORRECTION}.inner.weight" in weights else []
    return {name: head(name) for name in (*OUTPUTS, *corrected)}


def shipped_backbone(weights: Weights) -> BertModel:
    """The encoder of a shipped graph. Its positions end where the graph's do, and the type embedding is in them."""
    vocabulary, width = weights["words"].shape
    layers = sum(name.endswith(".joined.weight") for name in weights)
    config = encoder_config(
        vocab_size=vocabulary,
        hidden_size=width,
        num_attention_heads=width // HEAD_WIDTH,
        num_hidden_layers=layers,
        intermediate_size=len(weights["layers.0.intermediate.dense.weight"]),
        max_position_embeddings=len(weights["positions"]),
    )
    backbone = BertModel(config, add_pooling_layer=False)
    state: dict[str, NDArray[np.float32]] = {
        "embeddings.word_embeddings.weight": weights["words"],
        "embeddings.position_embeddings.weight": weights["positions"],
        "embeddings.token_type_embeddings.weight": np.zeros((config.type_vocab_size, width), np.float32),
        "embeddings.LayerNorm.weight": weights["norm.weight"],
        "embeddings.LayerNorm.bias": weights["norm.bias"],
    }
    root = (width // config.num_attention_heads) ** 0.5  # the exported query is divided by it
    for layer in range(layers):
        ours, theirs = f"layers.{layer}", f"encoder.layer.{layer}"
        for suffix in ("weight", "bias"):
            query, key, value = np.split(weights[f"{ours}.joined.{suffix}"], 3)
            for part, matrix in (("query", query * root), ("key", key), ("value", value)):
                state[f"{theirs}.attention.self.{part}.{suffix}"] = matrix
            for part in (*_HIDDEN_PRODUCTS[1:], "attention.output.LayerNorm", "output.LayerNorm"):
                state[f"{theirs}.{part}.{suffix}"] = weights[f"{ours}.{part}.{suffix}"]
    backbone.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    assert config.pad_token_id == SPECIAL_PIECES.index("<pad>")
    return backbone


def shipped_network(path: Path) -> Network:
    """The network for training with all that the graph kept.

    Not kept, and begun anew: the biases of the sets other than the target's (see `set_biases`), the heads that are fitted
    after the training, of which those of risk, kinds and toxicity have a hidden layer that no head of training has.
    """
    weights = shipped_weights(path)
    network, heads = Network(shipped_backbone(weights)), shipped_heads(weights)
    with torch.no_grad():
        for name in ("embedding", *AT_THE_END, "toxicity", "risk", "kinds"):
            fitted = heads[name]
            if isinstance(fitted, Hidden):
                continue
            head: torch.nn.Linear = getattr(network, "memory" if name == "embedding" else name)
            # A fitted head looks at several layers, the last one last; most heads of training at that one alone, and none
            # knows a kind called calm.
            kept = fitted.weights[: head.out_features, -head.in_features :]
            head.weight.copy_(torch.from_numpy(kept.copy()))
            bias = network.get_submodule(f"{name}_bias").weight if head.bias is None else head.bias
            bias.copy_(torch.from_numpy(fitted.bias[: head.out_features].copy()))
    return network


def saved_network(work: Path) -> tuple[Network, Tokenizer]:
    """A run's `best.pt` with its tokenizer."""
    state = torch.load(work / "best.pt", weights_only=True)
    words, positions = (state[f"backbone.embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
    config = encoder_config(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_attention_heads=words.shape[1] // HEAD_WIDTH,
        num_hidden_layers=len({name.split(".")[3] for name in state if ".layer." in name}),
        intermediate_size=len(state["backbone.encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(positions),
    )
    network = Network(BertModel(config, add_pooling_layer=False))
    network.load_state_dict(state)
    return network.eval(), Tokenizer.from_file(str(work / "tokenizer.json"))


def put_back(backbone: BertModel, pretrained: BertModel) -> None:
    """Give an encoder the pretrained weights again; its positions may be fewer, and the type embedding is in them."""
    state = pretrained.state_dict()
    kinds = "embeddings.token_type_embeddings.weight"
    places = "embeddings.position_embeddings.weight"
    state[places] = state[places][: backbone.config.max_position_embeddings] + state[kinds][0]
    state[kinds] = torch.zeros_like(state[kinds])
    backbone.load_state_dict(state)


def set_biases(network: Network, examples: Sequence[Example]) -> None:
    """Give each set the target's biases, moved by how much more often than in the target each of its labels occurs.

    UMSAB's classes are balanced; the toxicity bias that ships is the mean over the sets.
    """
    sentiments = np.ones((len(SET_NAMES), len(SENTIMENTS)))
    toxic = np.ones((len(SET_NAMES), 2))
    for example in examples:
        place = SET_NAMES.index(example.source)
        if example.sentiment is not None:
            sentiments[place, example.sentiment] += 1
        if example.toxicity is not None:
            toxic[place, int(example.toxicity)] += 1
    shares = np.log(sentiments / sentiments.sum(1, keepdims=True))
    odds = np.log(toxic[:, 1] / toxic[:, 0])
    there = toxic.sum(1) > 2
    with torch.no_grad():
        network.sentiment_bias.weight += torch.from_numpy(shares - shares[SET_NAMES.index(TARGET)]).float()
        network.toxicity_bias.weight += torch.from_numpy(np.where(there, odds - odds[there].mean(), 0.0)).float()[
            :, None
        ]
