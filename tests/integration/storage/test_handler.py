"""The handler writes every record's effect once, whatever comes twice, late, crosswise or at the same moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from services.alert.handler import AlertHandler
from tests.at_once import at_once
from tests.contents import SETTINGS, Contents
from tests.records import NOON, classified, classified_record, identifier, record, removal_record, tick_record
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.failures import InvalidRecords
from tocsin.bus.port import Outgoing, Record
from tocsin.contracts import topics
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, encode_classified
from tocsin.contracts.events import Author, AuthorRole, LabelQuality, RemovalReason
from tocsin.storage import brands, mentions, ticks
from tocsin.storage.database import Database
from tocsin.storage.tables.mentions import (
    DirtyHourTable,
    HourCountTable,
    MentionBrandTable,
    MentionIdentityTable,
    MentionState,
    MentionTable,
)

DELETED, ERASED, UNMATCHED = RemovalReason.DELETED, RemovalReason.ERASED, RemovalReason.UNMATCHED
HOUR = timedelta(hours=1)


def test_each_record_twice_is_each_record_once(handler: AlertHandler, contents: Contents) -> None:
    records = [
        classified_record("1", brand="acme", brands=["acme", "zenith"]),
        classified_record("1", brand="zenith", brands=["acme", "zenith"]),
        classified_record("2", negative=0.1),
        removal_record("2", revision=3),
    ]
    handler.handle(records)
    once, counted = contents.rows(), contents.hour_counts()
    handler.handle(records + records)
    for item in records:
        handler.handle([item])
    assert contents.rows() == once
    assert contents.hour_counts() == counted
    assert counted[("acme", NOON)]["mentions"] == 2


@pytest.mark.parametrize("why", [DELETED, ERASED, UNMATCHED])
def test_a_removal_does_the_same_before_and_after_its_mention(
    handler: AlertHandler, contents: Contents, why: RemovalReason
) -> None:
    handler.handle([classified_record("after", author="ann")])
    handler.handle([removal_record("after", revision=2, why=why)])
    handler.handle([removal_record("before", revision=2, why=why)])
    handler.handle([classified_record("before", author="ann")])
    handler.handle([removal_record("among", revision=2, why=why), classified_record("among", author="ann")])
    own = dict.fromkeys(("id", "mention_id", "copy_key", "search_number"))
    seen = [{**row, **own} for row in contents.rows()]
    size = len(seen) // 3
    assert len(seen) == 3 * size
    assert all(row == seen[0] for row in seen[:3])
    assert all(row == seen[3] for row in seen[3:])
    assert seen[0]["text"] is None
    expected = {("acme", NOON): 3} if why is DELETED else {}
    assert {key: numbers["mentions"] for key, numbers in contents.hour_counts().items()} == expected


@pytest.mark.parametrize("why", [DELETED, ERASED, UNMATCHED])
def test_removals_at_the_same_moment_as_their_mentions(
    handler: AlertHandler, contents: Contents, why: RemovalReason
) -> None:
    names = [str(number) for number in range(30)]
    at_once(
        lambda: [handler.handle([classified_record(name) for name in names[i : i + 5]]) for i in range(0, 30, 5)],
        lambda: [
            handler.handle([removal_record(name, revision=2, why=why) for name in names[i : i + 5]])
            for i in range(0, 30, 5)
        ],
    )
    state = {DELETED: MentionState.DELETED, ERASED: MentionState.ERASED, UNMATCHED: MentionState.UNMATCHED}[why]
    rows = [row for row in contents.rows() if "state" in row]
    assert [row["state"] for row in rows] == [state] * 30
    assert {row["text"] for row in rows} == {None}
    assert contents.hour_counts() == contents.counted_from_nothing()


def test_an_edit_that_drops_one_of_two_brands(handler: AlertHandler, contents: Contents) -> None:
    for brand in ("acme", "zenith"):
        handler.handle([classified_record("1", brand=brand, brands=["acme", "zenith"])])
    assert set(contents.hour_counts()) == {("acme", NOON), ("zenith", NOON)}
    handler.handle([classified_record("1", brand="acme", revision=2)])
    assert set(contents.hour_counts()) == {("acme", NOON)}
    # The record of the brand that is gone, once more and late.
    handler.handle([classified_record("1", brand="zenith", brands=["acme", "zenith"])])
    assert set(contents.hour_counts()) == {("acme", NOON)}


def test_an_edit_that_drops_all_brands_until_one_that_has_one_again(handler: AlertHandler, contents: Contents) -> None:
    handler.handle([classified_record("1")])
    handler.handle([removal_record("1", revision=2, why=UNMATCHED)])
    assert contents.hour_counts() == {}
    handler.handle([classified_record("1", revision=1)])
    assert contents.hour_counts() == {}
    handler.handle([classified_record("1", revision=3)])
    assert set(contents.hour_counts()) == {("acme", NOON)}


def test_an_older_revision_that_arrives_last(handler: AlertHandler, contents: Contents) -> None:
    handler.handle([classified_record("1", revision=2, negative=0.1, at=NOON + HOUR)])
    before = contents.rows()
    handler.handle([classified_record("1", revision=1, negative=0.9, at=NOON + HOUR)])
    assert contents.rows() == before
    assert contents.hour_counts()[("acme", NOON + HOUR)]["harmful"] == 0


def test_two_processes_that_have_the_same_records_at_once(
    database: Database, handler: AlertHandler, contents: Contents, clock: Any, bus: EmbeddedBus
) -> None:
    other_database = Database(database.url.render_as_string(hide_password=False))
    other = AlertHandler(other_database, clock, SETTINGS, bus)
    batches = [
        (
            classified_record(str(number), brand=brand, brands=["acme", "zenith"], revision=revision),
            removal_record(str(number), revision=revision + 1, why=UNMATCHED),
        )
        for number in range(8)
        for revision in (1, 3)
        for brand in ("acme", "zenith")
    ]
    flat = [item for batch in batches for item in batch]
    at_once(
        lambda: [handler.handle(flat[start : start + 8]) for start in range(0, len(flat), 8)],
        lambda: [other.handle(flat[start : start + 8][::-1]) for start in range(len(flat) - 8, -1, -8)],
        lambda: [contents.recount("acme") for _ in range(5)],
    )
    other_database.close()
    rows = [row for row in contents.rows() if "state" in row]
    assert {(row["state"], row["revision"]) for row in rows} == {(MentionState.UNMATCHED, 3)}
    assert contents.hour_counts() == contents.counted_from_nothing() == {}


def test_authors_are_counted_once_an_hour_and_the_brands_own_never(handler: AlertHandler, contents: Contents) -> None:
    own = Author(id="acme-care", role=AuthorRole.OWN)
    handler.handle(
        [
            *(classified_record(str(number), author="ann") for number in range(5)),
            *(classified_record(f"nameless {number}", author=None) for number in range(2)),
            record(
                topics.CLASSIFIED,
                encode_classified(classified("own").model_copy(update={"author": own}), source="test", at=NOON),
            ),
        ]
    )
    counted = contents.hour_counts()[("acme", NOON)]
    assert (counted["mentions"], counted["authors"], counted["harmful"]) == (7, 3, 3)
    assert any(row.get("author_role") == "own" for row in contents.rows())


def test_what_is_deleted_counts_as_before(handler: AlertHandler, contents: Contents) -> None:
    handler.handle([classified_record("1", text="Boycott them all"), classified_record("2", author="ben")])
    before = contents.hour_counts()
    handler.handle([removal_record("1", revision=2, why=DELETED)])
    assert contents.hour_counts() == before
    assert before[("acme", NOON)]["crisis"] == 1


def test_late_mentions_teach_and_wake_nobody(handler: AlertHandler, contents: Contents) -> None:
    late = NOON + 3 * HOUR
    handler.handle([classified_record("late", received_at=late), classified_record("in time", author="ben")])
    wakes = {row["native_id"]: row["wakes"] for row in contents.rows() if "state" in row}
    assert wakes == {"late": False, "in time": True}
    assert contents.hour_counts()[("acme", NOON)]["authors"] == 2


def test_what_is_imported_or_replayed_teaches_only_until_it_comes_live(
    handler: AlertHandler, contents: Contents
) -> None:
    live = classified_record("1")
    replayed = replace(live, headers=(*live.headers, (TEACHES_ONLY_HEADER, b"1")))
    handler.handle([replayed])
    assert contents.rows()[0]["wakes"] is False
    handler.handle([live])
    handler.handle([replayed])
    assert contents.rows()[0]["wakes"] is True


def test_an_erased_mention_is_blanked_on_the_bus_too(
    handler: AlertHandler, contents: Contents, bus: EmbeddedBus
) -> None:
    def publish() -> None:
        producer = bus.producer()
        for name in ("1", "2"):
            encoded = encode_classified(classified(name), source="test", at=NOON)
            producer.send(Outgoing(topics.CLASSIFIED, encoded.key, encoded.value, encoded.headers))
        producer.flush()
        producer.close()

    publish()
    handler.handle(list(bus.read(topics.CLASSIFIED)))
    handler.handle([removal_record("1", why=ERASED)])
    left = [item.value for item in bus.read(topics.CLASSIFIED)]
    assert len(left) == 1
    assert b"What 2 says" in left[0]
    # And what was still under way when it was erased.
    publish()
    handler.handle(list(bus.read(topics.CLASSIFIED)))
    assert all(b"What 1 says" not in item.value for item in bus.read(topics.CLASSIFIED))


def test_invalid_records_are_told_together_and_nothing_of_the_batch_is_written(
    handler: AlertHandler, contents: Contents
) -> None:
    def broken(**changes: Any) -> Record:
        return record(
            topics.CLASSIFIED, encode_classified(classified("1").model_copy(update=changes), source="test", at=NOON)
        )

    good = classified_record("good")
    bad = [
        Record(topics.CLASSIFIED, 0, 1, b"acme", b"{", (("ce_type", b"mention.classified"),), NOON),
        Record(topics.CLASSIFIED, 0, 2, b"acme", b"", (), NOON),
        broken(text="half\x00text"),
        broken(url="https://example.org/\x00"),
        broken(revision=2**70),
        broken(mention_id=identifier("another")),
        broken(embedding="not base64!"),
    ]
    with pytest.raises(InvalidRecords) as caught:
        handler.handle([bad[0], good, *bad[1:]])
    assert [failure.record for failure in caught.value.failures] == bad
    assert contents.rows() == []
    handler.handle([good])
    assert len(contents.rows()) == 2


def test_text_of_every_kind_is_kept_as_it_is(handler: AlertHandler, contents: Contents) -> None:
    text = "\\u0000 no NUL; 'quoted' \"too\" 😡 नमस्ते مرحبا \u202e" + "x" * 100_000
    handler.handle([classified_record("1", text=text)])
    assert contents.rows()[0]["text"] == text


def test_ticks_say_how_far_the_stream_is_complete(handler: AlertHandler, database: Database) -> None:
    def complete() -> object:
        with database.read() as session:
            return ticks.complete_up_to(session, classified_partitions=2, mentions_partitions=1)

    handler.handle([tick_record(NOON, partition=0)])
    assert complete() is None
    handler.handle([tick_record(NOON + HOUR, partition=1), tick_record(NOON + 2 * HOUR, partition=0)])
    assert complete() == NOON + HOUR
    handler.handle([tick_record(NOON, partition=1)])
    assert complete() == NOON + HOUR


def test_tombstones_go_when_the_stream_is_complete_past_them_and_erasures_stay(
    handler: AlertHandler, contents: Contents, database: Database
) -> None:
    handler.handle(
        [
            removal_record("never seen", at=NOON),
            removal_record("removed later", at=NOON + HOUR),
            removal_record("erased", why=ERASED),
            classified_record("seen"),
            removal_record("seen", revision=2),
        ]
    )
    for complete, gone in ((NOON + HOUR, 0), (NOON + HOUR + timedelta(seconds=1), 1)):
        with database.unit_of_work() as session:
            assert mentions.forget_tombstones(session, complete) == gone
    left = {row["id"] for row in contents.rows() if "state" in row}
    assert left == {identifier("removed later"), identifier("erased"), identifier("seen")}


def test_a_brand_that_is_mentioned_for_the_first_time_is_due(handler: AlertHandler, database: Database) -> None:
    handler.handle([classified_record("1", brand="newcomer")])
    with database.unit_of_work() as session:
        assert brands.claim_due(session, "me", now=NOON, length=HOUR) == ["newcomer"]


def test_two_processes_that_have_other_times_of_publication_for_the_same_mentions(
    database: Database, handler: AlertHandler, contents: Contents, clock: Any, bus: EmbeddedBus
) -> None:
    other_database = Database(database.url.render_as_string(hide_password=False))
    other = AlertHandler(other_database, clock, SETTINGS, bus)

    def of(revision: int) -> list[Record]:
        # Each revision in another month than the one before; nobody has made any of them.
        at = NOON - revision * 40 * 24 * HOUR
        return [classified_record(str(number), revision=revision, at=at, author=str(number)) for number in range(12)]

    at_once(
        lambda: [handler.handle(of(revision)) for revision in (1, 4, 5)],
        lambda: [other.handle(of(revision)[::-1]) for revision in (2, 3, 6)],
        lambda: [contents.recount("acme") for _ in range(5)],
    )
    other_database.close()
    last = NOON - 6 * 40 * 24 * HOUR
    rows = contents.rows()
    assert {(row["revision"], row["published_at"]) for row in rows} == {(6, last)}
    assert len(rows) == 24
    assert contents.hour_counts() == contents.counted_from_nothing()
    assert {hour for _, hour in contents.hour_counts()} == {last}


def test_a_corrected_time_of_publication_takes_everything_along(handler: AlertHandler, contents: Contents) -> None:
    link = "https://a.example/?utm_campaign=may"
    handler.handle(
        [classified_record("1", brand=brand, brands=["acme", "zenith"], url=link) for brand in ("acme", "zenith")]
    )
    moved = NOON - 70 * 24 * HOUR
    handler.handle([classified_record("1", revision=2, at=moved, url=link)])
    handler.handle([removal_record("1", revision=3, why=DELETED)])
    handler.handle([classified_record("1", revision=2, at=moved, url=link)])
    assert [(row["published_at"], row.get("brand")) for row in contents.rows()] == [(moved, None), (moved, "acme")]
    assert set(contents.hour_counts()) == {("acme", moved)}


NAMES = st.sampled_from(["1", "2", "3"])


@st.composite
def streams(draw: st.DrawFn) -> list[Record]:
    """Everything that is said of a few mentions: whole revisions, one record a brand, and removals."""
    records = []
    for name, revision in sorted(draw(st.sets(st.tuples(NAMES, st.integers(1, 3)), max_size=6))):
        mentioned = sorted(draw(st.sets(st.sampled_from(["acme", "zenith"]), min_size=1)))
        # Most revisions keep the hour or month of publication; some correct it, and the mention moves.
        author, hours = draw(st.sampled_from(["ann", "ben", None])), draw(st.sampled_from([0, 1, 2, 800, -300_000]))
        for brand in mentioned:
            for labels in draw(st.sets(st.sampled_from(list(LabelQuality)), min_size=1)):
                records.append(
                    classified_record(
                        name,
                        brand=brand,
                        brands=mentioned,
                        revision=revision,
                        labels=labels,
                        author=author,
                        negative=round(0.2 * revision + 0.01 * labels.rank, 3),
                        at=NOON + hours * HOUR,
                    )
                )
    for name, why, revision in sorted(
        draw(st.sets(st.tuples(NAMES, st.sampled_from([*RemovalReason]), st.integers(1, 4)), max_size=3))
    ):
        records.append(removal_record(name, why=why, revision=revision))
    return records


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=streams(), data=st.data())
def test_any_order_with_repetitions_and_any_cut_into_batches_gives_the_same_rows_and_counts(
    database: Database, handler: AlertHandler, contents: Contents, records: list[Record], data: st.DataObject
) -> None:
    empty(database)
    handler.handle(records)
    expected, counted = contents.rows(), contents.hour_counts()
    assert counted == contents.counted_from_nothing()
    repeated = records + (data.draw(st.lists(st.sampled_from(records), max_size=5)) if records else [])
    empty(database)
    for batch in cut(data.draw(st.permutations(repeated)), data.draw(st.integers(1, 4))):
        handler.handle(batch)
        if data.draw(st.booleans()):
            contents.recount("acme")
    assert contents.rows() == expected
    assert contents.hour_counts() == counted


def empty(database: Database) -> None:
    with database.unit_of_work() as session:
        for table in (MentionBrandTable, MentionTable, MentionIdentityTable, HourCountTable, DirtyHourTable):
            session.execute(delete(table))


def cut(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    return [records[start : start + size] for start in range(0, len(records), size)]
