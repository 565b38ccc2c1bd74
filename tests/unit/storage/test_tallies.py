"""Hours counted beforehand add up to what counting their mentions one by one gives."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.storage import distinct
from tocsin.storage.counts import ObservedRow
from tocsin.storage.tallies import SLOT, Spans, Split, Tally, add_rows, slots_from_json, tally_hours
from tocsin.storage.thresholds import Thresholds

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOURS = 3
HOUR = timedelta(hours=1)
THRESHOLDS = Thresholds()


@st.composite
def rows(draw: st.DrawFn) -> ObservedRow:
    likes = draw(st.none() | st.integers(0, 2**40))
    return ObservedRow(
        mention_id=str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1)))),
        at=BEGIN + timedelta(microseconds=draw(st.integers(0, HOURS * 3600 * 10**6 - 1))),
        author_key=draw(st.none() | st.sampled_from("abcdefgh")),
        sentiment=draw(st.none() | st.sampled_from(("negative", "neutral", "positive"))),
        risk=draw(st.none() | st.sampled_from((0.0, 0.99))),
        risk_kinds=tuple(draw(st.lists(st.sampled_from(("fraud", "legal", "privacy")), max_size=3))),
        toxicity=None,
        relevance=draw(st.sampled_from((0.0, 1.0))),
        language=draw(st.none() | st.sampled_from(("fr", "pt-BR", "pt"))),
        followers=draw(st.none() | st.integers(0, 2**40)),
        role=draw(st.sampled_from(("public", "own"))),
        source=draw(st.sampled_from(("mastodon", "rss"))),
        source_kind="social",
        text="",
        copy_key="",
        engagement=likes or 0,
        repost=False,
        wakes=True,
        views=draw(st.none() | st.integers(0, 2**40)),
        has_engagement=likes is not None,
    )


@given(st.lists(rows(), max_size=40))
def test_hours_and_their_five_minutes_are_what_the_mentions_add_up_to(said: list[ObservedRow]) -> None:
    counted = tally_hours(said, THRESHOLDS)
    for split in (None, *Split):
        name = "" if split is None else split.value
        hours: Spans = [{} for _ in range(HOURS)]
        slots: Spans = [{} for _ in range(HOURS * 12)]
        for hour in range(HOURS):
            for (of, value), tally in counted.get(BEGIN + hour * HOUR, {}).items():
                if of == name:
                    hours[hour][value] = taken(tally.numbers, tally.authors)
                    for slot, numbers, authors in slots_from_json(tally.slots):
                        slots[hour * 12 + slot][value] = taken(numbers, authors)
        assert summed(hours) == summed(one_by_one(said, HOUR, split))
        assert summed(slots) == summed(one_by_one(said, SLOT, split))


def one_by_one(said: list[ObservedRow], length: timedelta, split: Split | None) -> Spans:
    edges = [BEGIN + number * length for number in range(HOURS * HOUR // length + 1)]
    spans: Spans = [{} for _ in edges[1:]]
    add_rows(spans, edges, said, split, THRESHOLDS)
    return spans


def taken(numbers: object, authors: bytes) -> Tally:
    tally = Tally()
    tally.take(numbers, [authors])  # type: ignore[arg-type]
    return tally


def summed(spans: Spans) -> list[dict[str, tuple[object, list[bytes]]]]:
    """Numbers, and the very authors: as they are packed where they came one by one."""
    return [
        {
            value: (tally.numbers, tally.packed_authors or [distinct.pack(tally.digests)])
            for value, tally in span.items()
        }
        for span in spans
    ]
