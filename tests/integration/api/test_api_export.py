"""`GET /v1/mentions/export`: any search as a file that opens as what it is and computes nothing."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import uuid
import zipfile
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.api import exports, mention_batches
from services.api.exports import SpreadsheetHabit
from services.api.schemas import AuthorAnswer, EngagementAnswer, MentionAnswer
from tests.newsroom import NOW, KeyMaker, Newsroom
from tests.records import classified
from tocsin.contracts.events import Engagement, Risk
from tocsin.storage import erasures
from tocsin.storage.database import Database, DatabaseUnavailable
from tocsin.storage.searches import MentionFilter, Sort, find_mentions

Headers = dict[str, str]
HOSTILE = [
    '=HYPERLINK("http://evil")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", 'plain; with, "quotes"\nand lines',
]  # fmt: skip


@pytest.fixture
def reader(key: KeyMaker) -> Headers:
    return key("read")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mention_batches, "AT_ONCE", 3)


def file_of(client: TestClient, reader: Headers, **parameters: Any) -> bytes:
    answer = client.get("/v1/mentions/export", params={"brand": "acme", **parameters}, headers=reader)
    assert answer.status_code == 200, answer.text
    return answer.content


def say_hostile(newsroom: Newsroom) -> None:
    newsroom.write(
        *(classified(f"m{number}", at=NOW - timedelta(minutes=number), text=text, risk=Risk(score=0.25),
                     engagement=Engagement(likes=number)) for number, text in enumerate(HOSTILE))
    )  # fmt: skip


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("sort", ["newest", "oldest", "risk", "reach", "engagement"])
def test_json_lines_hold_every_mention_of_the_search_as_the_list_does(
    client: TestClient, reader: Headers, newsroom: Newsroom, sort: str
) -> None:
    say_hostile(newsroom)
    newsroom.say("other", brand="globex")
    lines = file_of(client, reader, sort=sort).decode().splitlines()
    listed = client.get("/v1/mentions", params={"brand": "acme", "sort": sort}, headers=reader).json()["mentions"]
    assert [json.loads(line) for line in lines] == listed
    assert len(lines) == len(HOSTILE)
    of_a_source = (
        file_of(client, reader, sort=sort, source="bluesky", since="2026-03-01T00:00:00Z").decode().splitlines()
    )
    assert of_a_source == lines
    chosen = file_of(client, reader, sort=sort, fields="text,source", text="quotes").decode().splitlines()
    assert [json.loads(line) for line in chosen] == [{"source": "bluesky", "text": HOSTILE[-1]}]


@pytest.mark.usefixtures("small_batches")
def test_csv_keeps_every_word_and_lets_no_spreadsheet_compute_one(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    say_hostile(newsroom)
    answer = client.get("/v1/mentions/export?brand=acme&format=csv", headers=reader)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="tocsin-acme.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [row["text"] for row in rows] == [f"'{text}" for text in HOSTILE[:-1]] + [HOSTILE[-1]]
    assert rows[1]["published_at"] == "2026-03-10T21:39:00Z"
    assert (rows[1]["risk.score"], rows[1]["engagement.likes"], rows[1]["rating.value"]) == ("0.25", "1", "")
    assert all(not (value or " ").startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_a_french_spreadsheet_gets_its_semicolons_commas_and_byte_order_mark(
    client: TestClient, reader: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("one", minutes_ago=10, text="Éclats; de verre", risk=Risk(score=0.25))
    made = file_of(client, reader, format="csv", spreadsheet="fr", fields="published_at,text,risk")
    assert made == (
        b"\xef\xbb\xbfpublished_at;text;risk.score;risk.kinds\r\n"
        + '2026-03-10 21:30:00;"Éclats; de verre";0,25;\r\n'.encode()
    )


@pytest.mark.usefixtures("small_batches")
def test_a_workbook_holds_texts_as_texts_numbers_as_numbers_and_instants_as_dates(
    client: TestClient, reader: Headers, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_hostile(newsroom)
    newsroom.say("long", minutes_ago=30, text="x" * 40_000)
    monkeypatch.setattr(exports, "MOST_SHEET_ROWS", 5)
    made = file_of(client, reader, format="xlsx", fields="published_at,text,engagement")
    with zipfile.ZipFile(io.BytesIO(made)) as book:
        sheets = [sheet_of(book.read(f"xl/worksheets/sheet{number}.xml")) for number in (1, 2)]
        assert "xl/worksheets/sheet3.xml" not in book.namelist()
        formulas = [name for name in book.namelist() if b"<f>" in book.read(name)]
    assert formulas == []
    heads = ["published_at (UTC)", "text", *(f"engagement.{name}" for name in ("likes", "reposts", "replies", "views"))]
    assert [sheet[0] for sheet in sheets] == [heads, heads]
    rows = sheets[0][1:] + sheets[1][1:]
    # XML reads a carriage return as a line's end.
    assert [row[1] for row in rows[:-1]] == [
        text.replace("\r", "_x000D_") if "\r" in text else text for text in HOSTILE
    ]
    assert len(rows[-1][1]) == exports.LONGEST_CELL
    # Excel's days since 1899-12-30.
    assert float(rows[0][0]) == pytest.approx(46091 + (21 * 60 + 40) / 1440)
    assert rows[3][2] == "3"


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("sort", [Sort.NEWEST, Sort.ENGAGEMENT])
def test_what_is_erased_while_it_is_read_is_in_no_later_batch(
    newsroom: Newsroom, database: Database, sort: Sort
) -> None:
    say_hostile(newsroom)
    batches = mention_batches.batches(database, MentionFilter("acme"), sort)
    first = [mention.id for mention in next(batches)]
    with database.read() as session:
        others = [item.id for item in find_mentions(session, MentionFilter("acme"), limit=20) if item.id not in first]
    with database.unit_of_work() as session:
        erasures.erase(session, others[:2], now=NOW)
    later = [mention.id for batch in batches for mention in batch]
    assert set(later) == set(others[2:])


@pytest.mark.parametrize("written", ["jsonl", "csv", "xlsx"])
def test_a_file_of_many_mentions_needs_no_more_memory_than_one_of_few(written: str) -> None:
    few, many = (peak_of(written, batches=number) for number in (10, 60))
    assert many < few * 1.5


def peak_of(written: str, *, batches: int) -> int:
    """The most bytes that are in use at a time while a file of so many batches is written, each mention made for it."""

    def made() -> Iterator[list[MentionAnswer]]:
        for batch in range(batches):
            yield [mention_answer(f"{batch} {number} said of it") for number in range(100)]

    columns = exports.columns_of(None)
    pieces = {
        "jsonl": lambda: exports.json_lines(made(), None),
        "csv": lambda: exports.comma_separated(made(), columns, SpreadsheetHabit.FRENCH),
        "xlsx": lambda: exports.workbook(made(), columns),
    }[written]()
    tracemalloc.start()
    try:
        deque(pieces, maxlen=0)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def mention_answer(text: str) -> MentionAnswer:
    nobody = AuthorAnswer(key=None, name=None, followers=None, role=None)
    unseen = EngagementAnswer(likes=None, reposts=None, replies=None, views=None)
    return MentionAnswer(
        id=uuid.uuid4(), brand="acme", state="live", source="bluesky", source_kind="social", native_id=text,
        published_at=NOW, text=text * 10, url=None, language="en", outlet=None, author=nobody, engagement=unseen,
        rating=None, labels="model", relevance=1.0, sentiment=None, risk=None, toxicity=None, story=None, correction=None,
    )  # fmt: skip


def sheet_of(xml: bytes) -> list[list[str]]:
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    rows = ElementTree.fromstring(xml).iter(f"{space}row")
    return [["".join(cell.itertext()) for cell in row.iter(f"{space}c")] for row in rows]


@pytest.mark.parametrize("format", ["jsonl", "csv", "xlsx"])
def test_an_empty_search_is_a_file_without_rows(client: TestClient, reader: Headers, format: str) -> None:
    made = file_of(client, reader, format=format)
    assert {"jsonl": made == b"", "csv": made.count(b"\r\n") == 1, "xlsx": made.startswith(b"PK")}[format]


def test_only_a_few_workbooks_are_made_at_a_time(app: FastAPI, client: TestClient, reader: Headers) -> None:
    slots = app.state.context.workbooks
    for _ in range(2):
        assert slots.acquire(blocking=False)
    refused = client.get("/v1/mentions/export?brand=acme&format=xlsx", headers=reader)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    slots.release()
    for _ in range(3):
        file_of(client, reader, format="xlsx")


def test_a_database_that_goes_away_before_the_first_row_is_said_so(
    client: TestClient, reader: Headers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/v1/brands", headers=reader)

    def away() -> Any:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(database, "read", away)
    assert client.get("/v1/mentions/export?brand=acme", headers=reader).status_code == 503


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"format": "pdf"}, "format"), ({"fields": "secret"}, "fields"), ({"spreadsheet": "de"}, "spreadsheet")],
)
def test_a_file_that_cannot_be_made_is_named(
    client: TestClient, reader: Headers, parameters: dict[str, str], field: str
) -> None:
    answer = client.get("/v1/mentions/export", params={"brand": "acme", **parameters}, headers=reader)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
