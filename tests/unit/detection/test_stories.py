"""Near copies and stories: what belongs together, what does not, and that the book stays small and remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from services.alert.detection.blocks import build_block, dump_block, keep_stories, load_block, marks_of
from services.alert.detection.copies import compared, copy_key, resemblance, signatures
from services.alert.detection.stories import WIDTH, Given, StoryBook, Telling, untold, write_down
from tests.stories import Pair, pairs
from tests.unit.detection.given import NOW, RATES, SETTINGS, observation
from tocsin.contracts.settings.detection import StorySettings

STORIES = SETTINGS.stories


def vector(seed: int, noise: float = 0.0, of: int = 0) -> bytes:
    """An embedding in a direction of its own, and so much of another."""
    direction = np.random.default_rng(seed).normal(size=WIDTH)
    direction += noise * np.random.default_rng(10_000 + of).normal(size=WIDTH)
    return bytes(np.clip(direction * 30, -127, 127).astype(np.int8).tobytes())


def telling(name: str, text: str, embedding: bytes | None = None, minute: float = 0) -> Telling:
    return Telling(name, NOW + timedelta(minutes=minute), text, copy_key(text), embedding)


def told(book: StoryBook, *tellings: Telling) -> list[Given]:
    given = book.assign(tellings)
    return [given[item.mention_id] for item in tellings]


def shingles(text: str) -> set[str]:
    words = compared(text)
    return {words[place : place + 5] for place in range(len(words) - 4)}


def estimate(one: str, other: str) -> float:
    first, second = signatures([one, other])
    assert first is not None
    assert second is not None
    return float(resemblance(first, second[:, None])[0])


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair.language}-{'copy' if pair.copy else 'other'}")
def test_a_signature_estimates_how_much_two_texts_share(pair: Pair) -> None:
    one, other = shingles(pair.one), shingles(pair.other)
    truth = len(one & other) / len(one | other)
    # Four standard deviations of 64 draws.
    assert abs(estimate(pair.one, pair.other) - truth) <= 4 * max(0.03, (truth * (1 - truth) / 64) ** 0.5)


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair.language}-{'copy' if pair.copy else 'other'}")
def test_near_copies_by_hand_are_told_apart_from_other_texts_in_every_language(pair: Pair) -> None:
    first, second = told(StoryBook(STORIES), telling("1", pair.one), telling("2", pair.other, minute=1))
    assert (first.copies == second.copies) is pair.copy


def test_signatures_do_not_depend_on_what_else_is_asked_for() -> None:
    texts = [text for pair in pairs() for text in (pair.one, pair.other)] * 2
    together = signatures(texts)
    for text, mark in zip(texts, together, strict=True):
        (alone,) = signatures([text])
        assert (mark is None and alone is None) or np.array_equal(mark, alone)


def test_short_texts_are_copies_only_when_they_are_equal() -> None:
    book = StoryBook(STORIES)
    one, other, same = told(
        book, telling("1", "shame on you"), telling("2", "shame on them"), telling("3", "Shame on you!")
    )
    assert one.copies == same.copies != other.copies


def test_the_same_event_in_other_words_is_one_story_and_two_texts() -> None:
    book = StoryBook(STORIES)
    one, other, elsewhere = told(
        book,
        telling("1", "Glass was found in the jars of Lunéa this morning", vector(1)),
        telling("2", "Mon fils a failli avaler un éclat de verre, merci Lunéa", vector(1, 0.5, of=2)),
        telling("3", "Lunéa raises its prices by a third once again", vector(2)),
    )
    assert one.story == other.story != elsewhere.story
    assert len({one.copies, other.copies, elsewhere.copies}) == 3


def test_a_mention_without_embedding_or_without_words_has_a_story_all_the_same() -> None:
    book = StoryBook(STORIES)
    alone, picture = told(book, telling("1", "No embedding came with this one, sadly"), telling("2", ""))
    assert alone.story
    assert picture.story
    assert alone.story != picture.story


def test_copies_move_no_centre() -> None:
    pasted = "The very same sentence is pasted by many people again and again"
    book = StoryBook(STORIES)
    told(book, telling("first", "A first text about the event that happened", vector(1)))
    told(book, *(telling(f"p{n}", pasted, vector(1, 0.9, of=5), minute=n) for n in range(200)))
    late = told(book, telling("late", "A third text about that very event, later on", vector(1), minute=201))[0]
    assert late.story == told(book, telling("first again", "A first text about the event that happened"))[0].story


def book_of(many: Sequence[Telling], *, every: int) -> tuple[list[Given], StoryBook]:
    """Assign in pieces, with the book put away and opened again between them."""
    data, given = None, []
    book = StoryBook(STORIES)
    for start in range(0, len(many), every):
        book = StoryBook(STORIES, data)
        given += told(book, *many[start : start + every])
        data = book.dump()
    return given, book


def test_a_book_that_was_put_away_goes_on_where_it_was() -> None:
    words = np.random.default_rng(5).permutation([f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in "nrst"])
    many = [
        telling(f"m{n}", " ".join(np.random.default_rng(n).choice(words, 12)), vector(n % 7, 0.4, of=n), n)
        for n in range(120)
    ]
    at_once, _ = book_of(many, every=120)
    in_pieces, _ = book_of(many, every=11)
    assert in_pieces == at_once
    assert len({item.story for item in at_once}) == 7


def test_a_book_is_bounded_and_forgets_what_was_told_longest_ago() -> None:
    settings = StorySettings(stories=16, texts=32)
    book = StoryBook(settings)
    running = telling("running", "The story that goes on and on all day long", vector(1))
    first = told(book, running)[0]
    for n in range(200):
        told(
            book,
            telling(f"n{n}", f"A remark number {n} that nobody repeats, about thing {n * n}", vector(100 + n), n),
            telling(f"r{n}", f"Yet another voice ({n}) on the story that goes on", vector(1, 0.3, of=n), n),
        )
    assert len(book.dump()) <= 21 + 32 * 161 + 16 * 801
    assert told(book, telling("late", "And one more of the same story tonight", vector(1), 201))[0].story == first.story


def test_a_book_of_another_version_is_begun_anew() -> None:
    assert told(StoryBook(STORIES, b"\x63broken"), telling("1", "A text that is long enough to be compared"))[0].story


def test_an_hour_in_columns_survives_its_bytes_and_keeps_the_stories_it_was_given() -> None:
    said = [observation(NOW + timedelta(minutes=n), negative=n % 2 == 0, followers=n or None) for n in range(10)]
    block = build_block(marks_of(said, RATES, lambda _text: False))
    again = load_block(dump_block(block))
    assert again is not None
    assert again.ids == block.ids
    assert np.array_equal(again.rows, block.rows)
    new = untold(block, NOW + timedelta(minutes=4))
    assert len(new) == 5
    given = write_down(block, {item: Given(7, 9) for item in new})
    assert untold(given, NOW + timedelta(minutes=4)) == []
    more = build_block(marks_of([observation(NOW), *said[1:]], RATES, lambda _text: False))
    kept = keep_stories(more, given)
    assert [row for row in kept.rows["story"].tolist() if row] == [9] * 4
