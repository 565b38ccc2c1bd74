"""classify, backtest and detect: what they write, what they set aside, and how they end. No tocsin.yaml anywhere near."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.cli.conftest import Command
from tests.requirements import data_folder
from tocsin.cli.classify import marked
from tocsin.cli.detect import detect
from tocsin.cli.failure import CommandFailed
from tocsin.contracts.events import ClassifiedMention

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def line(number: int, text: str = "Great service", **fields: Any) -> str:
    published = (START + timedelta(minutes=number)).isoformat()
    mention = {
        "source": "reviews",
        "native_id": str(number),
        "text": text,
        "published_at": published,
        "brands": ["any-brand"],
    }
    return json.dumps({**mention, **fields})


GOOD = [line(1), line(2, "Terrible, never again"), line(3), line(4, "Ravi, merci !", brands=["one", "two"])]
BAD = [
    "{not json",
    line(90, published_at="2026-03-02T08:00:00"),
    line(91, published_at="2199-01-01T00:00:00Z"),
    json.dumps({"source": "x", "native_id": "92", "published_at": "2026-03-02T08:00:00Z"}),
    '"a string"',
]


def test_classify_writes_one_line_for_each_valid_line_in_order_copies_too(tocsin: Command, tmp_path: Path) -> None:
    mixed = [GOOD[0], BAD[0], *GOOD[1:], *BAD[1:]]
    (tmp_path / "mentions.jsonl").write_text("\n".join(mixed), encoding="utf-8")
    done = tocsin("classify", "mentions.jsonl", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(item) for item in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [record["native_id"] for record in records] == ["1", "2", "3", "4"]
    assert [record["brand"] for record in records] == ["any-brand", "any-brand", "any-brand", "one"]
    assert [record["labels"] for record in records] == ["model", "model", "copy", "model"]
    assert records[1]["sentiment"]["label"] == "negative"
    for record in records:
        scores = record["sentiment"]["scores"]
        assert record["sentiment"]["label"] == max(scores, key=scores.__getitem__)
        assert sum(scores.values()) == pytest.approx(1, abs=0.001)
        assert 0 <= record["risk"]["score"] <= 1
    aside = [json.loads(item) for item in (tmp_path / "out.jsonl.rejected").read_text("utf-8").splitlines()]
    assert [item["line"] for item in aside] == [2, 6, 7, 8, 9]
    assert [item["field"] for item in aside[1:4]] == ["published_at", "published_at", "text"]
    assert done.stderr.count("tocsin: line ") == len(BAD)


def test_classify_can_say_which_words_moved_the_risk(tocsin: Command) -> None:
    text = "Lovely shop, but boycott them: their toys burnt my son"
    plain, explained = (
        json.loads(tocsin("classify", "-", *option, given=line(1, text) + "\n").stdout)
        for option in ((), ("--explain",))
    )
    assert "explanation" not in plain
    words = explained["explanation"]
    assert 1 <= len(words) <= 8
    for word in words:
        assert text[word["start"] : word["end"]] == word["word"]
    assert {"boycott", "burnt"} & {word["word"] for word in words if word["weight"] > 0}


def explained_record(text: str, *words: tuple[str, float]) -> ClassifiedMention:
    places = [
        {"word": word, "start": text.index(word), "end": text.index(word) + len(word), "weight": weight}
        for word, weight in words
    ]
    scores = {"negative": 0.7, "neutral": 0.2, "positive": 0.1}
    return ClassifiedMention.model_validate(
        {
            "source": "x", "native_id": "1", "published_at": datetime(2026, 3, 14, tzinfo=UTC), "text": text,
            "mention_id": uuid4(), "brand": "a", "labels": "model", "relevance": 1.0,
            "sentiment": {"label": "negative", "scores": scores},
            "risk": {"score": 0.84, "kinds": [{"kind": "legal", "score": 0.9}]}, "toxicity": 0.1,
            "model": {"name": "n", "revision": "r"}, "explanation": places,
        }
    )  # fmt: skip


def test_a_person_at_a_terminal_sees_the_words_marked_in_the_text() -> None:
    record = explained_record("The brakes failed, but thanks", ("brakes", 0.5), ("failed", 3.1), ("thanks", -0.4))
    assert marked(record) == "negative, risk 0.84 (legal): The [brakes]+ [failed]++, but [thanks]−"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2Jgone \u202eback\u202c 👩\u200d👧 \x07", "[2Jgone  back  👩\u200d👧"),
        ("मेरा ब्रेक", "मेरा ब्रेक"),
        ("x" * 10_000, "x" * 300),
    ],
)
def test_what_is_marked_does_nothing_to_the_terminal_and_is_short(text: str, expected: str) -> None:
    assert marked(explained_record(text)).partition(": ")[2] == expected


def test_classify_reads_standard_input_and_writes_standard_output(tocsin: Command) -> None:
    done = tocsin("classify", "-", given=GOOD[0] + "\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["native_id"] == "1"


@pytest.mark.parametrize("command", ["classify", "backtest"])
def test_nothing_valid_is_a_failure_and_a_missing_file_a_wrong_call(
    tocsin: Command, tmp_path: Path, command: str
) -> None:
    (tmp_path / "bad.jsonl").write_text("\n".join(BAD), encoding="utf-8")
    nothing = tocsin(command, "bad.jsonl", "-o", "out.jsonl")
    assert (nothing.returncode, "none of its 5 lines is a mention" in nothing.stderr) == (1, True)
    assert not (tmp_path / "out.jsonl").exists()
    missing = tocsin(command, "nowhere.jsonl")
    assert (missing.returncode, "there is no such file" in missing.stderr) == (2, True)
    assert tocsin(command, "--no-such-option").returncode == 2


def test_a_hostile_line_is_classified_or_set_aside_but_never_ends_the_work(tocsin: Command, tmp_path: Path) -> None:
    lines = [
        line(1, "x" * 1_000_000),
        line(2, "\ud800 alone"),
        line(3, "   ", rating={"value": 1, "best": 5}),
        line(4, "fine"),
    ]
    (tmp_path / "hostile.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = tocsin("classify", "hostile.jsonl", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(item) for item in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [record["native_id"] for record in records] == ["2", "3", "4"]
    assert "100,000" in (tmp_path / "out.jsonl.rejected").read_text("utf-8")


def steady_then_burst() -> list[str]:
    """Nine days of two mentions an hour, then sixty angry people within twenty minutes, then a day of calm."""
    calm = [
        line(number, sentiment="negative" if number % 10 == 0 else "neutral", author={"id": f"calm{number}"})
        for number in range(0, 9 * 1440, 30)
    ]
    burst = [
        line(
            9 * 1440 + number // 3,
            "Boycott!",
            native_id=f"b{number}",
            sentiment="negative",
            author={"id": f"angry{number}"},
        )
        for number in range(60)
    ]
    after = [
        line(number, sentiment="neutral", author={"id": f"late{number}"})
        for number in range(9 * 1440 + 30, 10 * 1440, 30)
    ]
    return calm + burst + after


def test_backtest_says_when_the_bell_would_have_rung(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "story.jsonl").write_text("\n".join(steady_then_burst()), encoding="utf-8")
    done = tocsin("backtest", "story.jsonl", "--gold-sentiment", "-o", "changes.jsonl")
    assert done.returncode == 0, done.stderr
    changes = [json.loads(item) for item in (tmp_path / "changes.jsonl").read_text("utf-8").splitlines()]
    serious = [
        change for change in changes if change["level"] in ("orange", "red") and change["event"] in ("opened", "raised")
    ]
    began = START + timedelta(days=9)
    assert serious, changes
    assert began <= datetime.fromisoformat(serious[0]["at"]) <= began + timedelta(minutes=30)
    for change in changes:
        assert set(change) == {"at", "event", "brand", "level", "score", "reasons", "evidence"}
        assert change["event"] in ("opened", "raised", "lowered", "closed")
        assert int(datetime.fromisoformat(change["at"]).timestamp()) % 300 == 0
    assert all(earlier != later for earlier, later in pairwise(changes))


def test_backtest_with_gold_sentiment_needs_a_human_label_on_every_line(tocsin: Command, tmp_path: Path) -> None:
    labelled = json.dumps({**json.loads(GOOD[0]), "native_id": "labelled", "sentiment": "neutral"})
    (tmp_path / "story.jsonl").write_text("\n".join([labelled, "", "no JSON", *GOOD]), encoding="utf-8")
    done = tocsin("backtest", "story.jsonl", "--gold-sentiment")
    assert done.returncode == 1
    assert "line 4: has no human sentiment" in done.stderr


def test_detect_answers_each_row_with_its_own_bytes_and_looks_back_only(tocsin: Command, tmp_path: Path) -> None:
    rows = [
        ((START + timedelta(minutes=5 * number)).strftime("%Y-%m-%d %H:%M:%S"), 20 + number % 7)
        for number in range(3000)
    ]
    rows = [(at, 400 if 2500 <= number < 2530 else value) for number, (at, value) in enumerate(rows)]
    for name, part in (("whole.csv", rows), ("half.csv", rows[:2510])):
        with (tmp_path / name).open("w", newline="") as stream:
            csv.writer(stream).writerows([("timestamp", "value"), *part])
        assert tocsin("detect", name, "-o", f"{name}.out").returncode == 0
    whole = list(csv.DictReader((tmp_path / "whole.csv.out").open()))
    half = list(csv.DictReader((tmp_path / "half.csv.out").open()))
    assert [(row["timestamp"], row["value"]) for row in whole] == [(at, str(value)) for at, value in rows]
    assert half == whole[:2510]
    alerts = [number for number, row in enumerate(whole) if row["alert"] == "1"]
    assert len(alerts) == 1
    assert 2500 <= alerts[0] < 2530
    assert all(0 <= float(row["score"]) <= 1 for row in whole)


BAD_SERIES = {
    "empty": (b"", "is empty"),
    "header alone": (b"timestamp,value\n", "no row below the header"),
    "no header": (b"2026-03-02 08:00:00,3\n", "line 1: must be the header"),
    "unsorted": (
        b"timestamp,value\n2026-03-02 08:05:00,3\n2026-03-02 08:00:00,3\n",
        "line 3: '2026-03-02 08:00:00' is before",
    ),
    "mixed zones": (
        b"timestamp,value\n2026-03-02T08:00:00Z,3\n2026-03-02T08:05:00,3\n",
        "line 3: '2026-03-02T08:05:00' has no offset",
    ),
    "negative": (b"timestamp,value\n\n2026-03-02 08:00:00,-3\n", "line 3: '-3' is no count"),
    "infinite": (b"timestamp,value\n2026-03-02 08:00:00,1e999\n", "line 2: '1e999' is no count"),
    "no number": (b"timestamp,value\n2026-03-02 08:00:00,many\n", "line 2: 'many' is no number"),
    "underscores": (b"timestamp,value\n2026-03-02 08:00:00,1_000\n", "line 2: '1_000' is no number"),
    "an open quote": (b'timestamp,value\n2026-03-02 08:00:00,3\n2026-03-02 08:05:00,"3\n', "line 3: a quotation mark"),
    "an open quote in a note": (
        b'timestamp,value,note\n2026-03-02 08:00:00,3,"x\n2026-03-02 08:05:00,3,x\n',
        "line 2: a quotation mark",
    ),
    "a quote closed too late": (
        b'timestamp,value\n2026-03-02 08:00:00,"3\n2026-03-02 08:05:00,3"\n',
        "line 2: a quotation mark",
    ),
    "no time": (b"timestamp,value\nsoon,2\n", "line 2: 'soon' is no timestamp"),
    "not UTF-8": ("timestamp,value\n2026-03-02 08:00:00,\u00e9\n".encode("latin-1"), "line 2: is no UTF-8"),
    "UTF-16": ("timestamp,value\n2026-03-02 08:00:00,3\n".encode("utf-16"), "line 1: is no UTF-8"),
    "a zero byte": (b"timestamp,value\n2026-03-02 08:00:00,\x003\n", "line 2"),
}


@pytest.mark.parametrize(("content", "said"), BAD_SERIES.values(), ids=BAD_SERIES.keys())
def test_detect_says_which_row_is_wrong_and_writes_nothing(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(CommandFailed, match=re.escape(said)) as failed:
        detect(tmp_path / "bad.csv", tmp_path / "out.csv")
    assert failed.value.status == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbftimestamp,value\n2026-03-02 08:00:00,3\n",
        b"timestamp,value\r\n2026-03-02 08:00:00,3\r\n",
        b"Timestamp, Value ,note\n2026-03-02 08:00:00,3,x\n\n",
        b'"timestamp","value"\n"2026-03-02 08:00:00","3"\n',
    ],
    ids=["byte order mark", "CRLF", "more columns", "quotes"],
)
def test_detect_reads_what_other_programs_write(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_bytes(content)
    detect(tmp_path / "given.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "timestamp,value,score,alert\n2026-03-02 08:00:00,3,0.0000,0\n"


def test_detect_takes_gaps_doubles_and_missing_values(tmp_path: Path) -> None:
    rows = [(str(START + timedelta(minutes=5 * number)), str(20 + number % 7)) for number in range(1500)]
    rows = rows[:400] + rows[600:]
    rows = [*rows[:700], *[(rows[700][0], value) for value in ("", "nan", "NaN", rows[700][1])], *rows[701:]]
    with (tmp_path / "given.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("timestamp", "value"), *rows])
    detect(tmp_path / "given.csv", tmp_path / "out.csv")
    found = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["timestamp"], row["value"]) for row in found] == rows
    assert {row["alert"] for row in found} == {"0"}


def test_backtest_sets_aside_what_is_no_mention_and_names_its_line(tocsin: Command, tmp_path: Path) -> None:
    good = [line(number, sentiment="neutral") for number in range(3)]
    bad = [
        good[0].replace('"Great service"', "NaN"),
        line(11, sentiment="neutral", author={"id": "x", "followers": -3}),
        line(12, sentiment="neutral", engagement={"likes": -1}),
        line(13, sentiment="neutral", published_at="2026-03-02T08:00:00"),
        "\0",
    ]
    elsewhere = line(14, sentiment="neutral", published_at="2026-03-02T03:30:00-05:00")
    content = "\r\n".join([good[0], *bad, "", good[0], good[2], good[1], elsewhere])
    (tmp_path / "mixed.jsonl").write_bytes(b"\xef\xbb\xbf" + content.encode())
    done = tocsin("backtest", "mixed.jsonl", "--gold-sentiment", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    aside = [json.loads(item) for item in (tmp_path / "out.jsonl.rejected").read_text("utf-8").splitlines()]
    assert [item["line"] for item in aside] == [2, 3, 4, 5, 6]
    (tmp_path / "empty.jsonl").write_bytes(b"")
    empty = tocsin("backtest", "empty.jsonl")
    assert (empty.returncode, "is empty" in empty.stderr) == (1, True)


def test_backtest_warns_of_a_file_with_the_newest_first(tocsin: Command, tmp_path: Path) -> None:
    newest_first = [line(60 * number, sentiment="negative") for number in reversed(range(100))]
    (tmp_path / "export.jsonl").write_text("\n".join(newest_first), encoding="utf-8")
    done = tocsin("backtest", "export.jsonl", "--gold-sentiment")
    assert done.returncode == 0
    assert "sort it by published_at" in done.stderr


def test_the_real_stream_goes_through_the_real_classifier(tocsin: Command, tmp_path: Path) -> None:
    stream = (data_folder() / "streams" / "airlines_dev.jsonl").read_text("utf-8").splitlines()[:1500]
    (tmp_path / "airlines.jsonl").write_text("\n".join(stream), encoding="utf-8")
    done = tocsin("classify", "airlines.jsonl", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(item) for item in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    truth = [json.loads(item)["sentiment"] for item in stream]
    assert len(records) == len(truth)
    right = sum(record["sentiment"]["label"] == label for record, label in zip(records, truth, strict=True))
    assert right / len(truth) > 0.6
    assert tocsin("backtest", "airlines.jsonl", "-o", "changes.jsonl").returncode == 0
