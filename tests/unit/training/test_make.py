"""The order of the stages of `make model`: each finds what it reads, and a second call does nothing twice."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.requirements import require_training

require_training()

from models import make
from models.recipe import FROM_BACKBONE

RUN_FILES = ("tokenizer.json", "vocabulary_rows.json")


class Stages:
    """Stands in for every stage: insists on what the real one reads, writes what it writes, and learns nothing."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.options: dict[str, argparse.Namespace] = {}

    def train(self, chosen: argparse.Namespace) -> None:
        work = chosen.work_folder
        self.calls[f"train {work.name}"] += 1
        self.options[work.name] = chosen
        for given in (chosen.teacher, chosen.memory, chosen.weights, chosen.tokenizer):
            assert given is None or given.is_file()
        if chosen.start is not None:
            assert (chosen.start / "best.pt").is_file() or (chosen.start / "model.onnx").is_file()
            assert (chosen.start / "tokenizer.json").is_file()
        work.mkdir(parents=True)
        for name in ("best.pt", "evaluation-1.pt", "evaluation-2.pt", *RUN_FILES):
            (work / name).touch()
        (work / "log.jsonl").write_text(json.dumps({"step": 7, "minutes": 1.5}) + "\n")

    def average(self, chosen: argparse.Namespace) -> None:
        self.calls[f"average {chosen.output.name}"] += 1
        for checkpoint in chosen.checkpoints:
            assert checkpoint.is_file() or (checkpoint / "model.onnx").is_file()
        chosen.output.mkdir(parents=True, exist_ok=True)
        for name in RUN_FILES:
            assert (chosen.checkpoints[0].parent / name).is_file()
            (chosen.output / name).touch()
        (chosen.output / "best.pt").touch()

    def teacher(self, chosen: argparse.Namespace) -> None:
        self.calls["soft labels"] += 1
        for work in chosen.work_folders:
            assert (work / "best.pt").is_file() or (work / "model.onnx").is_file()
        chosen.output.touch()

    def memory(self, chosen: argparse.Namespace) -> None:
        self.calls["memory"] += 1
        assert all((chosen.work_folder / name).is_file() for name in RUN_FILES)
        chosen.output.touch()

    def export(self, chosen: argparse.Namespace) -> None:
        self.calls["export"] += 1
        assert all((chosen.work_folder / name).is_file() for name in ("best.pt", *RUN_FILES))
        chosen.folder.mkdir(parents=True, exist_ok=True)
        for name in make.FILES:
            (chosen.folder / name).write_text("new")

    def evaluate(self, chosen: argparse.Namespace) -> None:
        (chosen.folder / "metrics.json").write_text(json.dumps({"sentiment_macro_f1": {"mean": self.reached}}))

    reached = 70.0


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    stages = Stages()
    for name in ("train", "average", "teacher", "memory", "export", "evaluate"):
        monkeypatch.setattr(f"models.make.{name}.run", getattr(stages, name))
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in make.FILES:
        (shipped / name).write_text("old")
    (shipped / "metrics.json").write_text(json.dumps({"sentiment_macro_f1": {"mean": 66.0}}))
    monkeypatch.setattr(make, "SHIPPED", shipped)
    monkeypatch.setattr(make, "write_card", lambda folder: None)
    for name in (make.WEIGHTS, make.TOKENIZER):
        (tmp_path / "backbone" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "backbone" / name).touch()
    for folder in ("sentiment", "risk", "streams"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / "some.jsonl").touch()
    return stages


def made(tmp_path: Path, *options: str) -> int:
    folders = ["--data", "data", "--work-folder", "work", "--backbone", "backbone"]
    named = [each if each.startswith("--") else str(tmp_path / each) for each in folders]
    return make.run(make.arguments([*named, *options]))


@pytest.mark.parametrize("start", ["backbone", "shipped"])
def test_every_stage_finds_what_it_reads_and_the_better_network_takes_the_place(
    stages: Stages, tmp_path: Path, start: str
) -> None:
    assert made(tmp_path, "--start", start) == 0
    assert (tmp_path / "shipped/model.onnx").read_text() == "new"
    assert ("train backbone" in stages.calls) == (start == "backbone")
    assert set(stages.calls.values()) == {1}


def test_the_same_call_again_trains_nothing_twice(stages: Stages, tmp_path: Path) -> None:
    made(tmp_path)
    trained = {name: count for name, count in stages.calls.items() if name.startswith("train")}
    made(tmp_path)
    assert {name: count for name, count in stages.calls.items() if name.startswith("train")} == trained


def test_a_network_that_is_no_better_is_kept_aside(stages: Stages, tmp_path: Path) -> None:
    stages.reached = 65.0
    assert made(tmp_path, "--start", "shipped") == 1
    assert (tmp_path / "shipped/model.onnx").read_text() == "old"
    assert (tmp_path / "work/candidate/model.onnx").read_text() == "new"


def test_the_permissive_training_leaves_its_figures_and_no_network(stages: Stages, tmp_path: Path) -> None:
    assert made(tmp_path, "--permissive") == 0
    assert (tmp_path / "shipped/model.onnx").read_text() == "old"
    figures = json.loads((tmp_path / "shipped/permissive.json").read_text())
    assert figures["training"] == {"step": 7, "minutes": 1.5}
    assert all(options.permissive for options in stages.options.values())


def test_all_minutes_are_multiplied_in_a_rehearsal(stages: Stages, tmp_path: Path) -> None:
    made(tmp_path, "--minutes", "0.5")
    assert stages.options["backbone"].minutes == pytest.approx(0.5 * FROM_BACKBONE.minutes)
