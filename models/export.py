"""Turns a trained checkpoint into what ships: int8 ONNX, tokenizer, config.json with calibration and thresholds.

`python -m models.export DATA --work-folder WORK --weights e5-small-q4.bin --folder models/tocsin-e5`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.backbone import hub_backbone, packed_backbone
from models.batches import MAXIMUM_LENGTH, PAD
from models.calibration import calibrate
from models.data import SENTIMENTS, review_bombing, training, validation
from models.exported import OUTPUTS, ExportedNetwork
from models.fitting import Trained, fit_heads, texts_of_all_languages
from models.fused import attention_with_its_product
from models.heads import features_of
from models.hidden import Head
from models.prototypes import KINDS
from models.smoothing import Smoothing, Spread, smoothing_of, spread_of
from models.start import saved_network
from models.wide import fit_wide

NAME = "tocsin-e5"
SMOOTHING_TEXTS = 240
"""Whose largest values say how much each channel is to be smoothed; as many of each language."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work-folder", type=Path, required=True, help="where models/train.py left best.pt")
    parser.add_argument("--weights", type=Path, help="the packed backbone that was trained on")
    parser.add_argument("--backbone", help="or its name on a model hub")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / NAME)
    parser.add_argument("--texts", type=int, default=6_000, help="texts that the embedding is fitted on")
    parser.add_argument("--permissive", action="store_true", help="fit on the sets that anybody may use for anything")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(argv)
    if (chosen.weights is None) == (chosen.backbone is None):
        parser.error("give one of --weights and --backbone")
    return chosen


def load(chosen: argparse.Namespace) -> Trained:
    """The best checkpoint of a training run."""
    network, tokenizer = saved_network(chosen.work_folder)
    rows = json.loads((chosen.work_folder / "vocabulary_rows.json").read_text())
    pretrained = packed_backbone(chosen.weights, rows) if chosen.weights else hub_backbone(chosen.backbone, rows)
    return Trained(network, pretrained.eval(), tokenizer)


def write_graph(
    trained: Trained,
    heads: dict[str, Head],
    table: NDArray[np.float32],
    smoothing: Sequence[Smoothing],
    spread: Spread,
    work: Path,
    target: Path,
) -> None:
    """Export, fold constants, and quantise to int8 the matrix products of the encoder and the first layers of the heads that look at
    several of its layers; what makes logits stays float32."""
    module = ExportedNetwork(trained.network.backbone, heads, PAD, spread, table, smoothing).eval()
    tokens = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 2, PAD, PAD]])
    plain = work / "model-float32.onnx"
    torch.onnx.export(
        module,
        (tokens,),
        str(plain),
        input_names=["tokens"],
        output_names=list(OUTPUTS),
        dynamic_axes={"tokens": {0: "batch", 1: "length"}, **{name: {0: "batch"} for name in OUTPUTS}},
        opset_version=17,
        dynamo=False,
    )
    quant_pre_process(str(plain), str(work / "model-folded.onnx"), skip_symbolic_shape=True)
    quantize_dynamic(
        str(work / "model-folded.onnx"),
        str(target),
        op_types_to_quantize=["MatMul"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=_last_products(work / "model-folded.onnx"),
    )
    attention_with_its_product(target)


def _last_products(path: Path) -> list[str]:
    """The products that make logits, by their weights: no runtime or optimiser keeps the names of nodes."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph

    def last(name: str) -> bool:
        return name.startswith("outputs.") and ".inner." not in name and not name.startswith("outputs.embedding.")

    names = [node.name for node in graph.node if any(last(name) for name in node.input)]
    # The quantiser makes a MatMul and an Add of a Gemm first, and gives the former a new name.
    return [*names, *(f"{name}_MatMul" for name in names)]


def run(chosen: argparse.Namespace) -> None:
    """Fit, export, calibrate, write the folder."""
    torch.set_num_threads(chosen.threads)
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    examples, checked = training(chosen.data, permissive=chosen.permissive), validation(chosen.data)
    trained = load(chosen)
    heads, findings = fit_heads(trained, examples, review_bombing(chosen.data), chosen.texts)
    (chosen.work_folder / "findings.json").write_text(json.dumps(findings, indent=1) + "\n", encoding="utf-8")
    table = fit_wide(trained.tokenizer, examples)
    looked_through = texts_of_all_languages(examples, SMOOTHING_TEXTS, np.random.default_rng(0))
    smoothing = smoothing_of(trained.network.backbone, trained.tokenizer, looked_through)
    spread = spread_of(features_of(trained.network.backbone, trained.tokenizer, looked_through))
    write_graph(trained, heads, table, smoothing, spread, chosen.work_folder, folder / "model.onnx")
    shutil.copyfile(chosen.work_folder / "tokenizer.json", folder / "tokenizer.json")
    digest = hashlib.sha256((folder / "model.onnx").read_bytes() + (folder / "tokenizer.json").read_bytes())
    calibration = calibrate(folder, examples, checked, chosen.threads)
    digest.update(json.dumps(calibration, sort_keys=True).encode())
    config = {
        "name": NAME,
        "revision": digest.hexdigest()[:12],
        "sentiments": SENTIMENTS,
        "kinds": KINDS,
        "maximum_length": MAXIMUM_LENGTH,
        "pad_id": PAD,
        "embedding_width": trained.network.backbone.config.hidden_size,
        **calibration,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(config, indent=1))


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
