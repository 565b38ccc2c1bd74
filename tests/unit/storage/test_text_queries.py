"""What people type into the search box, and how texts are cut for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.storage.text_index import tokens
from tocsin.storage.text_queries import LONGEST_WORD, MOST_TERMS, Term, TextQuery, UnsearchableText, parse


@pytest.mark.parametrize(
    ("typed", "wanted", "excluded"),
    [
        ("Éclair ŒUVRE", [Term(("eclair",)), Term(("oeuvre",))], []),
        ('"verre brisé" pots', [Term(("verre", "brise")), Term(("pots",))], []),
        ("« verre brisé »", [Term(("verre", "brise"))], []),
        ('rappel -concours -"jeu gratuit"', [Term(("rappel",))], [Term(("concours",)), Term(("jeu", "gratuit"))]),
        ("boycot*", [Term(("boycot",), beginning=True)], []),
        ('"appel au boyc"*', [Term(("appel", "au", "boyc"), beginning=True)], []),
        ("l'avion air-france", [Term(("l", "avion")), Term(("air", "france"))], []),
        ("#BoycottAcme @acme", [Term(("boycottacme",)), Term(("acme",))], []),
        ("退款", [Term(("退", "款"))], []),
        ('"never closed', [Term(("never", "closed"))], []),
        ("- plain", [Term(("plain",))], []),
        ("AND OR NOT NEAR(", [Term(("and",)), Term(("or",)), Term(("not",)), Term(("near",))], []),
    ],
)
def test_words_phrases_beginnings_and_exclusions(typed: str, wanted: list[Term], excluded: list[Term]) -> None:
    assert parse(typed) == TextQuery(tuple(wanted), tuple(excluded))


@pytest.mark.parametrize("typed", ["", " ", '""', "-", "*", "«»", "!?…"])
def test_a_query_without_a_word_says_what_to_write(typed: str) -> None:
    with pytest.raises(UnsearchableText, match="a phrase"):
        parse(typed)


def test_a_query_has_so_many_words_and_no_more() -> None:
    assert len(parse("a " * MOST_TERMS).wanted) == MOST_TERMS
    with pytest.raises(UnsearchableText, match="leave some out"):
        parse("a-" * (MOST_TERMS + 1))


@given(st.text())
def test_whatever_is_typed_is_understood_or_refused_and_no_word_holds_a_space(typed: str) -> None:
    try:
        query = parse(typed)
    except UnsearchableText:
        return
    words = [word for term in (*query.wanted, *query.excluded) for word in term.words]
    assert words
    assert all(word and len(word) <= LONGEST_WORD and not set(word) & set(" \"'\x00") for word in words)


def test_a_text_of_any_length_makes_tokens_that_a_database_can_keep() -> None:
    nothing = dict.fromkeys(("source", "source_kind", "language", "author_key", "author_name"))
    made = tokens(brand="acme", text="𝒳𐌰" * 90 + " word" * 50_000, risk_kinds=(), **nothing)
    assert len(made.encode()) < 500_000
