"""The graph that ships says what the network says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tests.requirements import require_training

require_training()

import onnx
import torch
from tokenizers import Tokenizer, models
from transformers import BertModel

from models.backbone import encoder_config
from models.batches import PAD
from models.export import write_graph
from models.exported import OUTPUTS, ExportedNetwork
from models.fitting import Trained
from models.heads import Linear, looked_at
from models.network import Network
from models.wide import BUCKETS, COLUMNS

LAYERS, WIDTH = 4, 64
SIZES = {"sentiment": 3, "risk": 1, "kinds": 13, "toxicity": 1, "relevance": 1, "embedding": WIDTH}


def test_the_graph_answers_as_the_network_with_attention_as_one_operation_a_layer(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = encoder_config(
        vocab_size=50, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=128
    )
    network = Network(BertModel(config, add_pooling_layer=False)).eval()
    chance = np.random.default_rng(1)
    heads = {}
    for name, size in SIZES.items():
        seen = WIDTH if name in {"sentiment", "relevance"} else WIDTH * len(looked_at(LAYERS))
        weights, bias = chance.normal(size=(size, seen)), chance.normal(size=size)
        heads[name] = Linear(weights.astype(np.float32), bias.astype(np.float32))
    table = chance.normal(size=(BUCKETS, len(COLUMNS))).astype(np.float32)
    trained = Trained(network, network.backbone, Tokenizer(models.Unigram()))
    write_graph(trained, heads, table, tmp_path, tmp_path / "model.onnx")

    tokens = np.array([[0, 9, 11, 17, 30, 2], [0, 23, 2, PAD, PAD, PAD], [0, 2, PAD, PAD, PAD, PAD]])
    told = ExportedNetwork(network.backbone, heads, PAD, table).eval()(torch.from_numpy(tokens))
    session = onnxruntime.InferenceSession(str(tmp_path / "model-float32.onnx"), providers=["CPUExecutionProvider"])
    for name, ours, theirs in zip(OUTPUTS, told, session.run(list(OUTPUTS), {"tokens": tokens}), strict=True):
        np.testing.assert_allclose(theirs, ours.detach().numpy(), rtol=1e-3, atol=1e-3, err_msg=name)
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    assert sum(node.op_type == "MultiHeadAttention" for node in graph.node) == LAYERS
