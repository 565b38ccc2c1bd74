"""Any Hugging Face sequence classifier, through torch (on a GPU when there is one)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.classify.batching import distinct, pack, restore
from services.classify.classifiers.answers import empty_labels, packed_embedding, softmax
from services.classify.classifiers.port import ClassifierUnavailableError, HarmfulRate, Labels, Thresholds
from services.classify.classifiers.preparation import prepare

MAXIMUM_LENGTH = 128
SENTIMENTS = ("negative", "neutral", "positive")

_WORDS = {
    "negative": "negative", "neg": "negative", "neutral": "neutral", "neu": "neutral",
    "positive": "positive", "pos": "positive",
    "1 star": "negative", "2 stars": "negative", "3 stars": "neutral", "4 stars": "positive", "5 stars": "positive",
    "very negative": "negative", "very positive": "positive",
}  # fmt: skip


class TransformersClassifier:
    """A sentiment classifier by its name on a hub or by its folder.

    Such a network knows sentiment only. What it lacks is filled in so that the rest of the house works, and no better:
    risk is the probability of *negative*, kinds are none, toxicity is 0, relevance is 1, the rates are unknown (tpr 1,
    fpr 0: detection corrects nothing). The embedding is the mean of its last layer, as wide as that layer.
    Labels are understood by name (negative/neutral/positive, 1–5 stars) or, when there are just three without names
    (LABEL_0…), in the order negative, neutral, positive.
    Raises ClassifierUnavailableError without torch, without the network, or with labels that mean no sentiment.
    """

    def __init__(self, name: str, threads: int = 0, token_budget: int = 2048) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise ClassifierUnavailableError(
                f"classifier transformers:{name} needs torch and transformers: pip install 'tocsin[torch]'"
            ) from error
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
            network: Any = transformers.AutoModelForSequenceClassification.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise ClassifierUnavailableError(
                f"no sequence classifier at {name!r}: {error}. Give a name on a hub that this machine can reach, "
                "or a folder that holds the network and its tokenizer"
            ) from error
        self._columns = _columns(network.config.id2label, name)
        self._torch: Any = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if threads:
            torch.set_num_threads(threads)
        self._network = network.to(self._device).eval()
        self._name = name
        self._revision = _revision(network)
        self._length = min(MAXIMUM_LENGTH, int(self._tokenizer.model_max_length))
        self._budget = token_budget

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self._name

    @property
    def revision(self) -> str:
        """Hash of the network's weights."""
        return self._revision

    @property
    def thresholds(self) -> Thresholds:
        """The even ones: nothing was measured for this network."""
        return Thresholds(risk=0.5, relevance=0.5, toxicity=0.5, kinds=0.5)

    @property
    def harmful_rates(self) -> Mapping[str, HarmfulRate]:
        """Unknown: those of a perfect classifier, so that counts stay as they are."""
        return {"default": HarmfulRate(tpr=1.0, fpr=0.0)}

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """See `Classifier.classify`."""
        unique, positions = distinct([prepare(text) for text in texts])
        spoken = [text for text in unique if text]
        labels = dict(zip(spoken, self._labels_of(spoken), strict=True))
        labels[""] = empty_labels(int(self._network.config.hidden_size))
        return [labels[unique[position]] for position in positions]

    def _labels_of(self, texts: list[str]) -> list[Labels]:
        if not texts:
            return []
        ids = self._tokenizer(texts, truncation=True, max_length=self._length)["input_ids"]
        batches = pack([len(each) for each in ids], self._budget)
        return restore(batches, [self._pass([ids[i] for i in batch]) for batch in batches])

    def _pass(self, ids: list[list[int]]) -> list[Labels]:
        padded = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self._device)
        with self._torch.inference_mode():
            answer = self._network(**padded, output_hidden_states=True)
            mask = padded["attention_mask"].unsqueeze(-1)
            pooled = (answer.hidden_states[-1] * mask).sum(1) / mask.sum(1)
        logits: NDArray[np.float32] = answer.logits.float().cpu().numpy()
        scores = softmax(logits) @ self._columns
        embeddings = packed_embedding(pooled.float().cpu().numpy())
        return [
            Labels(
                sentiment=dict(zip(SENTIMENTS, row, strict=True)),
                risk=row[0],
                kinds=(),
                toxicity=0.0,
                relevance=1.0,
                embedding=embedding,
            )
            for row, embedding in zip(scores.tolist(), embeddings, strict=True)
        ]


def _columns(names: Mapping[int, str], network: str) -> NDArray[np.float64]:
    """The matrix [labels of the network, 3] that adds its labels up to negative, neutral, positive."""
    ordered = [names[number].strip().lower().replace("_", " ") for number in sorted(names)]
    if len(ordered) == len(SENTIMENTS) and all(re.fullmatch(r"label \d", each) for each in ordered):
        ordered = list(SENTIMENTS)
    known = [_WORDS.get(each) for each in ordered]
    if None in known or not {"negative", "positive"} <= set(known):
        raise ClassifierUnavailableError(
            f"{network} does not classify sentiment: its labels are {', '.join(names.values())}. "
            "Give a network with the labels negative, neutral and positive, or 1 to 5 stars"
        )
    return np.array([[float(each == sentiment) for sentiment in SENTIMENTS] for each in known])


def _revision(network: Any) -> str:
    """A short hash over the names and values of all parameters."""
    digest = hashlib.sha256()
    for name, parameter in network.state_dict().items():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]
