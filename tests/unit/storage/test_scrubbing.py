"""Somebody's words go out of what was made of them, and nobody else's with them."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tocsin.storage.scrubbing import ERASED, SHORTEST, Words, scrub, scrub_text

TEXT = "There are shards of glass in the yoghurt of this morning, be careful"
SOMEBODY = UUID("00000000-0000-0000-0000-000000000007")


def words(*texts: str, names: tuple[str, ...] = ()) -> Words:
    return Words.of(texts, names, [SOMEBODY])


def test_a_quotation_goes_wherever_it_was_cut_and_what_stands_around_it_stays() -> None:
    reason = "38 harmful mentions in 1 h; main story: “There are shards of glass in the yoghurt…” (31 authors)."
    assert scrub_text(reason, words(TEXT)) == f"38 harmful mentions in 1 h; main story: “{ERASED}…” (31 authors)."


def test_a_short_text_goes_where_it_stands_as_a_whole() -> None:
    assert (
        scrub_text("loudest: “Shame!”, “Shameful company”", words("Shame!"))
        == f"loudest: “{ERASED}”, “Shameful company”"
    )


def test_a_name_goes_as_a_word_and_not_out_of_other_words() -> None:
    assert scrub_text("Ann and Annette", words("", names=("Ann",))) == f"{ERASED} and Annette"


def test_ids_leave_their_lists_wherever_they_are() -> None:
    evidence = {
        "stories": [{"title": TEXT, "examples": [str(SOMEBODY), "another"]}],
        "loudest": [{"mention_id": str(SOMEBODY)}],
    }
    assert scrub(evidence, words(TEXT)) == {"stories": [{"title": ERASED, "examples": ["another"]}], "loudest": []}


def test_numbers_and_nothing_stay_as_they_are() -> None:
    value = {"score": 87.5, "at": None, "cold": False, "windows": [1, 2]}
    assert scrub(value, words(TEXT)) == value


@given(st.text(max_size=200), st.text(min_size=SHORTEST, max_size=80), st.text(max_size=200))
def test_no_long_piece_of_an_erased_text_is_left(before: str, erased: str, after: str) -> None:
    whole = " ".join(erased.split())
    left = scrub_text(f"{before}{whole}{after}", words(erased))
    if len(whole) >= SHORTEST:
        assert whole not in left


@given(st.text(alphabet="abc ", max_size=100))
def test_a_text_of_other_words_is_left_alone(text: str) -> None:
    assert scrub_text(text, words(TEXT)) == text
