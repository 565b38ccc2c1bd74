"""What a person says of a mention stands over the network's word: in figures, lists and counts, and in what is exported."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from tests.newsroom import KeyMaker, Newsroom
from tests.records import identifier
from tocsin.cli.main import app as command_line
from tocsin.contracts.events import LabelQuality
from tocsin.storage.database import Database

Headers = dict[str, str]


@pytest.fixture
def editor(key: KeyMaker) -> Headers:
    return key("read", "act", "admin")


def correct(client: TestClient, editor: Headers, name: str, **said: Any) -> Any:
    answer = client.post(f"/v1/mentions/{identifier(name)}/correction", json={"brand": "acme", **said}, headers=editor)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(client: TestClient, editor: Headers, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/mentions", params={"brand": "acme", **query}, headers=editor).json()[
        "mentions"
    ]
    return found


def embedding(*numbers: int) -> str:
    return base64.b64encode(np.array([*numbers, *[0] * (384 - len(numbers))], np.int8).tobytes()).decode()


def test_a_corrected_tone_is_the_one_that_lists_and_figures_show(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("irony", negative=0.9)
    assert len(listed(client, editor, sentiment="negative")) == 1
    correct(client, editor, "irony", sentiment="positive", reason="she is joking")
    assert listed(client, editor, sentiment="negative") == []
    spans = client.get("/v1/brands/acme/timeline", headers=editor).json()["spans"]
    assert sum(span["negative"] for span in spans) == 0
    (held,) = client.get("/v1/corrections?brand=acme", headers=editor).json()["corrections"]
    assert (held["sentiment"], held["network_sentiment"], held["risky"]) == ("positive", "negative", None)


def test_a_correction_is_taken_back_with_an_empty_one_and_the_network_is_heard_again(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    said = newsroom.say("m", negative=0.9)
    correct(client, editor, "m", sentiment="neutral", risky=True)
    assert listed(client, editor)[0]["risk"]["score"] == 1.0
    correct(client, editor, "m")
    again = listed(client, editor)[0]
    assert said.risk is not None
    assert (again["sentiment"]["label"], again["risk"]["score"]) == ("negative", pytest.approx(said.risk.score))
    assert client.get("/v1/corrections?brand=acme", headers=editor).json()["corrections"] == []


def test_a_mention_says_who_corrected_it_and_what_the_network_had_said(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("irony", negative=0.9)
    newsroom.say("untouched")
    correct(client, editor, "irony", sentiment="positive")
    told = {mention["native_id"]: mention for mention in listed(client, editor)}
    assert told["untouched"]["correction"] is None
    said = told["irony"]["correction"]
    assert told["irony"]["sentiment"]["label"] == said["sentiment"] == "positive"
    assert (said["network_sentiment"], said["risky"]) == ("negative", None)
    assert said["by"].startswith("key:")
    wanted = {"brand": "acme", "format": "csv", "fields": "native_id,sentiment,correction"}
    exported = client.get("/v1/mentions/export", params=wanted, headers=editor).text
    rows = {row["native_id"]: row for row in csv.DictReader(io.StringIO(exported, newline=""))}
    assert rows["irony"]["sentiment.label"] == "positive"
    assert rows["irony"]["correction.network_sentiment"] == "negative"
    assert rows["untouched"]["correction.network_sentiment"] == ""


def test_corrections_come_in_pages(client: TestClient, editor: Headers, newsroom: Newsroom) -> None:
    for number in range(5):
        newsroom.say(f"m{number}", minutes_ago=number // 2)
        correct(client, editor, f"m{number}", sentiment="neutral")
    seen, cursor = [], None
    while True:
        parameters = {"brand": "acme", "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/corrections", params=parameters, headers=editor).json()
        seen += [item["mention_id"] for item in page["corrections"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5


def test_neither_the_brands_own_name_nor_a_part_of_a_link_is_proposed_as_an_exclusion(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    for number in range(3):
        newsroom.say(f"m{number}", text="Acme aurora https://lights.example/watching", author=f"a{number}")
    result = correct(client, editor, "m0", about_us=False, scope="story")
    assert [proposal["term"] for proposal in result["exclusions"]] == ["aurora"]


def test_what_is_not_about_us_leaves_every_list_and_count_with_its_whole_story(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    for number in range(4):
        newsroom.say(
            f"copy{number}", text="Acme orange juice recalled", embedding=embedding(100, 3), author=f"a{number}"
        )
    newsroom.say("same", text="The orange juice recall at Acme", embedding=embedding(100, 9), author="b")
    for number in range(6):
        newsroom.say(f"other{number}", text=f"My Acme phone {number}", embedding=embedding(2, 100), author=f"c{number}")
    result = correct(client, editor, "copy0", about_us=False, scope="story", reason="it is the juice")
    assert set(result["corrected"]) == {str(identifier(name)) for name in ("copy0", "copy1", "copy2", "copy3", "same")}
    assert {mention["text"] for mention in listed(client, editor)} == {f"My Acme phone {n}" for n in range(6)}
    spans = client.get("/v1/brands/acme/timeline", headers=editor).json()["spans"]
    assert sum(span["mentions"] for span in spans) == 6
    terms = {proposal["term"]: proposal for proposal in result["exclusions"]}
    assert {"juice", "orange"} <= set(terms)
    assert (terms["juice"]["in_story"], terms["juice"]["elsewhere"]) == (5, 0)


def test_better_labels_of_the_same_text_do_not_take_a_persons_word_back_and_an_edited_text_does(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("m", text="So great, thanks", labels=LabelQuality.COPY, negative=0.9)
    correct(client, editor, "m", sentiment="positive")
    newsroom.say("m", text="So great, thanks", labels=LabelQuality.MODEL, negative=0.8)
    assert listed(client, editor)[0]["sentiment"]["label"] == "positive"
    newsroom.say("m", text="So bad, shame on you", revision=2, negative=0.9)
    assert listed(client, editor)[0]["sentiment"]["label"] == "negative"


def test_a_correction_of_another_brands_mention_or_of_none_is_refused_and_nothing_is_done(
    client: TestClient, key: KeyMaker, editor: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("m")
    path, wanted = f"/v1/mentions/{identifier('m')}/correction", {"brand": "globex", "about_us": False}
    assert client.post(path, json=wanted, headers=editor).status_code == 404
    assert client.post(path, json={"brand": "acme", "sentiment": "sad"}, headers=editor).status_code == 422
    whole_story = {"brand": "acme", "sentiment": "neutral", "scope": "story"}
    assert client.post(path, json=whole_story, headers=editor).status_code == 422
    assert len(listed(client, editor)) == 1


def test_each_correction_stands_in_the_audit_log_with_its_reason_and_without_the_text(
    client: TestClient, editor: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("m", text="a text that is nobody's business")
    correct(client, editor, "m", risky=False, reason="an advertisement")
    answer = client.get("/v1/audit?action=mention.corrected", headers=editor)
    (entry,) = answer.json()["entries"]
    assert (entry["target"], entry["details"]["reason"]) == (f"mention:{identifier('m')}", "an advertisement")
    assert "nobody's business" not in answer.text


def test_corrections_are_exported_as_training_data(
    client: TestClient, editor: Headers, newsroom: Newsroom, database: Database, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    newsroom.say("m", text="Bravo, encore en panne", language="fr", negative=0.1)
    newsroom.say("untouched")
    correct(client, editor, "m", sentiment="negative")
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "labels.jsonl"
    done = CliRunner().invoke(command_line, ["export", "labels", "-o", str(output)])
    assert done.exit_code == 0, done.output
    (line,) = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert (line["text"], line["lang"], line["label"]) == ("Bravo, encore en panne", "fr", "negative")
    assert line["network"]["sentiment"] == "neutral"
