"""Puts heads that are fitted anew into the model that ships, and leaves its encoder and the other heads as they are.

`python -m models.refit DATA --work-folder WORK --folder CANDIDATE --heads tone kinds`: the encoder and the other heads of
`models/tocsin-e5` are read back and written again (the int8 weights come out the same); what is named is fitted on the shipped
encoder's features; the calibration is made anew. `tone` is toxicity, on runs of pieces as well, and the correction of sentiment.
Then measure CANDIDATE with `models/evaluate.py`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.calibration import calibrate
from models.data import training, validation
from models.export import NAME, write_graph
from models.fitting import Trained, head_of_kinds, heads_of_tone
from models.heads import features_of
from models.hidden import Linear
from models.start import shipped_heads, shipped_network, shipped_smoothing, shipped_spread, shipped_weights
from models.wide import WEIGHTS
from models.wide import fit_toxicity as fit_toxicity_table
from services.classify.classifiers.folder import revision_of


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--start", type=Path, default=Path(__file__).parent / NAME, help="the folder that is read")
    parser.add_argument("--work-folder", type=Path, required=True, help="for the graph before it is int8")
    parser.add_argument("--folder", type=Path, required=True, help="what is written")
    parser.add_argument("--heads", choices=("tone", "kinds"), nargs="+", required=True, help="what is fitted anew")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def run(chosen: argparse.Namespace) -> None:
    """Read, fit, write."""
    torch.set_num_threads(chosen.threads)
    for folder in (chosen.work_folder, chosen.folder):
        folder.mkdir(parents=True, exist_ok=True)
    weights, network = shipped_weights(chosen.start / "model.onnx"), shipped_network(chosen.start / "model.onnx")
    tokenizer = Tokenizer.from_file(str(chosen.start / "tokenizer.json"))
    tokenizer.no_padding()
    heads = shipped_heads(weights)
    examples = training(chosen.data)
    known = json.loads((chosen.start / "metrics.json").read_text(encoding="utf-8"))["at_the_fitting"]
    table = weights["wide"] / WEIGHTS

    def inputs(texts: Sequence[str]) -> NDArray[np.float32]:
        return features_of(network.backbone, tokenizer, texts)

    if "tone" in chosen.heads:
        told = heads["sentiment"]
        assert isinstance(told, Linear)
        heads |= heads_of_tone(inputs, examples, told)
        table = np.concatenate([table[:, :-1], fit_toxicity_table(tokenizer, examples)], axis=1)
    if "kinds" in chosen.heads:
        heads["kinds"], found = head_of_kinds(inputs, examples)
        known |= found
    trained = Trained(network, network.backbone, tokenizer)
    smoothing, spread = shipped_smoothing(weights), shipped_spread(weights)
    write_graph(trained, heads, table, smoothing, spread, chosen.work_folder, chosen.folder / "model.onnx")
    shutil.copyfile(chosen.start / "tokenizer.json", chosen.folder / "tokenizer.json")
    config = json.loads((chosen.start / "config.json").read_text(encoding="utf-8"))
    made = calibrate(chosen.folder, examples, validation(chosen.data), chosen.threads)
    config |= made | {"revision": revision_of(chosen.folder, made)}
    (chosen.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (chosen.work_folder / "findings.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
