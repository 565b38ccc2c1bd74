"""Turns a trained checkpoint into what ships: int8 ONNX, tokenizer, config.json with calibration and thresholds.

`python -m models.export DATA --work-folder WORK --weights e5-small-q4.bin --folder models/tocsin-e5`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from tokenizers import Tokenizer
from transformers import BertModel

from models.backbone import hub_backbone, packed_backbone
from models.data import LANGUAGES, SENTIMENTS, SET_NAMES, TARGET, TOXICITY_SETS, Example, training, validation
from models.exported import OUTPUTS, ExportedNetwork
from models.heads import (
    Linear,
    embedded,
    features_of,
    fit_embedding,
    fit_kinds,
    fit_risk,
    inputs_of,
    layer_means,
    risk_rows,
)
from models.network import Network
from models.prototypes import KINDS, prototypes
from models.train import MAXIMUM_LENGTH, PAD, encode
from services.classify.batching import pack

NAME = "tocsin-e5"
CALM_LET_THROUGH = 0.09
"""Of calm mentions, with risk at or above its threshold: the promise is one in ten."""

Outputs = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Trained:
    """A checkpoint with what belongs to it."""

    network: Network
    pretrained: BertModel
    tokenizer: Tokenizer


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work-folder", type=Path, required=True, help="where models/train.py left best.pt")
    parser.add_argument("--weights", type=Path, help="the packed backbone that was trained on")
    parser.add_argument("--backbone", help="or its name on a model hub")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / NAME)
    parser.add_argument("--texts", type=int, default=12_000, help="texts that the embedding is fitted on")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(argv)
    if (chosen.weights is None) == (chosen.backbone is None):
        parser.error("give one of --weights and --backbone")
    return chosen


def load(chosen: argparse.Namespace) -> Trained:
    """The best checkpoint of a training run."""
    work: Path = chosen.work_folder
    rows = json.loads((work / "vocabulary_rows.json").read_text())

    def backbone() -> BertModel:
        return packed_backbone(chosen.weights, rows) if chosen.weights else hub_backbone(chosen.backbone, rows)

    network = Network(backbone())
    network.load_state_dict(torch.load(work / "best.pt", weights_only=True))
    network.eval()
    return Trained(network, backbone().eval(), Tokenizer.from_file(str(work / "tokenizer.json")))


def fit_heads(trained: Trained, examples: list[Example], texts: int) -> dict[str, Linear]:
    """Every head of the exported network: some from training, some fitted here (see `models/heads.py`)."""
    random = np.random.default_rng(0)
    network, tokenizer = trained.network, trained.tokenizer
    sentences = prototypes()
    general = _texts_of_all_languages(examples, texts, random)
    rows = risk_rows(examples, 600, random)
    features = features_of(network.backbone, tokenizer, general)
    depth = trained.pretrained.config.num_hidden_layers
    wanted = layer_means(trained.pretrained, tokenizer, [f"query: {text}" for text in general], (depth,))[depth]
    embedding = fit_embedding(features, wanted / np.linalg.norm(wanted, axis=1, keepdims=True))
    own_features = features_of(network.backbone, tokenizer, [s.text for s in sentences])
    own = inputs_of(own_features, embedding)
    labelled = inputs_of(features_of(network.backbone, tokenizer, [r.text for r in rows]), embedding)
    _report_kinds(own, embedded(embedding, own_features))
    toxic = [SET_NAMES.index(name) for name, _, _ in TOXICITY_SETS]
    return {
        "embedding": embedding,
        "kinds": fit_kinds(own, sentences),
        "risk": fit_risk(labelled, rows, own, sentences),
        "sentiment": Linear(
            _array(network.sentiment.weight), _array(network.sentiment_bias.weight)[SET_NAMES.index(TARGET)]
        ),
        "toxicity": Linear(_array(network.toxicity.weight), _array(network.toxicity_bias.weight)[toxic].mean(0)),
        "relevance": Linear(_array(network.relevance.weight), _array(network.relevance.bias)),
    }


def _texts_of_all_languages(examples: list[Example], count: int, random: np.random.Generator) -> list[str]:
    by_language: dict[str, list[str]] = {}
    for example in examples:
        by_language.setdefault(example.language, []).append(example.text)
    share = count // len(by_language)
    return [
        texts[n] for _, texts in sorted(by_language.items()) for n in random.permutation(len(texts))[:share].tolist()
    ]


def _report_kinds(inputs: NDArray[np.float32], embeddings: NDArray[np.float32]) -> None:
    """Print how well kinds are told on scenes that were left out, and how well the embedding finds a scene again."""
    sentences = prototypes()
    numbers = sorted({s.scene.rpartition("-")[2] for s in sentences})
    folds = np.array([numbers.index(s.scene.rpartition("-")[2]) % 4 for s in sentences])
    risky = [s.risky for s in sentences]
    hits = []
    for fold in range(4):
        out = folds == fold
        head = fit_kinds(inputs[~out], [s for s, o in zip(sentences, out, strict=True) if not o])
        found = (inputs[out] @ head.weights.T + head.bias).argmax(1)
        left = [s for s, o in zip(sentences, out, strict=True) if o]
        hits += [KINDS[f] == s.kind for f, s in zip(found, left, strict=True) if s.risky]
    told = np.array(["single" not in s.scene for s in sentences])
    language = np.array([s.language for s in sentences])[told]
    scene = np.array([s.scene for s in sentences])[told]
    closeness = embeddings[told] @ embeddings[told].T
    closeness[language[:, None] == language[None]] = -1
    again = float(np.mean(scene[closeness.argmax(1)] == scene))
    print(f"kinds on left-out scenes: {np.mean(hits):.1%} of {sum(risky)}; same scene in another language: {again:.1%}")


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().numpy().copy()
    return array


def write_graph(trained: Trained, heads: dict[str, Linear], work: Path, target: Path) -> None:
    """Export, fold constants, and quantise the matrix products of the encoder to int8; the heads stay float32."""
    module = ExportedNetwork(trained.network.backbone, heads, PAD).eval()
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
        nodes_to_exclude=_head_nodes(work / "model-folded.onnx"),
    )


def _head_nodes(path: Path) -> list[str]:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    return [node.name for node in graph.node if "/outputs." in node.name]


def raw_outputs(folder: Path, texts: Sequence[str], threads: int) -> Outputs:
    """The graph's outputs for prepared texts, before calibration."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    ids = encode(Tokenizer.from_file(str(folder / "tokenizer.json")), texts)
    collected: dict[str, list[NDArray[np.float32]]] = {name: [] for name in OUTPUTS}
    batches = pack([len(each) for each in ids], 2048)
    for batch in batches:
        tokens = np.full((len(batch), max(len(ids[i]) for i in batch)), PAD, np.int64)
        for row, index in zip(tokens, batch, strict=True):
            row[: len(ids[index])] = ids[index]
        for name, answer in zip(OUTPUTS, session.run(list(OUTPUTS), {"tokens": tokens}), strict=True):
            collected[name].append(answer)
    order = np.argsort(np.concatenate([np.array(batch) for batch in batches]))
    return {name: np.concatenate(answers)[order] for name, answers in collected.items()}


def calibrate(folder: Path, examples: list[Example], checked: list[Example], threads: int) -> dict[str, Any]:
    """Temperatures, thresholds and harmful rates of an exported graph, on validation and held-out texts."""
    held = _held_out(examples, 250)
    there = raw_outputs(folder, [e.text for e in checked], threads)
    held_out = raw_outputs(folder, [e.text for e in held], threads)
    truth = np.array([e.sentiment for e in checked])
    temperatures = {"sentiment": _temperature(lambda t: _class_loss(there["sentiment"] / t, truth)), "kinds": 1.0}
    scores: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for head in ("risk", "toxicity", "relevance"):
        labels = np.array([np.nan if getattr(e, head) is None else getattr(e, head) for e in held])
        known = ~np.isnan(labels)
        logits = held_out[head][known].astype(np.float64)
        temperatures[head] = _temperature(partial(_binary_loss_at, logits, labels[known]))
        scores[head] = (_sigmoid(logits / temperatures[head]), labels[known])
    calm = truth != SENTIMENTS.index("negative")
    risk = _sigmoid(there["risk"].astype(np.float64) / temperatures["risk"])
    let_through = 1 - CALM_LET_THROUGH
    thresholds = {
        "risk": max(
            float(np.quantile(risk[calm], let_through)),
            float(np.quantile(scores["risk"][0][scores["risk"][1] == 0], let_through)),
        ),
        "relevance": float(np.quantile(scores["relevance"][0][scores["relevance"][1] == 1], 0.02)),
        "toxicity": float(np.quantile(scores["toxicity"][0][scores["toxicity"][1] == 0], 0.95)),
        "kinds": float(np.quantile(_sigmoid(there["kinds"].astype(np.float64)).max(1)[calm], 0.95)),
    }
    harmful = (there["sentiment"].argmax(1) == SENTIMENTS.index("negative")) | (risk >= thresholds["risk"])
    return {
        "temperatures": {name: round(value, 4) for name, value in temperatures.items()},
        "thresholds": {name: round(value, 4) for name, value in thresholds.items()},
        "harmful_rates": harmful_rates(harmful, ~calm, [e.language for e in checked]),
    }


def _held_out(examples: list[Example], of_a_set: int) -> list[Example]:
    """The held-out examples, at most so many of a set."""
    counts: dict[str, int] = {}
    chosen = []
    for example in examples:
        if example.held_out and counts.get(example.source, 0) < of_a_set:
            counts[example.source] = counts.get(example.source, 0) + 1
            chosen.append(example)
    return chosen


def harmful_rates(
    harmful: NDArray[np.bool_], negative: NDArray[np.bool_], languages: Sequence[str]
) -> dict[str, dict[str, float]]:
    """By language and as `default`: of human-labelled negatives (tpr) and others (fpr), the share called harmful."""
    spoken = np.array(languages)
    rates = {}
    for language in (*LANGUAGES, "default"):
        inside = np.ones(len(spoken), bool) if language == "default" else spoken == language
        tpr, fpr = float(harmful[inside & negative].mean()), float(harmful[inside & ~negative].mean())
        rates[language] = {"tpr": round(tpr, 4), "fpr": round(fpr, 4)}
    return rates


def _temperature(loss: Callable[[float], float]) -> float:
    """The temperature of the least loss."""
    return float(np.exp(minimize_scalar(lambda t: loss(float(np.exp(t))), bounds=(-2, 2), method="bounded").x))


def _class_loss(logits: NDArray[np.float32], truth: NDArray[np.int_]) -> float:
    return float(-log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(truth)), truth].mean())


def _binary_loss_at(logits: NDArray[np.float64], truth: NDArray[np.float64], temperature: float) -> float:
    logits = logits / temperature
    return float(np.mean(np.logaddexp(0, logits) - truth * logits))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits))
    return probabilities


def run(chosen: argparse.Namespace) -> None:
    """Fit, export, calibrate, write the folder."""
    torch.set_num_threads(chosen.threads)
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    examples, checked = training(chosen.data), validation(chosen.data)
    trained = load(chosen)
    write_graph(trained, fit_heads(trained, examples, chosen.texts), chosen.work_folder, folder / "model.onnx")
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
