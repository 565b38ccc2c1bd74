"""The whole way from an encoder to shipped files, in a world small enough for a test."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from tests.requirements import require_training

require_training()


from models import average, evaluate, export, make, refit, train, wide
from models.batches import encode
from models.calibration import raw_outputs
from models.data import training, validation
from models.exported import CORRECTION, OUTPUTS
from models.heads import features_of
from models.prototypes import prototypes
from models.start import saved_network, shipped_heads, shipped_network, shipped_weights
from services.classify.classifiers.onnx import OnnxClassifier
from tests.integration.training.workshop import write_backbone, write_data


class Workshop:
    """Folders of one trained tiny model."""

    def __init__(self, top: Path) -> None:
        self.data, self.backbone, self.work, self.folder = top / "data", top / "backbone", top / "work", top / "model"
        write_data(self.data)
        write_backbone(self.backbone)

    def train(self, work: Path, *options: str, minutes: float = 0.25) -> None:
        fixed = ["--evaluations", "2", "--threads", "1", "--batch", "16", "--rate", "3e-3", "--embedding-rate", "3e-3"]
        folders = [str(self.data), "--work-folder", str(work), "--tokenizer", str(self.backbone / "tokenizer.json")]
        # Minutes of this thread on the processor: as much is learnt where other tests or programs are busy, too.
        train.run(train.arguments([*folders, "--minutes", str(minutes), *fixed, *options]), time.thread_time)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    require_training()
    shop = Workshop(tmp_path_factory.mktemp("workshop"))
    shop.train(shop.work, "--backbone", str(shop.backbone), "--augment")
    common = [str(shop.data), "--work-folder", str(shop.work), "--folder", str(shop.folder)]
    export.run(export.arguments([*common, "--backbone", str(shop.backbone), "--texts", "400", "--threads", "1"]))
    evaluate.run(evaluate.arguments([*common, "--threads", "1"]))
    return shop


def log_of(work: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_what_the_words_say(workshop: Workshop) -> None:
    assert log_of(workshop.work)[-1]["mean"] > 80


def test_what_is_exported_is_served_and_reads_as_the_network_did(workshop: Workshop) -> None:
    lovely, awful = OnnxClassifier(workshop.folder, threads=1).classify(["banner lovely dovol", "banner awful dovol"])
    assert (lovely.label, awful.label) == ("positive", "negative")
    assert awful.toxicity > lovely.toxicity


def test_the_shipped_graph_read_back_gives_its_own_answers(workshop: Workshop) -> None:
    texts = [example.text for example in validation(workshop.data)][:60]
    network, tokenizer = saved_network(workshop.work)
    ids = encode(tokenizer, texts)
    read_back = shipped_network(workshop.folder / "model.onnx")
    again = train.sentiment_scores(read_back, ids)
    before = train.sentiment_scores(network, ids)
    beside = (wide.WEIGHTS * wide.scores(wide.fit_wide(tokenizer, training(workshop.data)), ids))[:, :-1]
    heads = shipped_heads(shipped_weights(workshop.folder / "model.onnx"))
    corrected = heads[CORRECTION](features_of(read_back.backbone, tokenizer, texts))
    served = raw_outputs(workshop.folder, texts, 1)["sentiment"]
    assert np.abs(again + beside + corrected - served).mean() < 0.1 * np.abs(served).mean()
    assert np.abs(again - before).mean() < 0.1 * np.abs(before).mean()


@pytest.mark.parametrize("heads", ["tone", "kinds"])
def test_heads_fitted_anew_leave_everything_else_as_it_is(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heads: str
) -> None:
    monkeypatch.setattr("models.fitting.prototypes", lambda: prototypes()[::10])
    folders = [
        "--start",
        str(workshop.folder),
        "--work-folder",
        str(tmp_path / "work"),
        "--folder",
        str(tmp_path / "new"),
    ]
    refit.run(refit.arguments([str(workshop.data), *folders, "--heads", heads]))
    texts = ["banner lovely dovol", "banner awful dovol"]
    outputs = [
        {name: np.concatenate([raw_outputs(folder, [text], 1)[name] for text in texts]) for name in OUTPUTS}
        for folder in (workshop.folder, tmp_path / "new")
    ]
    before, after = outputs
    # The fits are the same again, from features that int8 has rounded; risk is at least that of a kind.
    anew = {"tone": {"sentiment", "toxicity"}, "kinds": {"kinds", "risk"}}[heads]
    for name in set(OUTPUTS) - anew:
        np.testing.assert_allclose(after[name], before[name], atol=1e-3, err_msg=name)
    for name in anew - {"risk"}:
        assert np.abs(after[name] - before[name]).max() > 0, name
    assert after["toxicity"][1] > after["toxicity"][0]
    new, old = (OnnxClassifier(folder, threads=1) for folder in (tmp_path / "new", workshop.folder))
    assert new.revision != old.revision


def test_a_training_goes_on_from_the_model_that_ships(workshop: Workshop, tmp_path: Path) -> None:
    workshop.train(tmp_path, "--start", str(workshop.folder), "--drop", "0.5", minutes=0.03)
    first = log_of(tmp_path)[0]
    assert first["mean"] > 80
    assert json.loads((tmp_path / "vocabulary_rows.json").read_text())[:4] == [0, 1, 2, 3]


def test_a_run_that_was_cut_off_goes_on_where_it_was(
    workshop: Workshop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.train(tmp_path, "--backbone", str(workshop.backbone), minutes=0.02)
    workshop.train(tmp_path, "--backbone", str(workshop.backbone), minutes=0.04)
    assert "going on at step" in capsys.readouterr().out
    steps = [record["step"] for record in log_of(tmp_path)]
    assert steps == sorted(steps)


def test_an_average_takes_in_only_what_helps(workshop: Workshop, tmp_path: Path) -> None:
    moments = [str(workshop.work / f"evaluation-{number}.pt") for number in (1, 2)]
    average.run(average.arguments([str(tmp_path), *moments, "--greedy", str(workshop.data)]))
    network, tokenizer = saved_network(tmp_path)
    checked = validation(workshop.data)
    predicted = train.sentiment_scores(network, encode(tokenizer, [e.text for e in checked])).argmax(1)
    reached = evaluate.sentiment_figures(checked, predicted.tolist())["mean"]
    assert reached >= max(record["mean"] for record in log_of(workshop.work)) - 0.5


def test_a_folder_of_export_stands_for_its_network_in_an_average(workshop: Workshop, tmp_path: Path) -> None:
    moment = str(workshop.work / "evaluation-2.pt")
    average.run(average.arguments([str(tmp_path), moment, str(workshop.folder), "--shares", "1", "3"]))
    soup = saved_network(tmp_path)[0].state_dict()
    parts = [average.state_of(workshop.work / "evaluation-2.pt"), average.state_of(workshop.folder)]
    name = "backbone.encoder.layer.0.output.dense.weight"
    assert np.allclose(soup[name], (parts[0][name] + 3 * parts[1][name]) / 4, atol=1e-6)


def test_the_card_says_what_was_measured(workshop: Workshop) -> None:
    metrics = json.loads((workshop.folder / "metrics.json").read_text())
    card = (workshop.folder / "card.md").read_text()
    assert f"{metrics['sentiment_macro_f1']['mean']:.1f}" in card
    assert "{" not in card


def test_a_permissive_training_sees_no_set_for_research_use(workshop: Workshop) -> None:
    sources = {example.source for example in training(workshop.data, permissive=True)}
    assert "umsab" in sources
    assert not sources & {"germeval", "emoevent", "hasoc", "complaints", "sanders"}


def test_no_validation_text_is_learnt_however_it_is_spelt(workshop: Workshop, tmp_path: Path) -> None:
    write_data(tmp_path)
    known = validation(tmp_path)[0].text
    with (tmp_path / "sentiment/semeval2013_2016_en.jsonl").open("a") as lines:
        lines.write(
            json.dumps({"text": f"@someone {known.upper()} !", "label": "neutral", "lang": "en", "task": "sentiment"})
        )
    assert known.upper() not in {
        example.text.removeprefix("@user ").removesuffix(" !") for example in training(tmp_path)
    }


def test_a_model_with_worse_figures_never_takes_the_shipped_ones_place() -> None:
    shipped = {"sentiment_macro_f1": {"mean": 66.0}, "hand_written": {"kinds": {"macro_f1": 0.7}}}
    assert make.better({"sentiment_macro_f1": {"mean": 66.5}, "hand_written": {"kinds": {"macro_f1": 0.69}}}, shipped)[
        0
    ]
    assert not make.better(
        {"sentiment_macro_f1": {"mean": 65.9}, "hand_written": {"kinds": {"macro_f1": 0.9}}}, shipped
    )[0]
    replace, reason = make.better(
        {"sentiment_macro_f1": {"mean": 67.0}, "hand_written": {"kinds": {"macro_f1": 0.5}}}, shipped
    )
    assert not replace
    assert "kinds" in reason


def test_the_last_two_moments_of_a_run_are_the_last_where_it_has_more_than_nine(tmp_path: Path) -> None:
    for number in range(1, 13):
        (tmp_path / f"evaluation-{number}.pt").touch()
    assert [path.name for path in make.ends(tmp_path)] == ["evaluation-11.pt", "evaluation-12.pt"]


def test_a_language_may_not_collapse_while_the_mean_gains() -> None:
    shipped = {"sentiment_macro_f1": {"hi": 50.0, "mean": 67.0}}
    assert make.better({"sentiment_macro_f1": {"hi": 47.0, "mean": 68.0}}, shipped)[0]
    replace, reason = make.better({"sentiment_macro_f1": {"hi": 45.0, "mean": 69.0}}, shipped)
    assert not replace
    assert "in hi" in reason


def test_a_folder_without_the_data_is_refused_before_anything_is_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make.arguments(["--data", str(tmp_path)])
    assert "no .jsonl in sentiment, risk, streams" in capsys.readouterr().err
