"""Temperatures, thresholds and harmful rates of an exported graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from tokenizers import Tokenizer

from models.batches import PAD, encode
from models.data import LANGUAGES, SENTIMENTS, Example
from models.exported import OUTPUTS
from services.classify.batching import pack

CALM_LET_THROUGH = 0.09
"""Of calm mentions, with risk at or above its threshold: the promise is one in ten."""

PREVALENCE = 0.05
"""Share of mentions that are a risk, in a stream about a brand on a usual day; the risk threshold is chosen for it."""

Outputs = dict[str, NDArray[np.float32]]


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


CALM_WITHOUT_A_KIND = 0.98
"""The share of calm mentions that are to be of no kind of risk. A kind chooses a playbook once many mentions of a story have it, and
wakes nobody by itself; with 0.99 the hand-written kinds' macro-F1 was 0.027 lower, by which it was chosen."""


def calibrate(folder: Path, examples: list[Example], checked: list[Example], threads: int) -> dict[str, Any]:
    """Temperatures, thresholds and harmful rates of an exported graph, on validation and held-out texts."""
    held = _held_out(examples, 250)
    there = raw_outputs(folder, [e.text for e in checked], threads)
    held_out = raw_outputs(folder, [e.text for e in held], threads)
    truth = np.array([e.sentiment for e in checked])
    temperatures = {"sentiment": _temperature(lambda t: _class_loss(there["sentiment"] / t, truth)), "kinds": 1.0}
    shifts: dict[str, float] = {}
    scores: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for head in ("risk", "toxicity", "relevance"):
        labels = np.array([np.nan if getattr(e, head) is None else getattr(e, head) for e in held])
        known = ~np.isnan(labels)
        logits = held_out[head][known].astype(np.float64)
        if head == "risk":
            temperatures[head], shifts[head] = temperature_and_shift(logits, labels[known])
        else:
            temperatures[head] = _temperature(partial(_binary_loss_at, logits, labels[known]))
        scores[head] = (_sigmoid(logits / temperatures[head] + shifts.get(head, 0.0)), labels[known])
    calm = truth != SENTIMENTS.index("negative")
    risk = _sigmoid(there["risk"].astype(np.float64) / temperatures["risk"] + shifts["risk"])
    let_through = 1 - CALM_LET_THROUGH
    risky, quiet = (scores["risk"][0][scores["risk"][1] == label] for label in (1, 0))
    thresholds = {
        "risk": max(
            threshold_at(PREVALENCE, risky, np.concatenate([quiet, risk[calm]])),
            *(float(np.quantile(each, let_through)) for each in (risk[calm], quiet)),
        ),
        "relevance": float(np.quantile(scores["relevance"][0][scores["relevance"][1] == 1], 0.02)),
        "toxicity": float(np.quantile(scores["toxicity"][0][scores["toxicity"][1] == 0], 0.95)),
        "kinds": float(np.quantile(_sigmoid(there["kinds"].astype(np.float64)).max(1)[calm], CALM_WITHOUT_A_KIND)),
    }
    harmful = (there["sentiment"].argmax(1) == SENTIMENTS.index("negative")) | (risk >= thresholds["risk"])
    return {
        "temperatures": {name: round(value, 4) for name, value in temperatures.items()},
        "shifts": {name: round(value, 4) for name, value in shifts.items()},
        "thresholds": {name: round(value, 4) for name, value in thresholds.items()},
        "harmful_rates": harmful_rates(harmful, ~calm, [e.language for e in checked]),
    }


def threshold_at(prevalence: float, risky: NDArray[np.float64], calm: NDArray[np.float64]) -> float:
    """The threshold of the best F1 where so small a share of all is risky; the scores come from samples with more of it."""
    candidates = np.unique(np.concatenate([risky, calm]).round(3))
    tpr, fpr = ((each[None] >= candidates[:, None]).mean(1) for each in (risky, calm))
    found = prevalence * tpr
    f1 = 2 * found / (found + (1 - prevalence) * fpr + prevalence)
    return float(candidates[f1.argmax()])


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


def temperature_and_shift(logits: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """What a logit is to be divided by, and what is then to be added, so that the loss is least (Platt 1999).

    The risk head is fitted with both sides as heavy as each other, which they are in no set.
    """

    def loss(parts: NDArray[np.float64]) -> float:
        return _binary_loss_at(logits / np.exp(parts[0]) + parts[1], truth, 1.0)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(found[0])), float(found[1])


def _binary_loss_at(logits: NDArray[np.float64], truth: NDArray[np.float64], temperature: float) -> float:
    logits = logits / temperature
    return float(np.mean(np.logaddexp(0, logits) - truth * logits))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits))
    return probabilities
