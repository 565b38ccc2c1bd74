"""The graph that ships says what the network says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.requirements import require_training

require_training()

import onnx
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertModel

from models import export
from models.backbone import encoder_config
from models.batches import PAD
from models.export import write_graph
from models.exported import CORRECTION, OUTPUTS, ExportedNetwork
from models.fitting import Trained
from models.fused import attention_with_its_product
from models.hidden import Head, Hidden, Linear
from models.network import Network, looked_at
from models.smoothing import Smoothing, Spread, factors, smoothing_of, spread_of
from models.start import shipped_heads, shipped_smoothing, shipped_weights
from models.wide import BUCKETS, COLUMNS

LAYERS, WIDTH, INNER = 4, 64, 128
SIZES = {"sentiment": 3, "risk": 1, "kinds": 13, "toxicity": 1, "relevance": 1, "embedding": WIDTH}
AS_THEY_ARE = Spread(*(fill(WIDTH * len(looked_at(LAYERS)), np.float32) for fill in (np.zeros, np.ones)))
TOKENS = np.array([[0, 9, 11, 17, 30, 2], [0, 23, 2, PAD, PAD, PAD], [0, 2, PAD, PAD, PAD, PAD]])


@dataclass(frozen=True)
class Exporter:
    """A small network with random heads and table, and what is needed to export it."""

    network: Network
    heads: dict[str, Head]
    table: NDArray[np.float32]

    def write(
        self,
        folder: Path,
        smoothing: Sequence[Smoothing] = (),
        spread: Spread | None = None,
    ) -> Path:
        """The int8 graph, and beside it the one before anything is int8."""
        trained = Trained(self.network, self.network.backbone, Tokenizer(models.Unigram()))
        folder.mkdir(exist_ok=True)
        taken = spread or spread_by_chance()
        write_graph(trained, self.heads, self.table, smoothing, taken, folder, folder / "model.onnx")
        return folder / "model.onnx"

    def answers(self) -> dict[str, NDArray[np.float32]]:
        """What the network says before anything is int8."""
        told = ExportedNetwork(self.network.backbone, self.heads, PAD, AS_THEY_ARE, self.table).eval()(
            torch.from_numpy(TOKENS)
        )
        return dict(zip(OUTPUTS, (each.detach().numpy() for each in told), strict=True))


@pytest.fixture
def exporter() -> Exporter:
    torch.manual_seed(1)
    config = encoder_config(
        vocab_size=50, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=INNER
    )
    network = Network(BertModel(config, add_pooling_layer=False)).eval()
    chance = np.random.default_rng(1)
    heads: dict[str, Head] = {}
    for name, size in SIZES.items():
        seen = WIDTH if name in {"sentiment", "relevance"} else WIDTH * len(looked_at(LAYERS))
        weights, bias = chance.normal(size=(size, seen)), chance.normal(size=size)
        heads[name] = Linear(weights.astype(np.float32), bias.astype(np.float32))
    heads["risk"] = hidden_head(1)
    return Exporter(network, heads, chance.normal(size=(BUCKETS, len(COLUMNS))).astype(np.float32))


def layers_of(head: Head) -> list[Linear]:
    return [head.inner, head.outer] if isinstance(head, Hidden) else [head]


def hidden_head(outputs: int, units: int = 5) -> Hidden:
    chance = np.random.default_rng(outputs)
    within = chance.normal(size=(units, WIDTH * len(looked_at(LAYERS)))).astype(np.float32)
    without = chance.normal(size=(outputs, units)).astype(np.float32)
    # No two of the biases are equal: the graph holds equal ones once.
    first, second = (chance.normal(size=size).astype(np.float32) for size in (units, outputs))
    return Hidden(Linear(within, first), Linear(without, second))


def operations(graph: Path) -> Counter[str]:
    """How often each operation occurs in a graph."""
    return Counter(node.op_type for node in onnx.load(str(graph)).graph.node)


def initializers(graph: Path) -> dict[str, NDArray[Any]]:
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(str(graph)).graph.initializer}


def answers_of(graph: Path) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"tokens": TOKENS}), strict=True))


def smoothing_by_chance() -> list[Smoothing]:
    chance = np.random.default_rng(2)
    some = [
        Smoothing(*(chance.uniform(0.1, 1, n).astype(np.float32) for n in (WIDTH, INNER))) for _ in range(LAYERS - 2)
    ]
    return [*some, *(2 * [Smoothing(np.ones(WIDTH, np.float32), np.ones(INNER, np.float32))])]


def spread_by_chance() -> Spread:
    chance, features = np.random.default_rng(3), WIDTH * len(looked_at(LAYERS))
    return Spread(chance.normal(size=features).astype(np.float32), chance.uniform(0.1, 3, features).astype(np.float32))


def test_the_graph_answers_as_the_network_with_attention_as_one_operation_a_layer(
    exporter: Exporter, tmp_path: Path
) -> None:
    exporter.write(tmp_path)
    told = answers_of(tmp_path / "model-float32.onnx")
    for name, ours in exporter.answers().items():
        np.testing.assert_allclose(told[name], ours, rtol=1e-3, atol=1e-3, err_msg=name)
    assert operations(tmp_path / "model-float32.onnx")["MultiHeadAttention"] == LAYERS


def test_attention_takes_in_its_int8_product_without_a_change_of_any_answer(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = exporter.write(tmp_path / "together", smoothing_by_chance())
    monkeypatch.setattr(export, "attention_with_its_product", lambda path: None)
    apart = exporter.write(tmp_path / "apart", smoothing_by_chance())
    assert operations(together)["QAttention"] == operations(apart)["MultiHeadAttention"] == LAYERS
    assert operations(apart)["MatMulInteger"] - operations(together)["MatMulInteger"] == LAYERS
    for name, told in answers_of(apart).items():
        np.testing.assert_array_equal(answers_of(together)[name], told, err_msg=name)


def test_attention_that_nobody_made_int8_is_refused(exporter: Exporter, tmp_path: Path) -> None:
    exporter.write(tmp_path)
    with pytest.raises(ValueError, match="no int8 attention"):
        attention_with_its_product(tmp_path / "model-folded.onnx")


def test_smoothing_changes_no_answer_before_int8(exporter: Exporter, tmp_path: Path) -> None:
    exporter.write(tmp_path, smoothing_by_chance())
    told = answers_of(tmp_path / "model-float32.onnx")
    for name, ours in exporter.answers().items():
        np.testing.assert_allclose(told[name], ours, rtol=1e-3, atol=1e-3, err_msg=name)


def test_products_become_int8_but_for_those_that_make_logits(exporter: Exporter, tmp_path: Path) -> None:
    exporter.heads[CORRECTION] = hidden_head(3)
    graph = onnx.load(str(exporter.write(tmp_path))).graph
    products = [node for node in graph.node if node.op_type in {"MatMulInteger", "QAttention"}]
    within = {name for node in products for name in node.input if name.startswith("outputs.")}
    looking = {name.split(".weight")[0] for name in within}
    assert looking == {"outputs.risk.inner", "outputs.correction.inner", "outputs.embedding"}
    assert len(products) == 4 * LAYERS + len(looking)


def test_a_graph_is_read_back_with_its_smoothing_taken_out(exporter: Exporter, tmp_path: Path) -> None:
    smoothing = smoothing_by_chance()
    weights = shipped_weights(exporter.write(tmp_path, smoothing))
    for ours, kept in zip(smoothing, shipped_smoothing(weights), strict=True):
        np.testing.assert_array_equal(kept.inner, ours.inner)
        np.testing.assert_array_equal(kept.outer, ours.outer)
    for number, layer in enumerate(exporter.network.backbone.encoder.layer):
        for name, product in (("intermediate", layer.intermediate), ("output", layer.output)):
            wanted = product.dense.weight.detach().numpy()
            # A smoothed weight is up to ten times as large, and so is its scale.
            step = np.abs(wanted).max() / 127 / 0.1
            np.testing.assert_allclose(weights[f"layers.{number}.{name}.dense.weight"], wanted, atol=step)


def test_the_heads_are_read_back_as_they_were(exporter: Exporter, tmp_path: Path) -> None:
    heads = shipped_heads(shipped_weights(exporter.write(tmp_path)))
    assert set(heads) == set(exporter.heads)
    # Half a step of int8, whose scale is a row's own, for the largest channel.
    rounding = spread_by_chance().deviation.max() / spread_by_chance().deviation
    for name, head in heads.items():
        for kept, ours in zip(layers_of(head), layers_of(exporter.heads[name]), strict=True):
            step = np.abs(ours.weights).max() / 127
            allowed = step * rounding if ours.weights.shape[1] == len(rounding) else step
            assert (np.abs(kept.weights - ours.weights) <= allowed).all(), name
            assert np.abs(kept.bias - ours.bias).max() <= (allowed * np.abs(spread_by_chance().mean)).sum(), name


def test_what_is_read_back_and_written_again_is_the_same_to_the_bit(exporter: Exporter, tmp_path: Path) -> None:
    once = shipped_weights(exporter.write(tmp_path))
    again = replace(exporter, heads=shipped_heads(once)).write(tmp_path / "again")
    before, after = (initializers(path) for path in (tmp_path / "model.onnx", again))
    assert set(before) == set(after)
    for name, kept in before.items():
        if kept.dtype == np.int8:
            np.testing.assert_array_equal(after[name], kept, err_msg=name)


def test_a_graph_whose_heads_take_features_as_they_are_is_refused(exporter: Exporter, tmp_path: Path) -> None:
    weights = shipped_weights(exporter.write(tmp_path))
    del weights["spread_mean"]
    with pytest.raises(ValueError, match="before the heads' first layers were int8"):
        shipped_heads(weights)


def test_heads_for_features_of_one_mean_and_size_say_the_same() -> None:
    features = np.random.default_rng(4).normal(5, 3, (200, WIDTH * len(looked_at(LAYERS)))).astype(np.float32)
    spread, head = spread_of(features), hidden_head(2)
    brought = (features - spread.mean) / spread.deviation
    np.testing.assert_allclose(brought.std(0), 1, atol=0.01)
    np.testing.assert_allclose(spread.taken_from(head)(brought), head(features), atol=1e-2)
    np.testing.assert_allclose(spread.given_to(spread.taken_from(head))(features), head(features), atol=1e-2)


def test_features_of_very_unlike_sizes_cost_the_heads_little_in_int8(exporter: Exporter, tmp_path: Path) -> None:
    """One feature in the heads' way, a hundred times as large as the others, that says nothing."""
    layer = exporter.network.backbone.encoder.layer[-1]
    with torch.no_grad():
        layer.output.LayerNorm.bias[5] = 100.0
    place = WIDTH * (len(looked_at(LAYERS)) - 1) + 5
    for name in ("embedding", "risk"):
        layers_of(exporter.heads[name])[0].weights[:, place] = 0.0
    wanted = exporter.answers()["embedding"]
    features = np.random.default_rng(5).normal(size=(50, WIDTH * len(looked_at(LAYERS)))).astype(np.float32)
    features[:, place] += 100.0
    plain = exporter.write(tmp_path / "plain", spread=AS_THEY_ARE)
    brought = exporter.write(tmp_path / "brought", spread=spread_of(features))
    far, near = (np.abs(answers_of(path)["embedding"] - wanted).mean() for path in (plain, brought))
    assert near < far / 5


def test_a_correction_is_added_to_what_the_head_of_sentiment_says_and_is_read_back(
    exporter: Exporter, tmp_path: Path
) -> None:
    before = exporter.answers()
    exporter.heads[CORRECTION] = hidden_head(3)
    path = exporter.write(tmp_path)
    after = exporter.answers()
    assert np.abs(after["sentiment"] - before["sentiment"]).min() > 0
    for name in set(OUTPUTS) - {"sentiment"}:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_allclose(
        answers_of(tmp_path / "model-float32.onnx")["sentiment"], after["sentiment"], rtol=1e-3, atol=1e-3
    )
    kept = shipped_heads(shipped_weights(path))[CORRECTION]
    np.testing.assert_array_equal(layers_of(kept)[1].weights, layers_of(exporter.heads[CORRECTION])[1].weights)


def test_a_channel_that_is_blown_up_costs_the_others_less_with_smoothing(exporter: Exporter, tmp_path: Path) -> None:
    layers = exporter.network.backbone.encoder.layer
    with torch.no_grad():
        for layer in layers:
            layer.intermediate.dense.bias[5] = 60.0
            layer.output.dense.weight[:, 5] /= 60.0
    largest = np.ones(INNER, np.float32)
    largest[5] = 60.0
    smoothing = [
        Smoothing(np.ones(WIDTH, np.float32), factors(largest, layer.output.dense.weight.detach().numpy()))
        for layer in layers
    ]
    wanted = exporter.answers()["relevance"]
    plain, smoothed = (
        np.abs(answers_of(exporter.write(tmp_path / name, each))["relevance"] - wanted).mean()
        for name, each in (("plain", []), ("smoothed", smoothing))
    )
    assert smoothed < plain / 2


def test_only_channels_far_above_the_others_are_smoothed() -> None:
    largest = np.array([1.0, 1.2, 0.8, 60.0], np.float32)
    found = factors(largest, np.ones((3, 4), np.float32))
    assert found[:3].tolist() == [1.0, 1.0, 1.0]
    assert 0.02 < found[3] < 0.1


def test_the_largest_values_are_looked_for_in_what_goes_into_the_products(exporter: Exporter) -> None:
    backbone = exporter.network.backbone
    with torch.no_grad():
        backbone.encoder.layer[2].attention.output.LayerNorm.bias[7] = 90.0
    vocabulary = [(piece, -1.0) for piece in ("<s>", "<pad>", "</s>", "<unk>", "▁a", "▁b")]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    found = smoothing_of(backbone, tokenizer, ["a b", "b"])
    assert [bool(each.inner[7] < 0.2) for each in found[:3]] == [False, False, True]
