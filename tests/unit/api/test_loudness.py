"""Which mentions are shown first, and what is taken out of hostile ones."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.pages.loudness import loudest, marked_text, safe_link, shown_name, shown_text
from tests.newsroom import NOW
from tocsin.storage.searches import FoundMention
from tocsin.storage.tables.mentions import MentionState


def found(number: int, **fields: Any) -> FoundMention:
    nothing = dict.fromkeys(FoundMention.__dataclass_fields__)
    usual = {
        "id": uuid.UUID(int=number),
        "brand": "acme",
        "state": MentionState.LIVE,
        "source": "bluesky",
        "published_at": NOW,
        "text": f"text {number}",
        "labels": "model",
        "relevance": 1.0,
        "risk": 0.5,
        "risk_kinds": (),
        "copy_key": f"text {number}",
    }
    return FoundMention(**{**nothing, **usual, **fields})  # type: ignore[arg-type]


def numbers(mentions: list[FoundMention], limit: int = 10) -> list[int]:
    return [item.mention.id.int for item in loudest(mentions, limit)]


def test_reach_makes_louder() -> None:
    assert numbers([found(1), found(2, author_followers=50_000), found(3, likes=400)]) == [2, 3, 1]


def test_a_harmless_celebrity_is_not_louder_than_a_dangerous_nobody() -> None:
    assert numbers([found(1, risk=0.05, author_followers=2_000_000), found(2, risk=0.95, author_followers=10)]) == [
        2,
        1,
    ]


def test_copies_are_shown_once_by_their_loudest_and_counted() -> None:
    copies = [found(number, copy_key="same", author_followers=number) for number in range(1, 41)]
    shown = loudest([*copies, found(99)], 10)
    assert [(item.mention.id.int, item.copies) for item in shown] == [(40, 40), (99, 1)]


def test_mentions_without_a_text_to_compare_are_no_copies_of_each_other() -> None:
    assert len(loudest([found(1, copy_key=""), found(2, copy_key="")], 10)) == 2


def test_no_more_are_shown_than_asked_for_and_equals_keep_an_order() -> None:
    mentions = [found(number) for number in range(1, 9)]
    assert numbers(mentions, 3) == numbers(mentions[::-1], 3) == [1, 2, 3]


def test_a_negative_mention_without_a_risk_score_still_counts() -> None:
    assert numbers([found(1, risk=0.1), found(2, risk=None)]) == [2, 1]


def test_reading_direction_cannot_be_turned_round_by_a_text() -> None:
    assert shown_text("Acme \u202eelos\u202c is\u2066 bad\u2069\u200f") == "Acme elos is bad"


def test_control_characters_and_lone_surrogates_become_spaces() -> None:
    assert shown_text("a\x00b\x1b[31mc\nd\ud800e") == "a b [31mc d e"


@pytest.mark.parametrize("text", ["👩\u200d👧\u200d👦", "می\u200cخواهم", "क्\u200dष", "cafe\u0301"])
def test_joiners_that_writing_needs_are_kept(text: str) -> None:
    assert shown_text(text) == text


def test_long_texts_and_names_are_cut() -> None:
    assert len(shown_text("word " * 10_000)) <= 420
    assert shown_text("word " * 10_000).endswith("…")
    assert len(shown_name("n" * 500)) <= 80


@pytest.mark.parametrize("url", ["https://example.org/a?b=c", "http://example.org", " https://example.org/ "])
def test_links_to_the_web_are_kept(url: str) -> None:
    assert safe_link(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "https:",
        "http://[",
        "ftp://x/y",
    ],
)
def test_links_to_anything_else_are_left_out(url: str | None) -> None:
    assert safe_link(url) is None


def shown(text: str | None, *marks: tuple[int, int, float]) -> list[tuple[str, int]]:
    explanation = [{"start": start, "end": end, "weight": weight} for start, end, weight in marks]
    return [(words.text, words.moved) for words in marked_text(found(1, text=text, explanation=explanation))]


def test_the_words_that_made_it_risky_are_marked_the_strongest_most() -> None:
    assert shown("a nice bad thing, awful", (7, 10, 2.0), (2, 6, -1.0), (18, 23, 0.4)) == [
        ("a nice", 0),
        (" ", 0),
        ("bad", 2),
        (" ", 0),
        ("thing,", 0),
        (" ", 0),
        ("awful", 1),
    ]


def test_a_text_without_an_explanation_is_shown_as_it_is() -> None:
    assert shown("just a text") == [("just a text", 0)]
    assert shown(None) == shown("") == []


def test_places_outside_the_text_or_across_each_other_mark_nothing() -> None:
    words = shown("a bad thing", (-3, 2, 1.0), (2, 5, 1.0), (4, 8, 1.0), (9, 900, 1.0), (6, 6, 1.0))
    assert [text for text, moved in words if moved] == ["bad"]


@given(
    st.text(max_size=600),
    st.lists(st.tuples(st.integers(-5, 700), st.integers(-5, 700), st.floats(-3, 3)), max_size=8),
)
def test_marked_or_not_the_same_text_is_shown(text: str, marks: list[tuple[int, int, float]]) -> None:
    assert "".join(words for words, _ in shown(text, *marks)) == shown_text(text)


def test_a_copy_lends_its_explanation_to_a_louder_one_with_the_same_words() -> None:
    explanation = [{"start": 0, "end": 3, "weight": 1.0}]
    quiet = found(1, copy_key="same", text="bad news", explanation=explanation)
    loud = found(2, copy_key="same", text="bad news", author_followers=10_000)
    other = found(3, copy_key="same", text="Bad news!", author_followers=90_000)
    assert [item.mention.explanation for item in loudest([quiet, loud], 3)] == [explanation]
    assert [item.mention.explanation for item in loudest([quiet, other], 3)] == [None]
