"""The network that ships: an int8 ONNX graph run by ONNX Runtime, with the Rust tokenizer. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.classify.batching import distinct, pack, restore
from services.classify.classifiers.answers import empty_labels, packed_embedding, probability, shares
from services.classify.classifiers.folder import NetworkFolder, read_folder
from services.classify.classifiers.port import ClassifierUnavailableError, HarmfulRate, Labels, Thresholds
from services.classify.classifiers.preparation import prepare

_OUTPUTS = ["sentiment", "risk", "kinds", "toxicity", "relevance", "embedding"]
_PADDING = "<pad>"

_SLOWER = ["SkipLayerNormFusion"]
"""What the runtime rewrites and should not: a sum and its norm in one operation take longer than one after the other, which is 4 % of
a text alone and 10 % of a batch of 32 (models/EXPERIMENTS.md)."""


class OnnxClassifier:
    """A classifier of a folder as `models/export.py` writes it.

    `threads`: of the runtime, 0 for one a core that this process may use. `token_budget`: padded tokens a pass at most.
    Scores move with what else is in the batch, because int8 activations share a scale a batch: risk on the behavioural suite by 0.005
    in the median and 0.035 in one case of ten, and of 1,027 labels 5 were others than alone.
    Safe to call from several threads. Raises ClassifierUnavailableError when the folder is missing, incomplete or broken.
    """

    def __init__(self, folder: Path, threads: int = 0, token_budget: int = 1024, revision: str | None = None) -> None:
        found = read_folder(folder, revision)
        try:
            self._tokenizer = Tokenizer.from_file(str(found.tokenizer))
            self._session = _session(found.network, threads, spinning=False)
            self._session_for_one = _session(found.network, threads, spinning=True)
        except Exception as error:  # the tokenizer and the runtime raise plain Exceptions of their own
            raise ClassifierUnavailableError(
                f"the classifier in {folder} cannot be read ({type(error).__name__}: {error}); "
                "restore the folder's files together, or export them again with models/export.py"
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(found.maximum_length)
        self._found = found
        self._budget = token_budget
        self._least = [found.thresholds.kinds[kind] for kind in found.kinds]
        _check_graph(folder, found, self._session, self._tokenizer)

    @property
    def name(self) -> str:
        """The network's name."""
        return self._found.name

    @property
    def revision(self) -> str:
        """Hash of the network's files."""
        return self._found.revision

    @property
    def thresholds(self) -> Thresholds:
        """As chosen on held-out data at export."""
        return self._found.thresholds

    @property
    def harmful_rates(self) -> Mapping[str, HarmfulRate]:
        """As measured on validation data; see the card."""
        return self._found.rates

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """See `Classifier.classify`."""
        unique, positions = distinct([prepare(text) for text in texts])
        spoken = [text for text in unique if text]
        labels = dict(zip(spoken, self._labels_of(spoken), strict=True))
        labels[""] = empty_labels(self._found.width)
        answers = [labels[text] for text in unique]
        return [answers[position] for position in positions]

    def _labels_of(self, texts: list[str]) -> list[Labels]:
        if len(texts) == 1:  # neither the tokenizer's threads nor what packs a batch are worth waking for one text
            one = np.array([self._tokenizer.encode(texts[0]).ids], np.int64)
            return self._read(self._session_for_one.run(_OUTPUTS, {"tokens": one}))
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        batches = pack([len(each) for each in ids], self._budget)
        return restore(batches, [self._read(self._pass([ids[i] for i in batch])) for batch in batches])

    def _pass(self, ids: list[list[int]]) -> list[NDArray[np.float32]]:
        tokens = np.full((len(ids), max(map(len, ids))), self._found.pad, np.int64)
        for row, each in zip(tokens, ids, strict=True):
            row[: len(each)] = each
        session = self._session_for_one if len(ids) == 1 else self._session
        answers: list[NDArray[np.float32]] = session.run(_OUTPUTS, {"tokens": tokens})
        return answers

    def _read(self, answers: list[NDArray[np.float32]]) -> list[Labels]:
        found, temperatures, shifts = self._found, self._found.temperatures, self._found.shifts
        (risk, more_risk), (toxicity, more_toxicity), (relevance, more_relevance) = (
            (temperatures[head], shifts.get(head, 0.0)) for head in ("risk", "toxicity", "relevance")
        )
        rows = zip(*(answer.tolist() for answer in answers[:-1]), packed_embedding(answers[-1]), strict=True)
        return [
            Labels(
                sentiment=dict(zip(found.sentiments, shares(row[0], temperatures["sentiment"]), strict=True)),
                risk=probability(row[1] / risk + more_risk),
                kinds=self._kinds_above(row[2]),
                toxicity=probability(row[3] / toxicity + more_toxicity),
                relevance=probability(row[4] / relevance + more_relevance),
                embedding=row[5],
            )
            for row in rows
        ]

    def _kinds_above(self, logits: list[float]) -> tuple[tuple[str, float], ...]:
        temperature = self._found.temperatures["kinds"]
        scores = [probability(logit / temperature) for logit in logits]
        above = [
            (kind, score)
            for kind, score, least in zip(self._found.kinds, scores, self._least, strict=True)
            if score >= least
        ]
        return tuple(sorted(above, key=lambda pair: -pair[1]))


def _check_graph(folder: Path, found: NetworkFolder, session: Any, tokenizer: Tokenizer) -> None:
    """The longest pass there can be, of the tokenizer's last piece: shows whether labels, tokenizer and network fit each other."""
    padding = tokenizer.token_to_id(_PADDING)
    if padding is not None and padding != found.pad:
        raise ClassifierUnavailableError(
            f"{folder / 'config.json'}: `pad_id` is {found.pad}, and {_PADDING} is piece {padding} of its tokenizer: what only fills "
            "a batch up would be read as text. Take both from one export"
        )
    last = np.full((1, found.maximum_length), tokenizer.get_vocab_size() - 1, np.int64)
    last[0, -1] = found.pad
    try:
        answers = dict(zip(_OUTPUTS, session.run(_OUTPUTS, {"tokens": last}), strict=True))
    except Exception as error:  # the runtime's own, of many kinds
        raise ClassifierUnavailableError(
            f"the network in {folder} does not take what its tokenizer makes, not {found.maximum_length} pieces at once, or lacks "
            f"an output ({error}); take both from one export"
        ) from error
    wide = {"sentiment": len(found.sentiments), "kinds": len(found.kinds), "embedding": found.width}
    wrong = [
        f"{head} has {answers[head].shape[-1]}, not {width}"
        for head, width in wide.items()
        if answers[head].shape[-1] != width
    ]
    if wrong:
        raise ClassifierUnavailableError(
            f"the network in {folder} and its config.json differ in the number of outputs: {'; '.join(wrong)}. "
            "Take both from one export"
        )


def _session(path: Path, threads: int, *, spinning: bool) -> Any:
    """A session whose threads wait for each other's part by spinning, or asleep.

    Asleep is kinder to the other processes of the house, and half as fast again where they keep the cores busy. But a single
    text's parts are so short that waking takes a third of the time: for it they spin, while it runs and no longer.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
    )


def _cores() -> int:
    """Cores that this process may use; where the system cannot tell, all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
