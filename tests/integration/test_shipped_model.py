"""The network that ships, on sentences that leave no doubt and on the validation data."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from services.classify.classifiers import preparation
from services.classify.classifiers.folder import revision_of
from services.classify.classifiers.port import Classifier
from services.classify.classifiers.shipped import open_classifier, shipped_folder
from tests.requirements import data_folder
from tocsin.contracts.events import RiskKind, SentimentLabel

LANGUAGES = ["fr", "en", "es", "de", "it", "pt", "ar", "hi"]
GOOD = {
    "fr": "J'adore cette marque, le meilleur service du monde, merci ❤️",
    "en": "I love this brand, best service ever, thank you ❤️",
    "es": "Me encanta esta marca, el mejor servicio del mundo, gracias ❤️",
    "de": "Ich liebe diese Marke, bester Service überhaupt, danke ❤️",
    "it": "Adoro questo marchio, il miglior servizio in assoluto, grazie ❤️",
    "pt": "Amo essa marca, o melhor atendimento de todos, obrigada ❤️",
    "ar": "أحب هذه الشركة، أفضل خدمة في العالم، شكرا لكم ❤️",
    "hi": "Bahut accha service hai, mujhe ye brand bahut pasand hai, thank you ❤️",
}
BAD = {
    "fr": "Service lamentable, je suis furieux, c'est une honte",
    "en": "Terrible service, I am furious, what a disgrace",
    "es": "Un servicio pésimo, estoy furioso, qué vergüenza",
    "de": "Furchtbarer Service, ich bin stinksauer, eine Schande",
    "it": "Servizio pessimo, sono furioso, che vergogna",
    "pt": "Péssimo atendimento, estou furioso, que vergonha",
    "ar": "خدمة سيئة جدا، أنا غاضب، هذا عار",
    "hi": "Bahut ghatiya service, gussa aa raha hai, sharam karo",
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier()


@pytest.mark.parametrize("language", LANGUAGES)
def test_praise_and_anger_are_told_apart(classifier: Classifier, language: str) -> None:
    praise, anger = classifier.classify([GOOD[language], BAD[language]])
    assert praise.label == "positive"
    assert anger.label == "negative"
    assert anger.risk > praise.risk


def test_a_recall_that_is_told_without_emotion_is_a_risk(classifier: Classifier) -> None:
    recall, opening = classifier.classify(
        ["The company recalls its baby formula over salmonella", "The company opens a new shop on Friday"]
    )
    assert recall.risk >= classifier.thresholds.risk > opening.risk
    assert recall.kinds[0][0] == RiskKind.PRODUCT_SAFETY


def test_a_call_to_boycott_is_a_risk_of_that_kind(classifier: Classifier) -> None:
    (call,) = classifier.classify(["Boycott this company! Stop buying anything from them"])
    assert call.risk >= classifier.thresholds.risk
    assert call.kinds[0][0] == RiskKind.BOYCOTT_CALL


def test_the_same_event_in_other_words_is_closer_than_another_event(classifier: Classifier) -> None:
    import numpy as np

    texts = [
        "All trains of the company stand still after a computer failure",
        "Panne informatique : plus aucun train ne circule",
        "My yoghurt had a piece of glass in it",
    ]
    vectors = [np.frombuffer(labels.embedding, np.int8).astype(float) for labels in classifier.classify(texts)]
    failure, panne, glass = (vector / np.linalg.norm(vector) for vector in vectors)
    assert failure @ panne > failure @ glass + 0.2


def test_a_shift_moves_the_odds_of_its_head_and_nothing_else(classifier: Classifier, tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).symlink_to(shipped_folder() / name)
    config = json.loads((shipped_folder() / "config.json").read_text(encoding="utf-8"))
    config["shifts"] = {"risk": config.get("shifts", {}).get("risk", 0.0) + 1.0}
    covered = {name: config[name] for name in ("temperatures", "shifts", "thresholds", "harmful_rates")}
    config["revision"] = revision_of(tmp_path, covered)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    before, after = (each.classify([BAD["en"]])[0] for each in (classifier, open_classifier(str(tmp_path))))
    assert math.log(after.risk / (1 - after.risk)) == pytest.approx(math.log(before.risk / (1 - before.risk)) + 1.0)
    assert (after.sentiment, after.toxicity, after.relevance) == (before.sentiment, before.toxicity, before.relevance)


def test_its_labels_are_those_of_the_contract(classifier: Classifier) -> None:
    config = json.loads((shipped_folder() / "config.json").read_text(encoding="utf-8"))
    assert config["kinds"] == [kind.value for kind in RiskKind]
    assert config["sentiments"] == [label.value for label in SentimentLabel]
    assert classifier.revision == config["revision"]


def test_it_is_small_enough_to_stay_in_the_history() -> None:
    assert (shipped_folder() / "model.onnx").stat().st_size < 70_000_000


def test_its_card_and_figures_ship_with_it() -> None:
    metrics = json.loads((shipped_folder() / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["revision"] == open_classifier().revision
    assert metrics["sentiment_macro_f1"]["mean"] >= 64
    assert metrics["expected_calibration_error"] <= 0.05
    card = (shipped_folder() / "card.md").read_text(encoding="utf-8")
    assert f"{metrics['sentiment_macro_f1']['mean']:.1f}" in card


def test_it_reaches_what_its_card_says_on_validation_data(classifier: Classifier) -> None:
    rows = _lines(data_folder() / "sentiment/umsab_val.jsonl")
    found = [labels.label for labels in classifier.classify([row["text"] for row in rows])]
    figures = [
        _macro_f1([(r["label"], f) for r, f in zip(rows, found, strict=True) if r["lang"] == language])
        for language in LANGUAGES
    ]
    assert sum(figures) / len(figures) >= 0.64


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _macro_f1(pairs: list[tuple[str, str]]) -> float:
    scores = []
    for label in ("negative", "neutral", "positive"):
        both = sum(truth == found == label for truth, found in pairs)
        scores.append(2 * both / sum((truth == label) + (found == label) for truth, found in pairs))
    return sum(scores) / len(scores)


def test_every_emoji_that_stands_for_an_unknown_one_is_known_and_the_other_is_not() -> None:
    tokenizer = Tokenizer.from_file(str(shipped_folder() / "tokenizer.json"))
    unknown = tokenizer.token_to_id("<unk>")
    for young, old in preparation._STANDS_FOR.items():
        assert unknown in tokenizer.encode(young, add_special_tokens=False).ids, young
        assert unknown not in tokenizer.encode(old, add_special_tokens=False).ids, old
