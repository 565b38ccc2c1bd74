"""Files are read line by line: what is broken is told with its line and reason, and the rest goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.normalising import Normaliser
from services.ingest.reading import Rejected, UnreadableFile, newest_publication, read_mentions
from services.ingest.sources.lines import LONGEST_LINE_BYTES, BrokenLine, FileFormat, Line, read_lines
from tests.requirements import data_folder
from tocsin.clock import ManualClock, SystemClock
from tocsin.contracts.events import Mention

CLOCK = ManualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
NORMALISER = Normaliser(lambda text: None)


def line(native_id: str = "1", text: str = "It leaks.", **fields: object) -> bytes:
    raw = {"source": "forum", "native_id": native_id, "text": text, "published_at": "2026-03-01T11:00:00Z", **fields}
    return json.dumps(raw).encode()


def read(content: bytes | Path, columns: Mapping[str, str] | None = None) -> list[Mention | Rejected]:
    file = content if isinstance(content, Path) else BytesIO(content)
    return list(read_mentions(file, CLOCK, normaliser=NORMALISER, columns=columns))


def told(items: list[Mention | Rejected]) -> list[str]:
    """Native ids of the mentions, and what is said of the others."""
    return [str(item) if isinstance(item, Rejected) else item.native_id for item in items]


def test_broken_lines_are_told_with_their_number_and_the_rest_goes_on() -> None:
    lines = [
        b"\xef\xbb\xbf" + line("1"),
        b"{not json",
        b"",
        line("4"),
        b'"a string"',
        b"[1]",
        line("7", published_at="2026-03-01T11:00:00"),
        line("8", text=""),
        b'{"text": "\xff\xfe"}',
        b'{"rating": {"value": NaN}}',
        b"[" * 100_000,
        line("12", text="x" * 1_000_001),
        b'{"source":"forum","native_id":"13","text":"half \\ud83d a pair","published_at":"2026-03-01T11:00:00Z"}',
        line("14", published_at="2026-03-02T11:00:00Z"),
        b" " + line("15") + b" \r",
    ]
    items = read(b"\n".join(lines))
    assert [(item.line_number, item.field) for item in items if isinstance(item, Rejected)] == [
        (2, ""), (5, ""), (6, ""), (7, "published_at"), (8, "text"), (9, ""), (10, ""), (11, ""), (12, "text"), (14, "published_at"),
    ]  # fmt: skip
    assert [item.native_id for item in items if isinstance(item, Mention)] == ["1", "4", "13", "15"]
    reasons = {item.line_number: item.reason for item in items if isinstance(item, Rejected)}
    assert "no JSON" in reasons[2]
    assert "JSON object" in reasons[5]
    assert "has no offset" in reasons[7]
    assert "not UTF-8 at byte 11" in reasons[9]
    assert "NaN" in reasons[10]
    assert "nested too deeply" in reasons[11]
    assert "1,000,001 characters" in reasons[12]


def test_a_rejected_line_can_be_kept_as_it_was() -> None:
    [rejected] = read(b'{"text": "\xff"}')
    assert isinstance(rejected, Rejected)
    kept = json.loads(rejected.to_json())
    assert kept["line"] == 1
    assert kept["raw"] == '{"text": "\ufffd"}'
    assert "\ufffd" not in str(rejected)


def test_a_line_longer_than_memory_should_hold_is_passed_over() -> None:
    items = list(read_lines(BytesIO(b"x" * (LONGEST_LINE_BYTES * 2 + 5) + b"\n" + line("2") + b"\n")))
    assert isinstance(items[0], BrokenLine)
    assert len(items[0].raw) == 1000
    assert isinstance(items[1], Line)
    assert items[1].number == 2


def test_a_compressed_file_is_read_and_its_broken_end_told() -> None:
    whole = gzip.compress(line("1") + b"\n" + line("2", text="y" * 5000) + b"\n" + line("3") + b"\n", compresslevel=0)
    assert told(read(whole)) == ["1", "2", "3"]
    broken = told(read(whole[:2000]))
    assert broken[0] == "1"
    assert "breaks off here" in broken[-1]


def test_an_empty_file_has_no_mentions() -> None:
    assert read(b"") == []
    assert read(b"\n\n") == []


def test_a_table_is_read_by_its_column_names(tmp_path: Path) -> None:
    table = tmp_path / "export.csv"
    table.write_bytes(
        "\ufeffsource,native_id,text,published_at,author.id,author.followers,brands,rating.value,Notes\n"
        'reviews,1,"two\nlines, and ""quotes""",2026-03-01T11:00:00Z,ann,12,"a;b",,internal\n'
        "reviews,2,,2026-03-01T11:00:00Z,,,,1.0,\n"
        "reviews,3,too few\n"
        "reviews,4,no offset,2026-03-01T11:00:00,,,,,\n"
        "reviews,5,good,2026-03-01T11:00:00Z,,many,,,\n".encode()
        + b"reviews,6,\xe9t\xe9,2026-03-01T11:00:00Z,,,,,\n"
        + b"reviews,7,fine,2026-03-01T11:00:00Z,,,,,\n"
    )
    items = read(table)
    first, second = items[0], items[1]
    assert isinstance(first, Mention)
    assert isinstance(second, Mention)
    assert first.text == 'two\nlines, and "quotes"'
    assert first.author.id == "ann"
    assert first.author.followers == 12
    assert first.brands == ("a", "b")
    assert second.rating is not None
    assert second.rating.value == 1.0
    assert told(items)[2:] == [
        "line 5: has 3 columns, the first line has 9",
        told(items)[3],
        told(items)[4],
        "line 8: is not UTF-8; save the file as UTF-8",
        "7",
    ]
    assert "line 6: published_at: has no offset" in told(items)[3]
    assert "line 7: author.followers:" in told(items)[4]


def test_columns_can_be_mapped_and_separated_by_semicolons(tmp_path: Path) -> None:
    table = tmp_path / "export.csv"
    table.write_text("Channel;Post id;Posted;Message\nforum;1;2026-03-01T11:00:00Z;It leaks, badly\n")
    columns = {"Channel": "source", "Post id": "native_id", "Posted": "published_at", "Message": "text"}
    [mention] = read(table, columns)
    assert isinstance(mention, Mention)
    assert mention.text == "It leaks, badly"


def test_a_quote_that_is_never_closed_is_told_and_does_not_swallow_the_file(tmp_path: Path) -> None:
    table = tmp_path / "export.csv"
    rows = "".join(f"forum,{number},text {number},2026-03-01T11:00:00Z\n" for number in range(5_000))
    table.write_text('source,native_id,text,published_at\nforum,a,"never closed,2026-03-01T11:00:00Z\n' + rows)
    items = read(table)
    assert isinstance(items[0], Rejected)
    assert "no row of CSV" in items[0].reason
    assert told(items)[-1] == "4999"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a,b,c\n1,2,3\n", "native_id, published_at"),
        ("source,native_id\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_that_cannot_be_mentions_is_refused_as_a_whole(tmp_path: Path, content: bytes, complaint: str) -> None:
    table = tmp_path / "export.csv"
    table.write_bytes(content)
    with pytest.raises(UnreadableFile, match=complaint):
        read(table)


def test_the_newest_publication_is_found_whatever_the_order(tmp_path: Path) -> None:
    file = tmp_path / "mentions.jsonl"
    file.write_bytes(
        b"\n".join([line("1"), b"broken", line("2", published_at="2026-02-01T11:00:00Z"), b'{"published_at": 1}'])
    )
    assert newest_publication(file) == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    file.write_bytes(b"broken")
    assert newest_publication(file) is None


@given(st.binary())
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    with suppress(UnreadableFile):
        for item in read(content):
            str(item)


@given(st.binary())
def test_no_bytes_crash_the_reader_of_tables(content: bytes) -> None:
    head = b"source,native_id,published_at,text,brands,author.id,rating\n"
    list(read_lines(BytesIO(head + content), FileFormat.CSV))


@pytest.mark.parametrize(("name", "lines"), [("airlines_dev.jsonl", 6954), ("boycott_2012_2019.jsonl", 10191)])
def test_every_line_of_a_real_stream_is_a_mention(name: str, lines: int) -> None:
    items = list(read_mentions(data_folder() / "streams" / name, SystemClock(), normaliser=NORMALISER))
    assert [str(item) for item in items if isinstance(item, Rejected)] == []
    assert len(items) == lines
