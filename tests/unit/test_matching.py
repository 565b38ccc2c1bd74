"""Brands are found as whole words, whatever the case, the accents and the script; and what they stand in is cut out around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.contracts.queries import Term, UnreadableQuery, as_term, parse_query
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher, Span, passage

MATCHER = BrandMatcher(
    {
        "airfrance": [as_term("Air France")],
        "france": [as_term("France")],
        "orange": [as_term("Orange")],
        "hm": [as_term("H&M")],
        "loreal": [as_term("L'Oréal")],
        "disney": [as_term("Disney+")],
        "oeuvre": [as_term("Œuvre")],
        "strasse": [as_term("Weiße Straße")],
        "hindi": [as_term("वेलोरिया")],
        "arabic": [as_term("فيلوريا")],
        "hebrew": [as_term("ולוריה")],
        "japanese": [as_term("任天堂")],
        "thai": [as_term("ทรู")],
        "korean": [as_term("애플")],
        "emoji": [as_term("🍏")],
        "tag": [as_term("#velo")],
        "handle": [as_term("@ria")],
    }
)


def found(text: str) -> dict[str, list[str]]:
    return {brand: [text[start:end] for start, end in spans] for brand, spans in MATCHER.spans(text).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My orange phone", {"orange": ["orange"]}),
        ("ORANGE!!!", {"orange": ["ORANGE"]}),
        ("l’Orangerie and the oranges", {}),
        ("deux fois orange, Orange", {"orange": ["orange", "Orange"]}),
        ("@Orange why? #orange", {"orange": ["Orange", "orange"]}),
        ("orange_fr is an account of somebody", {}),
        ("Orange™ is down", {"orange": ["Orange"]}),
        ("Flying AIR-FRANCE again", {"airfrance": ["AIR-FRANCE"], "france": ["FRANCE"]}),
        ("Air  \n France", {"airfrance": ["Air  \n France"], "france": ["France"]}),
        ("#AirFrance", {"airfrance": ["AirFrance"]}),
        ("airfrance without a sign is another word", {}),
        ("They came by air. France was cold.", {"france": ["France"]}),
        ("h & m, and H&M", {"hm": ["h & m", "H&M"]}),
        ("H M", {}),
        ("chez L’OREAL", {"loreal": ["L’OREAL"]}),
        ("Disney+ is slow", {"disney": ["Disney+"]}),
        ("Disney is slow", {}),
        ("une oeuvre", {"oeuvre": ["oeuvre"]}),
        ("WEISSE STRASSE", {"strasse": ["WEISSE STRASSE"]}),
        ("मैंने वेलोरिया खरीदा", {"hindi": ["वेलोरिया"]}),
        ("वेलोरियां is another word", {}),
        ("قالت فيلُورِيَا اليوم", {"arabic": ["فيلُورِيَا"]}),
        ("فيلـــوريا", {"arabic": ["فيلـــوريا"]}),
        ("אני שונא את ולוריה.", {"hebrew": ["ולוריה"]}),
        ("新しい任天堂の", {"japanese": ["任天堂"]}),
        ("Orangeの新製品", {"orange": ["Orange"]}),
        ("บริการทรูแย่", {"thai": ["ทรู"]}),
        ("애플은 나쁘다", {"korean": ["애플"]}),
        ("🍏🍏 bad", {"emoji": ["🍏", "🍏"]}),
        ("ｏｒａｎｇｅ and 𝐎𝐫𝐚𝐧𝐠𝐞", {"orange": ["ｏｒａｎｇｅ", "𝐎𝐫𝐚𝐧𝐠𝐞"]}),
        ("o\u0301range, ora\u200bnge", {"orange": ["o\u0301range", "ora\u200bnge"]}),
        ("\u202eorange\u202c", {"orange": ["orange"]}),
        ("İ ß orange", {"orange": ["orange"]}),
        ("vélo, @velo", {}),
        ("#VÉLO ＃velo", {"tag": ["VÉLO", "velo"]}),
        ("@Ria, not #ria", {"handle": ["Ria"]}),
        # A letter of another script is another letter, even where it looks the same (here a Cyrillic о).
        ("оrange", {}),
        ("", {}),
    ],
)
def test_finds_whole_words_in_any_script(text: str, expected: dict[str, list[str]]) -> None:
    assert found(text) == expected


def test_a_brand_is_found_by_its_query_or_else_by_its_names() -> None:
    brands = [
        BrandSettings(id="veloria", names=("Veloria",)),
        BrandSettings(id="other", names=("Nobody says this",), query='other OR "the others"'),
        BrandSettings(id="silent"),
    ]
    matcher = BrandMatcher.of_brands(brands)
    assert matcher.brands("the others and VELORIA, but nobody says this") == ("other", "veloria")
    assert [matcher.has_query(brand.id) for brand in brands] == [True, True, False]
    assert not matcher.has_query("never heard of")


def test_two_brands_may_share_a_term() -> None:
    matcher = BrandMatcher({"one": [as_term("apple")], "two": [as_term("apple juice"), as_term("apple")]})
    assert matcher.spans("Apple juice") == {"one": [Span(0, 5)], "two": [Span(0, 11), Span(0, 5)]}


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("veloria", [Term("veloria")]),
        (
            'veloria OR "vélo ria" OR #tag OR @me',
            [Term("veloria"), Term("vélo ria"), Term("tag", "#"), Term("me", "@")],
        ),
        ("“vélo ria” OR «x y»", [Term("vélo ria"), Term("x y")]),
        ("🍏", [Term("🍏")]),
    ],
)
def test_reads_a_query(query: str, terms: list[Term]) -> None:
    assert parse_query(query) == tuple(terms)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("air france", "without OR"),
        ("veloria or other", "without OR"),
        ("OR veloria", "without a term"),
        ("veloria OR", "ends where a term"),
        ("", "ends where a term"),
        ('"air france', "not closed"),
        ("veloria OR !!!", "no letter or digit"),
        ('"" OR veloria', "no letter or digit"),
        ("veloria AND shoes", "'AND' is not known"),
        ("(veloria OR other)", "is not known"),
        ("wait*", "is not known"),
        ("lang:fr", "is not known"),
    ],
)
def test_says_what_is_wrong_with_a_query(query: str, complaint: str) -> None:
    with pytest.raises(UnreadableQuery, match=complaint):
        parse_query(query)


def test_a_passage_is_the_window_with_most_matches() -> None:
    text = "once Orange " + "x " * 500 + "Orange and again Orange twice " + "y " * 500
    window = MATCHER.passage(text, "orange", limit=100)
    assert "Orange and again Orange twice" in window
    assert len(window) <= 100


def test_a_passage_without_a_match_is_the_beginning_and_a_short_text_is_whole() -> None:
    assert passage("four " * 20, [], limit=62) == "four " * 11 + "four"
    assert MATCHER.passage("a short text", "orange") == "a short text"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_any_text_can_be_matched_and_cut(text: str, limit: int) -> None:
    for spans in MATCHER.spans(text).values():
        assert all(0 <= start < end <= len(text) for start, end in spans)
    assert len(MATCHER.passage(text, "orange", limit)) <= max(limit, 0)


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet=st.characters(codec="utf-8")))
def test_a_brand_between_spaces_is_always_found(before: str, after: str) -> None:
    assert "orange" in MATCHER.brands(f"{before} . Orange . {after}")


def test_a_text_with_an_excluded_term_is_not_about_the_brand() -> None:
    brand = BrandSettings(id="orange", names=("Orange",), exclude='"orange juice" OR #orangewine')
    matcher = BrandMatcher.of_brands([brand])
    assert matcher.brands("Orange is down again") == ("orange",)
    assert matcher.brands("Orange juice, orange JUICE!") == ()
    assert matcher.brands("A glass of Orange #OrangeWine") == ()
