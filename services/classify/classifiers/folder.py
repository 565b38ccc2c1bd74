"""A folder that holds the network as `models/export.py` writes it, read and checked before anything is classified with it.

A wrong folder must be told at the start and in words: a network whose labels are in another order, or whose tokenizer belongs to
another one, would otherwise answer wrongly for as long as nobody looks.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.classify.classifiers.port import ClassifierUnavailableError, HarmfulRate, Thresholds
from tocsin.contracts.events import RiskKind, SentimentLabel

FILES = ("model.onnx", "tokenizer.json", "config.json")
"""What a folder must hold; `models/export.py` writes them."""

_MEND = "restore the folder's files together, or export them again with models/export.py"
_UNCALIBRATED = (
    "name",
    "revision",
    "sentiments",
    "kinds",
    "maximum_length",
    "pad_id",
    "embedding_width",
)
"""Keys of config.json that are no part of the calibration, which the revision covers beside the two files."""
_KEYS = (*_UNCALIBRATED, "temperatures", "thresholds", "harmful_rates")
_SHIFTED = ("risk", "toxicity", "relevance")
"""Heads that answer yes or no."""
_HUGGING_FACE = "for a network of Hugging Face, a name or a folder, write `kind: transformers` beside `model`"


@dataclass(frozen=True, slots=True)
class NetworkFolder:
    """What config.json says, and where the two other files are."""

    network: Path
    tokenizer: Path
    name: str
    revision: str
    sentiments: tuple[str, ...]
    kinds: tuple[str, ...]
    temperatures: Mapping[str, float]
    shifts: Mapping[str, float]
    """What is added to a head's logit after it is divided by its temperature; 0 for a head that is not named."""
    thresholds: Thresholds
    rates: Mapping[str, HarmfulRate]
    pad: int
    width: int
    maximum_length: int


def read_folder(folder: Path, wanted_revision: str | None = None) -> NetworkFolder:
    """The folder, if its files are there, say what they must, and belong together.

    `wanted_revision`: the one that the configuration insists on. Raises ClassifierUnavailableError.
    """
    _check_files(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        _check_keys(folder, config)
        found = _read(folder, config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClassifierUnavailableError(
            f"{folder / 'config.json'} cannot be read ({type(error).__name__}: {error}); {_MEND}"
        ) from error
    _check_labels(folder, found)
    _check_numbers(folder, found)
    _check_revision(folder, config, found, wanted_revision)
    return found


def revision_of(folder: Path, calibration: Mapping[str, Any]) -> str:
    """The revision of a folder's network, tokenizer and calibration; any of them changed makes another one."""
    digest = hashlib.sha256((folder / "model.onnx").read_bytes())
    digest.update((folder / "tokenizer.json").read_bytes())
    digest.update(json.dumps(calibration, sort_keys=True).encode())
    return digest.hexdigest()[:12]


def _check_files(folder: Path) -> None:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if not missing:
        return
    if folder.is_file():
        what = f"{folder} is a file, and the classifier is the folder with {', '.join(FILES)} in it"
    elif not folder.exists():
        what = f"there is no folder {folder}"
    else:
        what = f"{folder} holds no complete classifier: {', '.join(missing)} missing"
    raise ClassifierUnavailableError(
        f"{what}. Give a folder that models/export.py wrote, or leave `classifier.model` out to use the one that ships; "
        f"{_HUGGING_FACE}"
    )


def _check_keys(folder: Path, config: Any) -> None:
    """In words what would be a KeyError: most often the config.json is another program's."""
    if not isinstance(config, dict):
        raise ValueError("it is no JSON object")
    lacking = [key for key in _KEYS if key not in config]
    if lacking:
        also = f"; it is one of Hugging Face's: {_HUGGING_FACE}" if "model_type" in config else ""
        raise ClassifierUnavailableError(
            f"{folder / 'config.json'} cannot be read: it lacks {', '.join(f'`{key}`' for key in lacking)}{also}; {_MEND}"
        )
    parts = {"thresholds": ("risk", "relevance", "toxicity", "kinds"), "harmful_rates": (), "temperatures": ()}
    for name, keys in parts.items():
        if not isinstance(config[name], dict):
            raise ValueError(f"`{name}` is no JSON object")
        absent = [f"`{name}.{key}`" for key in keys if key not in config[name]]
        if absent:
            raise ClassifierUnavailableError(
                f"{folder / 'config.json'} cannot be read: it lacks {', '.join(absent)}; {_MEND}"
            )


def _read(folder: Path, config: Mapping[str, Any]) -> NetworkFolder:
    return NetworkFolder(
        network=folder / "model.onnx",
        tokenizer=folder / "tokenizer.json",
        name=str(config["name"]),
        revision=str(config["revision"]),
        sentiments=tuple(map(str, config["sentiments"])),
        kinds=tuple(map(str, config["kinds"])),
        temperatures={str(head): float(value) for head, value in config["temperatures"].items()},
        shifts={str(head): float(value) for head, value in config.get("shifts", {}).items()},
        thresholds=_thresholds(config["thresholds"], config["kinds"]),
        rates={k: HarmfulRate(float(v["tpr"]), float(v["fpr"])) for k, v in config["harmful_rates"].items()},
        pad=int(config["pad_id"]),
        width=int(config["embedding_width"]),
        maximum_length=int(config["maximum_length"]),
    )


def _thresholds(given: Mapping[str, Any], kinds: list[str]) -> Thresholds:
    """The thresholds; a folder written before each kind had its own says one number for all."""
    of_kinds = given["kinds"]
    if not isinstance(of_kinds, Mapping):
        of_kinds = dict.fromkeys(kinds, of_kinds)
    single = {name: float(given[name]) for name in ("risk", "relevance", "toxicity")}
    return Thresholds(**single, kinds={str(kind): float(value) for kind, value in of_kinds.items()})


def _check_labels(folder: Path, found: NetworkFolder) -> None:
    known = [kind.value for kind in RiskKind]
    for what, given, wanted in (
        ("sentiments", found.sentiments, [label.value for label in SentimentLabel]),
        ("kinds", found.kinds, known),
    ):
        if sorted(given) != sorted(wanted):
            odd = sorted(map(str, set(given) ^ set(wanted))) or ["one of them stands there twice"]
            raise ClassifierUnavailableError(
                f"{folder / 'config.json'}: `{what}` must name each of {', '.join(wanted)} once, in the order of the network's "
                f"outputs; differing: {', '.join(odd)}. Write the label map that the network was exported with, or {_MEND}"
            )
        if list(given) != wanted:
            # Every network of ours is trained in this order, and the revision does not cover it: another one would make
            # praise of anger and say nothing.
            raise ClassifierUnavailableError(
                f"{folder / 'config.json'}: `{what}` stand in another order than the network's outputs, which are "
                f"{', '.join(wanted)}, so that each score would be told of another label. Write them in that order, or {_MEND}"
            )


def _check_numbers(folder: Path, found: NetworkFolder) -> None:
    heads = ("sentiment", "risk", "kinds", "toxicity", "relevance")
    bad = [f"temperatures.{head}" for head in heads if not 0 < found.temperatures.get(head, math.nan) < math.inf]
    bad += [
        f"shifts.{head}" for head, value in found.shifts.items() if head not in _SHIFTED or not math.isfinite(value)
    ]
    bad += [
        f"thresholds.{name}"
        for name in ("risk", "relevance", "toxicity")
        if not 0 <= getattr(found.thresholds, name) <= 1
    ]
    bad += [
        f"thresholds.kinds.{kind}" for kind in found.kinds if not 0 <= found.thresholds.kinds.get(kind, math.nan) <= 1
    ]
    bad += [name for name in ("width", "maximum_length") if getattr(found, name) < 1]
    if "default" not in found.rates:
        bad.append("harmful_rates.default")
    if bad:
        raise ClassifierUnavailableError(
            f"{folder / 'config.json'}: {', '.join(bad)} is missing or no sensible number; {_MEND}"
        )


def _check_revision(folder: Path, config: Mapping[str, Any], found: NetworkFolder, wanted: str | None) -> None:
    calibration = {key: value for key, value in config.items() if key not in _UNCALIBRATED}
    actual = revision_of(folder, calibration)
    if actual != found.revision:
        raise ClassifierUnavailableError(
            f"the files in {folder} do not belong together: config.json says revision {found.revision}, they are {actual}. "
            f"A file was cut off on its way, edited, or comes from another network; {_MEND}"
        )
    if wanted is not None and wanted != found.revision:
        raise ClassifierUnavailableError(
            f"{folder} holds revision {found.revision} of {found.name}, and `classifier.revision` asks for {wanted}. "
            "Install that revision, or take the line out of the configuration"
        )
