"""What a text goes through before the tokenizer sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.classifiers.preparation import MAXIMUM_CHARACTERS, prepare


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("@Brelio où est mon colis ?", "@user où est mon colis ?"),
        ("merci @brelio@mastodon.example et @autre", "merci @user et @user"),
        ("see https://example.org/a?b=c#d now", "see http now"),
        ("WWW.Example.org", "http"),
        ("write to help@example.org", "write to help@example.org"),
        ("I &lt;3 this &amp; that", "I <3 this & that"),
        ("a\n\n  b\t c ", "a b c"),
        ("", ""),
        (" \n ", ""),
        ("merci 🤬🤬🤬🤬", "merci 😡😡"),
        ("🖕🏽 🥳", "😡 🎉"),
        ("...", ""),
        ("« … ? »", ""),
        ("؟", ""),
        (":-)", ":-)"),
        ("!!!", "!!!"),
        ("-_-", "-_-"),
        ("😀👍🏽", "😀👍🏽"),
        ("\ud83d\ude00", "😀"),
        ("C'EST UNE HONTE, la SNCF et EDF", "C'EST UNE honte, la sncf et EDF"),
        ("ÉCŒURANT", "écœurant"),
        ("iPhone McDonald", "iPhone McDonald"),
        ("soooooo baaaad, Schifffahrt", "soo baad, Schiffahrt"),
        ("100000 fois", "100000 fois"),
        ("😡😡😡 😡😡 ok 👍🏽👍🏽👍🏽👍🏽", "😡😡 ok 👍🏽👍🏽"),
        ("❤️❤️", "❤️❤️"),
        ("a\u200bb \u202eevil\u202c\ufeff", "ab evil"),
        ("क्षमा 👩\u200d🚀", "क्षमा 👩\u200d🚀"),
    ],
)
def test_prepared(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert prepare("bad \ud800 one") == "bad \ufffd one"


def test_an_entity_cannot_smuggle_a_surrogate_in() -> None:
    prepare("&#xD800; &#xDFFF;").encode()


@pytest.mark.parametrize("text", ["x" * 1_000_000, "&" * 1_000_000, "@" * 1_000_000, "😡" * 300_000, "a b " * 250_000])
def test_a_megabyte_is_cut(text: str) -> None:
    assert len(prepare(text)) <= MAXIMUM_CHARACTERS


@given(st.text(st.characters(codec=None)))
def test_whatever_comes_in_can_be_encoded(text: str) -> None:
    prepare(text).encode("utf-8")
