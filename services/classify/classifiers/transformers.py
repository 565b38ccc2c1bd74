"""Any Hugging Face sequence classifier, through torch (on a GPU when there is one)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.classify.batching import distinct, pack, restore
from services.classify.classifiers.answers import empty_labels, packed_embedding, softmax
from services.classify.classifiers.port import ClassifierUnavailableError, HarmfulRate, Labels, Thresholds
from services.classify.classifiers.preparation import prepare
from tocsin.contracts.settings.services import SENTIMENT_OF_LABEL

MAXIMUM_LENGTH = 128
SENTIMENTS = ("negative", "neutral", "positive")

_WORDS = {
    **SENTIMENT_OF_LABEL,
    "neg": "negative", "neu": "neutral", "pos": "positive", "very negative": "negative", "very positive": "positive",
}  # fmt: skip


class TransformersClassifier:
    """A sentiment classifier by its name on a hub or by its folder.

    Such a network knows sentiment only. What it lacks is filled in so that the rest of the house works, and no better:
    risk is the probability of *negative*, kinds are none, toxicity is 0, relevance is 1, the rates are unknown (tpr 1,
    fpr 0: detection corrects nothing). The embedding is the mean of its last layer, as wide as that layer.
    Labels are understood by name (negative/neutral/positive, 1–5 stars) or, when there are just three without names
    (LABEL_0…), in the order negative, neutral, positive; `labels` says it where the network does not.
    Raises ClassifierUnavailableError without torch, without the network or a part of it, and with labels that mean no
    sentiment: never does it go on with weights or labels that nobody gave.
    """

    def __init__(
        self,
        name: str,
        threads: int = 0,
        token_budget: int = 1024,
        *,
        revision: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        try:
            import torch
            import transformers  # noqa: F401
        except ImportError as error:
            raise ClassifierUnavailableError(
                f"classifier transformers:{name} needs torch and transformers: pip install 'tocsin[torch]'"
            ) from error
        self._tokenizer, network = _opened(name, revision)
        self._columns = _columns(network.config.id2label, name, labels or {})
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
        return Thresholds(risk=0.5, relevance=0.5, toxicity=0.5, kinds={})

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


def _opened(name: str, revision: str | None) -> tuple[Any, Any]:
    """Tokenizer and network, complete and fitting each other. A folder has no revisions to choose from, a hub has."""
    import transformers

    at_hub = {} if Path(name).is_dir() else {"revision": revision}
    asked = f"{name!r}" if revision is None else f"{name!r}, revision {revision!r}"
    try:
        network, loading = transformers.AutoModelForSequenceClassification.from_pretrained(
            name, output_loading_info=True, **at_hub
        )
    except (
        Exception
    ) as error:  # a cut-off file raises safetensors' or pickle's own error, a size that differs RuntimeError
        raise ClassifierUnavailableError(
            f"no sequence classifier at {asked}: {type(error).__name__}: {error}. Give a name and revision on a hub that this "
            "machine can reach, or a folder that holds the whole network and its tokenizer"
        ) from error
    absent = sorted(loading["missing_keys"])
    if absent:
        raise ClassifierUnavailableError(
            f"{name} lacks weights that a sequence classifier needs ({', '.join(absent[:3])}): it would answer at random. "
            "Give a network that was trained to classify, not a bare encoder"
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **at_hub)
        pieces = len(tokenizer)
        if pieces <= len(tokenizer.all_special_ids):  # made up by the library where there is no file
            raise ValueError(f"it knows no piece of a text, only {', '.join(tokenizer.all_special_tokens)}")
    except Exception as error:  # of many kinds, with the files' many formats
        raise ClassifierUnavailableError(
            f"no tokenizer at {asked}: {type(error).__name__}: {error}. Save it beside the network: "
            "tokenizer.save_pretrained(folder)"
        ) from error
    room = network.get_input_embeddings().num_embeddings
    if pieces > room or not pieces:
        raise ClassifierUnavailableError(
            f"the tokenizer of {name} has {pieces} pieces and the network room for {room}: they do not belong together. "
            "Take both from one network"
        )
    if at_hub == {} and revision is not None and revision != (actual := _revision(network)):
        raise ClassifierUnavailableError(
            f"the weights in {name} are revision {actual}, and `classifier.revision` asks for {revision}. "
            "Take that network, or take the line out of the configuration"
        )
    return tokenizer, network


def _columns(names: Mapping[int, str], network: str, given: Mapping[str, str]) -> NDArray[np.float64]:
    """The matrix [labels of the network, 3] that adds its labels up to negative, neutral, positive."""
    if given and set(given) != set(names.values()):
        raise ClassifierUnavailableError(
            f"`classifier.labels` maps {', '.join(sorted(given))}, and the labels of {network} are {', '.join(names.values())}: "
            "map each of these, and no other"
        )
    told = {number: given.get(label, label) for number, label in names.items()}
    ordered = [told[number].strip().lower().replace("_", " ") for number in sorted(told)]
    if len(ordered) == len(SENTIMENTS) and all(re.fullmatch(r"label \d", each) for each in ordered):
        ordered = list(SENTIMENTS)
    known = [_WORDS.get(each) for each in ordered]
    if None in known or not {"negative", "positive"} <= set(known):
        raise ClassifierUnavailableError(
            f"{network} does not classify sentiment: its labels are {', '.join(names.values())}. Give a network with the labels "
            "negative, neutral and positive, or 1 to 5 stars, or say in `classifier.labels` what each of them means"
        )
    return np.array([[float(each == sentiment) for sentiment in SENTIMENTS] for each in known])


def _revision(network: Any) -> str:
    """A short hash over the names and values of all parameters."""
    digest = hashlib.sha256()
    for name, parameter in network.state_dict().items():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]
