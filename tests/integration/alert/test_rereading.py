"""What an evaluation does not read again stands there as it was; what another process wrote is read. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from sqlalchemy import event
from sqlalchemy.orm import Session

from services.alert.detection.blocks import HourBlock, build_block, dump_block, marks_of
from services.alert.detection.observations import HarmfulRates
from services.alert.detection.stories import StoryBook, Telling
from services.alert.rereading import Seen
from tests.records import NOON
from tests.unit.detection.given import observation
from tocsin.contracts.settings.detection import StorySettings
from tocsin.storage import blocks
from tocsin.storage.database import Database

HOUR = timedelta(hours=1)
LATER = NOON + 24 * HOUR


def hour_of(*authors: str) -> HourBlock:
    """The block of an hour in which these wrote."""
    said = [observation(NOON + timedelta(minutes=place), author=author) for place, author in enumerate(authors)]
    return build_block(marks_of(said, HarmfulRates(), lambda _text: False))


def as_read(session: Session, seen: Seen) -> dict[object, bytes | None]:
    found = seen.blocks(session, "acme", NOON, LATER)
    return {hour: None if block is None else dump_block(block) for hour, block in found.items()}


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is read meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    yield sent
    event.remove(session.get_bind(), "before_cursor_execute", note)


def test_an_hour_that_this_process_wrote_is_not_read_again(database: Database) -> None:
    seen, written = Seen(), {NOON: hour_of("ann", "bob"), NOON + HOUR: hour_of("cem")}
    with database.unit_of_work() as session:
        seen.write_blocks(session, "acme", written)
    with database.unit_of_work() as session, statements(session) as sent:
        assert as_read(session, seen) == {hour: dump_block(block) for hour, block in written.items()}
        assert len(sent) == 1


def test_an_hour_that_another_process_wrote_is_read(database: Database) -> None:
    seen, more = Seen(), hour_of("ann", "bob")
    with database.unit_of_work() as session:
        seen.write_blocks(session, "acme", {NOON: hour_of("ann")})
    with database.unit_of_work() as session:
        Seen().write_blocks(session, "acme", {NOON: more})
    with database.unit_of_work() as session:
        assert as_read(session, seen) == {NOON: dump_block(more)}


def test_an_hour_that_no_window_reaches_any_more_is_taken_away(database: Database) -> None:
    seen, written = Seen(), {NOON: hour_of("ann"), NOON + HOUR: hour_of("bob")}
    with database.unit_of_work() as session:
        seen.write_blocks(session, "acme", written)
        seen.write_blocks(session, "other", written)
        assert set(seen.blocks(session, "acme", NOON + HOUR, LATER)) == {NOON + HOUR}
        assert set(seen.blocks(session, "acme", NOON, LATER)) == {NOON + HOUR}
        assert set(seen.blocks(session, "other", NOON, LATER)) == set(written)


def test_what_was_rolled_back_is_not_taken_for_what_is_written(database: Database) -> None:
    seen, settings, before = Seen(), StorySettings(), hour_of("ann")
    with database.unit_of_work() as session:
        seen.write_blocks(session, "acme", {NOON: before})
        seen.write_book(session, "acme", StoryBook(settings))
    with suppress(RuntimeError), database.unit_of_work() as session:
        seen.write_blocks(session, "acme", {NOON: hour_of("ann", "bob")})
        book = seen.book(session, "acme", settings)
        book.assign([Telling("m1", NOON, "The jars break in the oven", "one")])
        seen.write_book(session, "acme", book)
        raise RuntimeError
    with database.unit_of_work() as session:
        assert as_read(session, seen) == {NOON: dump_block(before)}
        assert seen.book(session, "acme", settings).dump() == StoryBook(settings).dump()


def test_a_book_goes_on_as_one_that_is_read_again(database: Database) -> None:
    seen, settings = Seen(), StorySettings()
    for number in range(12):
        embedding = bytes((number % 4 * 7 + place * place + number) % 100 for place in range(384))
        said = [Telling(f"m{number}", NOON, f"The jars break in oven {number}", str(number), embedding)]
        with database.unit_of_work() as session:
            read = StoryBook(settings, blocks.load_book(session, "acme"))
            book = seen.book(session, "acme", settings)
            assert book.assign(said) == read.assign(said)
            assert book.dump() == read.dump()
            seen.write_book(session, "acme", book)


def test_other_settings_of_stories_have_a_book_made_for_them(database: Database) -> None:
    seen, few = Seen(), StorySettings(stories=10)
    with database.unit_of_work() as session:
        seen.write_book(session, "acme", StoryBook(StorySettings()))
        assert seen.book(session, "acme", few).settings == few


def test_what_is_kept_is_bounded(database: Database) -> None:
    seen = Seen(most_mentions=3, most_books=1)
    written = {NOON + place * HOUR: hour_of(f"a{place}", f"b{place}") for place in range(3)}
    with database.unit_of_work() as session:
        seen.write_blocks(session, "acme", written)
        with statements(session) as sent:
            assert as_read(session, seen) == {hour: dump_block(block) for hour, block in written.items()}
            assert len(sent) == 2, "two of three hours were forgotten, and are read together"
        for brand in ("acme", "other"):
            seen.write_book(session, brand, StoryBook(StorySettings()))
        with statements(session) as sent:
            seen.book(session, "other", StorySettings())
            seen.book(session, "acme", StorySettings())
            assert len(sent) == 2, "the one is known by its fingerprint, the other is read"
