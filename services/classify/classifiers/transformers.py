"""Any Hugging Face sequence classifier, through torch (on a GPU when there is one)."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
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
_FAINTEST = 1e-12

_WORDS = {
    **SENTIMENT_OF_LABEL,
    "neg": "negative", "negatif": "negative", "negativ": "negative", "negativo": "negative", "negativa": "negative",
    "neu": "neutral", "neutre": "neutral", "neutro": "neutral", "neutra": "neutral", "neutrale": "neutral",
    "pos": "positive", "positif": "positive", "positiv": "positive", "positivo": "positive", "positiva": "positive",
    "very negative": "negative", "very positive": "positive",
}  # fmt: skip
"""What a network may call its labels in our languages, small and without accents."""
_LONG_AND_SHORT = ("All is well, and nobody has a word to say against it. " * 40, "ok")
_POINTER = b"version https://git-lfs"
"""How a file begins that stands for a large one which was not fetched."""


class TransformersClassifier:
    """A sentiment classifier by its name on a hub or by its folder.

    Such a network knows sentiment only. What it lacks is filled in so that the rest of the house works, and no better:
    risk is the probability of *negative*, kinds are none, toxicity is 0, relevance is 1, the rates are unknown (tpr 1,
    fpr 0: detection corrects nothing). The embedding is the mean of its last layer, as wide as that layer.
    Labels are understood by name (negative/neutral/positive, also in French, German, Spanish, Italian and Portuguese, 1–5
    stars) or, when there are just three without names (LABEL_0…), in the order negative, neutral, positive; `labels` says
    it where the network does not. Labels that do not exclude each other (`multi_label_classification`) are made to sum to 1.
    Raises ClassifierUnavailableError without torch, without the network or a part of it, with labels that mean no
    sentiment, and where a first pass fails: never does it go on with weights or labels that nobody gave.
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
        self._name = name
        self._revision = _revision(network, self._tokenizer, self._columns)
        _check_revision(name, revision, self._revision)
        self._network = network.to(self._device).eval()
        self._exclusive = network.config.problem_type != "multi_label_classification"
        self._length = min(MAXIMUM_LENGTH, int(self._tokenizer.model_max_length), _positions(network))
        self._budget = token_budget
        self._width = self._first_pass()

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self._name

    @property
    def revision(self) -> str:
        """Hash of the network's weights, its tokenizer, and what its labels are taken to mean."""
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
        labels[""] = empty_labels(self._width)
        return [labels[unique[position]] for position in positions]

    def _first_pass(self) -> int:
        """The embedding's width. A network that cannot answer, or answers no numbers, is told now and not by the first mention."""
        try:
            answers = self._labels_of(list(_LONG_AND_SHORT))
        except Exception as error:  # torch's and the network's own, of many kinds
            raise ClassifierUnavailableError(
                f"{self._name} cannot classify a text of {self._length} pieces beside a short one: {type(error).__name__}: {error}. "
                "Take network and tokenizer from one place, with a padding piece in both"
            ) from error
        if not all(math.isfinite(score) for each in answers for score in each.sentiment.values()):
            raise ClassifierUnavailableError(
                f"{self._name} answers what is no number: its weights are damaged, or were trained to nothing. Fetch it again, "
                "or give another network"
            )
        return len(answers[0].embedding)

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
            last = (answer.get("hidden_states") or answer["encoder_hidden_states"])[-1]
            pooled = (last * mask).sum(1) / mask.sum(1)
        scores = self._probabilities(answer.logits.float().cpu().numpy()) @ self._columns
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

    def _probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        if self._exclusive:
            return softmax(logits)
        each: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
        each /= np.maximum(each.sum(axis=-1, keepdims=True), _FAINTEST)
        return each


def _opened(name: str, revision: str | None) -> tuple[Any, Any]:
    """Tokenizer and network, complete and fitting each other. A folder has no revisions to choose from, a hub has."""
    import transformers

    _check_files(name)
    transformers.utils.logging.disable_progress_bar()
    in_folder = Path(name).is_dir()
    at_hub = {} if in_folder else {"revision": revision}
    asked = f"{name!r}" if in_folder or revision is None else f"{name!r}, revision {revision!r}"
    try:
        network, loading = transformers.AutoModelForSequenceClassification.from_pretrained(
            name, output_loading_info=True, ignore_mismatched_sizes=True, **at_hub
        )
    except Exception as error:  # a cut-off file raises safetensors' or pickle's own error, a hub out of reach OSError
        mend = (
            "Fetch the folder again, whole: config.json, weights, tokenizer. A file that was cut off on its way reads like this"
            if in_folder
            else "Give a name and revision on a hub that this machine can reach, or a folder that holds the whole network and its "
            "tokenizer"
        )
        raise ClassifierUnavailableError(
            f"no sequence classifier at {asked}: {type(error).__name__}: {str(error).rstrip('.')}. {mend}"
        ) from error
    _check_weights(name, loading)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **at_hub)
        pieces = len(tokenizer)
        if pieces <= len(tokenizer.all_special_ids):  # made up by the library where there is no file
            raise ValueError(f"it knows no piece of a text, only {', '.join(tokenizer.all_special_tokens)}")
    except Exception as error:  # of many kinds, with the files' many formats
        raise ClassifierUnavailableError(
            f"no tokenizer at {asked}: {type(error).__name__}: {str(error).rstrip('.')}. Save it beside the network: "
            "tokenizer.save_pretrained(folder)"
        ) from error
    room = network.get_input_embeddings().num_embeddings
    if pieces > room:
        raise ClassifierUnavailableError(
            f"the tokenizer of {name} has {pieces} pieces and the network room for {room}: they do not belong together. "
            "Take both from one network"
        )
    if tokenizer.pad_token_id is None:
        filler = network.config.pad_token_id
        if filler is None:
            raise ClassifierUnavailableError(
                f"neither the tokenizer of {name} nor its config.json names a padding piece, which fills a batch up. Set "
                "`pad_token` in its tokenizer_config.json and `pad_token_id` in config.json"
            )
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(filler)
    return tokenizer, network


def _check_files(name: str) -> None:
    """In words what can be seen without opening anything; a name that is no path is left to the hub."""
    path = Path(name)
    if path.is_file():
        raise ClassifierUnavailableError(
            f"no sequence classifier at {name!r}: it is a file. Give the folder that it lies in"
        )
    if not path.is_dir():
        if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
            raise ClassifierUnavailableError(
                f"no sequence classifier at {name!r}: there is no such folder. Give a folder that holds the whole network and its "
                "tokenizer, or the name of one on a hub"
            )
        return
    if not (path / "config.json").is_file():
        raise ClassifierUnavailableError(
            f"no sequence classifier at {name!r}: the folder holds no config.json. Save network and tokenizer there with "
            "save_pretrained(folder)"
        )
    for file in sorted(path.iterdir()):
        if file.is_file():
            with file.open("rb") as opened:
                pointer = opened.read(len(_POINTER)) == _POINTER
            if pointer:
                raise ClassifierUnavailableError(
                    f"no sequence classifier at {name!r}: {file.name} only points to the real file. Fetch that: git lfs pull"
                )


def _check_weights(name: str, loading: Mapping[str, Any]) -> None:
    absent = sorted(loading["missing_keys"])
    if absent:
        raise ClassifierUnavailableError(
            f"{name} lacks weights that a sequence classifier needs ({', '.join(absent[:3])}): it would answer at random. "
            "Give a network that was trained to classify, not a bare encoder"
        )
    differing = sorted(loading["mismatched_keys"])
    if differing:
        told = "; ".join(f"{key} is {list(saved)}, not {list(wanted)}" for key, saved, wanted in differing[:3])
        raise ClassifierUnavailableError(
            f"no sequence classifier at {name!r}: its weights are not those that its config.json describes ({told}), and its label "
            "map may be another network's. Take config.json and weights from one place"
        )


def _positions(network: Any) -> int:
    """Pieces that the network has places for; those of RoBERTa's kin begin behind the padding piece's number."""
    room = getattr(network.config, "max_position_embeddings", None)
    if not isinstance(room, int) or room < 1:  # places are told relatively: no end
        return MAXIMUM_LENGTH
    for module in network.modules():
        padding = getattr(getattr(module, "position_embeddings", None), "padding_idx", None)
        if padding is not None:
            return max(1, room - int(padding) - 1)
    return room


def _check_revision(name: str, wanted: str | None, actual: str) -> None:
    """A folder's, by its content; a hub has given what was asked for."""
    if wanted is not None and Path(name).is_dir() and wanted != actual:
        raise ClassifierUnavailableError(
            f"the network in {name} is revision {actual}, and `classifier.revision` asks for {wanted}. "
            "Take that network, or take the line out of the configuration"
        )


def _columns(names: Mapping[int, str], network: str, given: Mapping[str, str]) -> NDArray[np.float64]:
    """The matrix [labels of the network, 3] that adds its labels up to negative, neutral, positive."""
    if given and set(given) != set(names.values()):
        raise ClassifierUnavailableError(
            f"`classifier.labels` maps {', '.join(sorted(given))}, and the labels of {network} are {', '.join(names.values())}: "
            "map each of these, and no other"
        )
    ordered = [_plain(given.get(names[number], names[number])) for number in sorted(names)]
    if len(ordered) == len(SENTIMENTS) and all(re.fullmatch(r"label \d", each) for each in ordered):
        ordered = list(SENTIMENTS)
    known = [_WORDS.get(each) for each in ordered]
    if None in known or not {"negative", "positive"} <= set(known):
        raise ClassifierUnavailableError(
            f"the labels of {network} are not known to mean negative and positive: {', '.join(names.values())}. Say in "
            "`classifier.labels` what each of them means (negative, neutral, positive, or 1 star to 5 stars), such as "
            f"`labels: {{{_as_key(names[min(names)])}: negative, …}}`; or give a network that classifies sentiment"
        )
    return np.array([[float(each == sentiment) for sentiment in SENTIMENTS] for each in known])


def _as_key(label: str) -> str:
    return label if label.isidentifier() else json.dumps(label, ensure_ascii=False)


def _plain(label: str) -> str:
    """A label as `_WORDS` has it: `Négatif` is `negatif`, `5_Stars` is `5 stars`, `1 Stars` too is `1 star`."""
    decomposed = unicodedata.normalize("NFD", label.strip().lower().replace("_", " ").replace("-", " "))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"^([1-5]) stars?$", lambda found: f"{found[1]} star{'s' if found[1] != '1' else ''}", plain)


def _revision(network: Any, tokenizer: Any, columns: NDArray[np.float64]) -> str:
    """A short hash over the names and values of all parameters, the tokenizer's pieces, and the meaning of the labels."""
    digest = hashlib.sha256()
    for name, parameter in network.state_dict().items():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().float().numpy().tobytes())
    digest.update(repr(sorted(tokenizer.get_vocab().items())).encode())
    digest.update(columns.tobytes())
    return digest.hexdigest()[:12]
