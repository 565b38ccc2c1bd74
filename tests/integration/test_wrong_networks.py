"""A network that cannot be right is refused at the start, in words that say how to mend it; nothing is guessed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.classify.classifiers.folder import FILES, revision_of
from services.classify.classifiers.port import ClassifierUnavailableError
from services.classify.classifiers.shipped import classifier_of, open_classifier, shipped_folder
from tests.requirements import require_torch
from tests.tiny_network import save_tiny_network
from tocsin.cli.check import findings
from tocsin.config import ConfigurationError, load, parse
from tocsin.contracts.settings.services import ClassifierSettings

STARS = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped network (its largest file by a link: replace it, never write to it)."""
    for name in FILES:
        if name == "model.onnx":
            (tmp_path / name).symlink_to(shipped_folder() / name)
        else:
            shutil.copyfile(shipped_folder() / name, tmp_path / name)
    return tmp_path


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change config.json, and its revision with it, as somebody who edits and exports would."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    before = set(config) - {"temperatures", "shifts", "thresholds", "harmful_rates"}
    change(config)
    config["revision"] = revision_of(folder, {key: value for key, value in config.items() if key not in before})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def refusal(name: str | Path, **options: Any) -> str:
    with pytest.raises(ClassifierUnavailableError) as raised:
        open_classifier(str(name), threads=1, **options)
    return str(raised.value)


def test_the_untouched_copy_opens(folder: Path) -> None:
    assert open_classifier(str(folder), threads=1).revision == open_classifier(threads=1).revision


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path / "nowhere")
    assert "there is no folder" in said
    assert "nowhere. Give a folder that models/export.py wrote" in said


def test_a_name_of_a_hub_is_led_to_the_kind_that_opens_it() -> None:
    assert "write `kind: transformers` beside `model`" in refusal("cardiffnlp/twitter-xlm-roberta-base-sentiment")


def test_a_file_is_told_from_its_folder(folder: Path) -> None:
    assert "model.onnx is a file, and the classifier is the folder with" in refusal(folder / "model.onnx")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    assert "holds no complete classifier: model.onnx, tokenizer.json, config.json missing" in refusal(tmp_path)


def test_the_config_of_another_program_is_told(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert", "id2label": {"0": "negative"}}', encoding="utf-8")
    said = refusal(folder)
    assert "it lacks `name`, `revision`, `sentiments`" in said
    assert "it is one of Hugging Face's" in said
    assert "write `kind: transformers`" in said


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} missing. Give a folder" in refusal(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_was_cut_off_is_told(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    said = refusal(folder)
    assert "do not belong together" in said
    assert "A file was cut off on its way" in said
    rewrite(folder, lambda config: None)
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\ud800"])
def test_an_unreadable_config_is_named(folder: Path, content: str) -> None:
    (folder / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    assert "config.json cannot be read" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.update(sentiments=["negative", "neutral"]), "`sentiments` must name each of negative, neutral"),
        (lambda c: c.update(sentiments=["negative", "negative", "positive"]), "differing: neutral"),
        (lambda c: c["kinds"].__setitem__(0, "sports"), "differing: boycott_call, sports"),
        (lambda c: c["kinds"].pop(), "differing: misinformation"),
        (lambda c: c["sentiments"].reverse(), "`sentiments` stand in another order than the network's outputs"),
        (lambda c: c["kinds"].reverse(), "`kinds` stand in another order than the network's outputs"),
        (lambda c: c.update(pad_id=5), "`pad_id` is 5, and <pad> is piece 1 of its tokenizer"),
        (lambda c: c.update(maximum_length=10_000), "not 10000 pieces at once"),
        (lambda c: c.pop("thresholds"), "it lacks `thresholds`"),
        (lambda c: c["thresholds"].pop("toxicity"), "it lacks `thresholds.toxicity`"),
        (lambda c: c.update(temperatures=[]), "`temperatures` is no JSON object"),
        (lambda c: c.update(sentiments=[["negative"], 1, None]), "`sentiments` must name each of"),
        (lambda c: c["temperatures"].pop("risk"), "temperatures.risk is missing or no sensible number"),
        (lambda c: c["temperatures"].update(risk=0), "temperatures.risk is missing or no sensible number"),
        (lambda c: c.update(shifts={"risk": float("nan")}), "shifts.risk is missing or no sensible number"),
        (lambda c: c.update(shifts={"sentiment": 1}), "shifts.sentiment is missing or no sensible number"),
        (lambda c: c.update(shifts=[]), "config.json cannot be read"),
        (lambda c: c["thresholds"].update(kinds=7), "thresholds.kinds.misinformation is missing or no sensible number"),
        (
            lambda c: c["thresholds"].update(kinds={"legal": 0.5}),
            "thresholds.kinds.boycott_call, thresholds.kinds.product",
        ),
        (lambda c: c["harmful_rates"].pop("default"), "harmful_rates.default"),
        (lambda c: c.update(embedding_width=7), "embedding has 384, not 7"),
    ],
)
def test_a_wrong_label_map_or_calibration_is_told(
    folder: Path, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    rewrite(folder, change)
    assert expected in refusal(folder)


def test_a_calibration_that_was_edited_is_another_revision(folder: Path) -> None:
    text = (folder / "config.json").read_text(encoding="utf-8")
    config = json.loads(text)
    config["thresholds"]["risk"] = 0.123
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert "do not belong together" in refusal(folder)


def test_a_tokenizer_of_another_network_is_told(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] += [[f"another{number}", -20.0] for number in range(5000)]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    rewrite(folder, lambda config: None)
    assert "does not take what its tokenizer makes" in refusal(folder)


def test_a_revision_that_was_asked_for_must_be_there(folder: Path) -> None:
    actual = open_classifier(str(folder), threads=1).revision
    assert open_classifier(str(folder), threads=1, revision=actual).revision == actual
    said = refusal(folder, revision="abc")
    assert f"holds revision {actual}" in said
    assert "asks for abc" in said


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{kind: keras}", "classifier.kind"),
        ("{labels: {LABEL_0: negative}}", "only a network of kind transformers has labels to map"),
        ("{kind: transformers, model: x, labels: {LABEL_0: angry}}", "angry is none of negative, neutral, positive"),
    ],
)
def test_a_classifier_that_cannot_be_meant_is_a_wrong_configuration(section: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        parse(f"classifier: {section}\n", variables={})


class TestCheck:
    """`tocsin check` tells what classify and alert would refuse at their start, at its line."""

    def told(self, tmp_path: Path, classifier: str) -> list[str]:
        file = tmp_path / "tocsin.yaml"
        file.write_text(f"brands: [{{id: a, names: [A]}}]\nclassifier: {classifier}\n", encoding="utf-8")
        found = findings(load(file), file, datetime(2026, 3, 14, tzinfo=UTC))
        return [item.text.removeprefix(f"{file}:") for item in found if ": classifier: " in item.text]

    def test_the_shipped_network_and_a_whole_folder_are_right(self, folder: Path, tmp_path: Path) -> None:
        shutil.copyfile(shipped_folder() / "metrics.json", folder / "metrics.json")
        assert self.told(tmp_path, "{}") == []
        assert self.told(tmp_path, f"{{model: {folder}}}") == []
        assert self.told(tmp_path, "{kind: transformers, model: some/name}") == []

    def test_what_classify_would_refuse_is_an_error(self, folder: Path, tmp_path: Path) -> None:
        rewrite(folder, lambda config: config["sentiments"].reverse())
        [error] = self.told(tmp_path, f"{{model: {folder}}}")
        assert error.startswith("2:1: error: classifier: ")
        assert "`sentiments` stand in another order" in error

    def test_what_alert_would_refuse_is_an_error(self, folder: Path, tmp_path: Path) -> None:
        [error] = self.told(tmp_path, f"{{model: {folder}}}")
        assert "metrics.json" in error

    def test_a_folder_that_is_not_here_may_be_elsewhere(self, tmp_path: Path) -> None:
        [warning] = self.told(tmp_path, "{model: /srv/networks/ours}")
        assert warning.startswith("2:1: warning: classifier: there is no folder /srv/networks/ours on this machine")
        assert "`kind: transformers`" in warning


class TestTransformers:
    """Any Hugging Face network: opened whole, or not at all."""

    @pytest.fixture(autouse=True)
    def torch(self) -> None:
        require_torch()

    def test_kind_and_model_open_it_from_the_configuration(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, ["neg", "neu", "pos"])
        configuration = parse(f"classifier: {{kind: transformers, model: {tmp_path}}}\n", variables={})
        classifier = classifier_of(configuration.classifier)
        [labels] = classifier.classify(["any text"])
        assert classifier.name == str(tmp_path)
        assert set(labels.sentiment) == {"negative", "neutral", "positive"}

    @pytest.mark.parametrize(
        ("names", "meant"),
        [
            (None, {}),
            (["positive", "negative", "neutral"], {}),
            (STARS, {}),
            ([f"LABEL_{n}" for n in range(5)], {f"LABEL_{n}": stars for n, stars in enumerate(STARS)}),
            (["sad", "meh", "glad"], {"sad": "negative", "meh": "neutral", "glad": "positive"}),
            (["negative", "positive"], {}),
        ],
    )
    def test_its_labels_are_added_up_to_three(
        self, tmp_path: Path, names: list[str] | None, meant: dict[str, str]
    ) -> None:
        save_tiny_network(tmp_path, names)
        settings = ClassifierSettings(kind="transformers", model=str(tmp_path), labels=meant)
        [labels] = classifier_of(settings).classify(["any text"])
        assert sum(labels.sentiment.values()) == pytest.approx(1)
        assert self.by_torch(tmp_path, "any text", names, meant) == pytest.approx(labels.sentiment, abs=1e-4)

    def by_torch(self, folder: Path, text: str, names: list[str] | None, meant: dict[str, str]) -> dict[str, float]:
        """What the network says, asked without us."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        given = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        scores = torch.softmax(network(**given).logits[0], -1).tolist()
        mood = {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"}
        total = {"negative": 0.0, "neutral": 0.0, "positive": 0.0}
        for label, score in zip(names or list(total), scores, strict=True):
            told = meant.get(label, label)
            total[mood.get(told[0], told)] += score
        return total

    @pytest.mark.parametrize(
        ("names", "meant", "expected"),
        [
            (
                ["sports", "politics", "weather"],
                {},
                "are not known to mean negative and positive: sports, politics, weather",
            ),
            (["0", "1"], {}, 'such as `labels: {"0": negative, …}`'),
            (["LABEL_0"], {}, "are not known to mean negative and positive: LABEL_0"),
            ([f"LABEL_{n}" for n in range(5)], {}, "Say in `classifier.labels` what each of them means"),
            (["sad", "meh", "glad"], {"sad": "negative", "glad": "positive"}, "map each of these, and no other"),
            (["a", "b"], {"a": "neutral", "b": "positive"}, "are not known to mean negative and positive: a, b"),
        ],
    )
    def test_labels_that_say_nothing_of_sentiment_are_refused(
        self, tmp_path: Path, names: list[str], meant: dict[str, str], expected: str
    ) -> None:
        save_tiny_network(tmp_path, names)
        assert expected in refusal(f"transformers:{tmp_path}", labels=meant)

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        assert "nowhere': there is no such folder" in refusal(f"transformers:{tmp_path / 'nowhere'}")

    def test_a_file_and_a_folder_without_a_network_are_told(self, tmp_path: Path) -> None:
        assert "the folder holds no config.json" in refusal(f"transformers:{tmp_path}")
        (tmp_path / "model.safetensors").write_text("")
        assert "it is a file. Give the folder" in refusal(f"transformers:{tmp_path / 'model.safetensors'}")

    def test_a_pointer_to_the_weights_is_told(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        (tmp_path / "model.safetensors").write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
        )
        assert "model.safetensors only points to the real file. Fetch that: git lfs pull" in refusal(
            f"transformers:{tmp_path}"
        )

    def test_weights_that_were_cut_off_are_told(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        assert "A file that was cut off on its way reads like this" in refusal(f"transformers:{tmp_path}")

    def test_a_missing_tokenizer_is_told(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        for file in tmp_path.iterdir():
            if file.name not in {"config.json", "model.safetensors"}:
                file.unlink()
        assert "no tokenizer at" in refusal(f"transformers:{tmp_path}")

    def test_a_tokenizer_of_another_network_is_told(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        tokenizer = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
        tokenizer["model"]["vocab"].update({f"another{n}": 10_000 + n for n in range(500)})
        (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
        assert "they do not belong together" in refusal(f"transformers:{tmp_path}")

    def test_a_bare_encoder_is_refused_instead_of_answering_at_random(self, tmp_path: Path) -> None:
        from transformers import BertForSequenceClassification

        save_tiny_network(tmp_path, None)
        BertForSequenceClassification.from_pretrained(tmp_path).bert.save_pretrained(tmp_path)
        assert "it would answer at random" in refusal(f"transformers:{tmp_path}")

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: c.update(hidden_size=32),
            lambda c: c.update(id2label=dict(enumerate(STARS)), label2id={stars: n for n, stars in enumerate(STARS)}),
        ],
    )
    def test_weights_of_another_shape_are_told(
        self, tmp_path: Path, change: Callable[[dict[str, Any]], object]
    ) -> None:
        save_tiny_network(tmp_path, None)
        self.edit(tmp_path / "config.json", change)
        assert "its weights are not those that its config.json describes" in refusal(f"transformers:{tmp_path}")

    def edit(self, file: Path, change: Callable[[dict[str, Any]], object]) -> None:
        content = json.loads(file.read_text(encoding="utf-8"))
        change(content)
        file.write_text(json.dumps(content), encoding="utf-8")

    @pytest.mark.parametrize(
        "names",
        [
            ["Négatif", "neutre", "POSITIF"],
            ["Negativ", "Neutral", "Positiv"],
            ["negativo", "neutro", "positivo"],
            ["NEG", "NEU", "POS"],
            ["very_negative", "Neutral", "Very Positive"],
            ["1_star", "3 Stars", "5-stars"],
        ],
    )
    def test_labels_are_understood_as_networks_of_our_languages_write_them(
        self, tmp_path: Path, names: list[str]
    ) -> None:
        save_tiny_network(tmp_path / "own", names)
        save_tiny_network(tmp_path / "english", ["negative", "neutral", "positive"])
        [own] = open_classifier(f"transformers:{tmp_path / 'own'}").classify(["any text"])
        [english] = open_classifier(f"transformers:{tmp_path / 'english'}").classify(["any text"])
        assert own.sentiment == english.sentiment

    def test_labels_that_do_not_exclude_each_other_are_made_to_sum_to_one(self, tmp_path: Path) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        save_tiny_network(tmp_path, ["negative", "neutral", "positive"])
        self.edit(tmp_path / "config.json", lambda c: c.update(problem_type="multi_label_classification"))
        network = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        network.classifier.bias.data = torch.tensor([3.0, -6.0, 1.0])
        network.eval().save_pretrained(tmp_path)
        given = AutoTokenizer.from_pretrained(tmp_path)("any text", return_tensors="pt")
        each = torch.sigmoid(network(**given).logits[0])
        [labels] = open_classifier(f"transformers:{tmp_path}").classify(["any text"])
        assert list(labels.sentiment.values()) == pytest.approx((each / each.sum()).tolist(), abs=1e-4)

    @pytest.mark.parametrize("family", ["bert", "roberta", "bart"])
    def test_a_long_text_is_cut_to_the_places_that_the_network_has(self, tmp_path: Path, family: str) -> None:
        import transformers

        save_tiny_network(tmp_path, ["negative", "neutral", "positive"])
        self.edit(tmp_path / "tokenizer_config.json", lambda c: c.pop("model_max_length"))
        told = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
        kept = {key: told[key] for key in ("vocab_size", "id2label", "label2id")}
        small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        if family == "bart":
            sides = {"layers": 1, "attention_heads": 2, "ffn_dim": 32}
            small = {"d_model": 16, **{f"{side}_{k}": v for side in ("encoder", "decoder") for k, v in sides.items()}}
        config = transformers.AutoConfig.for_model(
            family, **small, **kept, max_position_embeddings=34, pad_token_id=0, eos_token_id=3
        )
        transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
        classifier = open_classifier(f"transformers:{tmp_path}")
        long, short, empty = classifier.classify(["word " * 10_000, "ok", ""])
        assert sum(long.sentiment.values()) == pytest.approx(1)
        assert len(long.embedding) == len(short.embedding) == len(empty.embedding) == 16

    def test_weights_that_answer_no_number_are_told(self, tmp_path: Path) -> None:
        from transformers import AutoModelForSequenceClassification

        save_tiny_network(tmp_path, None)
        network = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        network.classifier.weight.data[0] = float("nan")
        network.save_pretrained(tmp_path)
        assert "answers what is no number" in refusal(f"transformers:{tmp_path}")

    def test_a_padding_piece_is_taken_from_the_network_or_missed_at_the_start(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        self.edit(tmp_path / "tokenizer_config.json", lambda c: c.pop("pad_token"))
        assert len(open_classifier(f"transformers:{tmp_path}").classify(["one two three", "ok"])) == 2
        self.edit(tmp_path / "config.json", lambda c: c.update(pad_token_id=None))
        assert "names a padding piece" in refusal(f"transformers:{tmp_path}")

    def test_weights_as_torch_pickles_them_answer_the_same(self, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import load_file

        save_tiny_network(tmp_path, None)
        safe = open_classifier(f"transformers:{tmp_path}")
        torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
        (tmp_path / "model.safetensors").unlink()
        pickled = open_classifier(f"transformers:{tmp_path}")
        assert pickled.revision == safe.revision
        [one], [other] = pickled.classify(["any text"]), safe.classify(["any text"])
        assert one.sentiment == pytest.approx(other.sentiment)

    def test_the_meaning_of_the_labels_is_part_of_the_revision(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, ["a", "b"])
        one = open_classifier(f"transformers:{tmp_path}", labels={"a": "negative", "b": "positive"})
        other = open_classifier(f"transformers:{tmp_path}", labels={"a": "positive", "b": "negative"})
        assert one.revision != other.revision

    def test_a_revision_that_was_asked_for_must_be_there(self, tmp_path: Path) -> None:
        save_tiny_network(tmp_path, None)
        actual = open_classifier(f"transformers:{tmp_path}").revision
        assert open_classifier(f"transformers:{tmp_path}", revision=actual).revision == actual
        assert f"is revision {actual}" in refusal(f"transformers:{tmp_path}", revision="main")
