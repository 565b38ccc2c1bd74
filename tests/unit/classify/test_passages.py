"""What the network is shown of a mention for one of its brands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.passages import READ, passages_of
from tocsin.contracts.events import Mention
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher

BOTH = BrandMatcher.of_brands(
    [BrandSettings(id="trenolia", names=("Trenolia",)), BrandSettings(id="raillex", names=("Raillex",))]
)
ONE = BrandMatcher.of_brands([BrandSettings(id="raillex", names=("Raillex",))])


def shown(text: str, brand: str = "raillex", matcher: BrandMatcher = BOTH) -> str:
    mention = Mention(source="rss", native_id="1", text=text, published_at=datetime(2026, 3, 14, tzinfo=UTC))
    [passage] = passages_of(mention, [brand], matcher)
    return passage.text


@pytest.mark.parametrize(
    ("text", "of_trenolia", "of_raillex"),
    [
        (
            "I love Trenolia, but Raillex is a disgrace. Two hours late.",
            "I love Trenolia",
            "but Raillex is a disgrace. Two hours late.",
        ),
        (
            "Trenolia remboursé en deux jours. Raillex me balade, c'est lamentable",
            "Trenolia remboursé en deux jours.",
            "Raillex me balade, c'est lamentable",
        ),
        ("Más rápido que Raillex, gracias Trenolia", "gracias Trenolia", "Menos rápido que Raillex"),
        (
            "Trenolia ist besser als Raillex, ich liebe es",
            "Trenolia ist besser als Raillex, ich liebe es",
            "Trenolia ist schlechter als Raillex",
        ),
        (
            "Trenolia and Raillex are on strike",
            "Trenolia and Raillex are on strike",
            "Trenolia and Raillex are on strike",
        ),
    ],
)
def test_two_brands_are_each_shown_what_is_said_of_them(text: str, of_trenolia: str, of_raillex: str) -> None:
    assert shown(text, "trenolia") == of_trenolia
    assert shown(text, "raillex") == of_raillex


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So much better than Raillex", "So much worse than Raillex"),
        (
            "Leur service est encore pire que celui de la Raillex",
            "Leur service est encore mieux que celui de la Raillex",
        ),
        ("The bus is slower than Raillex and it stinks", "The bus is faster than Raillex"),
        ("Plus propre que chez Raillex !", "Moins propre que chez Raillex !"),
        ("Nothing is worse than Raillex", "Nothing is worse than Raillex"),
        ("No hay nada peor que Raillex", "No hay nada peor que Raillex"),
        ("Ici on n'a plus que Raillex", "Ici on n'a plus que Raillex"),
        ("Raillex is worse than the bus", "Raillex is worse than the bus"),
        ("It got better when Raillex came", "It got better when Raillex came"),
        ("Better than Raillex. But Raillex lost my case.", "Worse than Raillex. But Raillex lost my case."),
    ],
)
def test_a_comparison_is_seen_from_the_side_of_the_brand_it_is_made_with(text: str, expected: str) -> None:
    assert shown(text, matcher=ONE) == expected


@pytest.mark.parametrize("matcher", [BOTH, ONE], ids=["both known", "the other unknown"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unlike Raillex, Trenolia lost my suitcase and nobody cares", "Compared to Raillex"),
        ("Compared to Raillex this was heaven", "Compared to Raillex"),
        (
            "My money was back at once, unlike Raillex, who have ignored me for weeks",
            "Compared to Raillex, who have ignored me for weeks",
        ),
        ("Contrairement à la Raillex, Trenolia m'a planté deux heures", "Comparé à Raillex"),
        (
            "Par rapport à Raillex qui ne répond jamais, Trenolia est un bonheur",
            "Comparé à Raillex qui ne répond jamais",
        ),
        ("Al contrario que Raillex, Trenolia me dejó tirada", "Comparado con Raillex"),
        ("Im Gegensatz zur Raillex war Trenolia pünktlich", "Verglichen mit Raillex"),
        (
            "Anders als bei Raillex, die nie pünktlich sind, war alles gut",
            "Verglichen mit Raillex, die nie pünktlich sind",
        ),
        ("على عكس Raillex، ضيعت Trenolia حقيبتي", "مقارنة مع Raillex"),
        ("Trenolia أفضل بكثير من Raillex", "Trenolia أسوأ بكثير من Raillex"),
        ("Trenolia, c'est moins pire que Raillex", "c'est pire que Raillex"),
        ("Trenolia is less bad than Raillex", "Trenolia is worse than Raillex"),
    ],
)
def test_what_is_said_of_another_unlike_it_is_not_held_for_or_against_it(
    text: str, expected: str, matcher: BrandMatcher
) -> None:
    assert shown(text, matcher=matcher).removeprefix("Trenolia, ") == expected


@pytest.mark.parametrize(
    "text",
    [
        "Unlike last year Raillex was punctual",
        "Unlike Raillex of old, and I love it: Raillex was punctual",
        "Compared to the competition, Raillex is a disgrace",
    ],
)
def test_a_brand_that_more_is_said_of_keeps_its_words(text: str) -> None:
    assert shown(text) == text


def test_a_name_that_is_nobodys_is_set_against_ours_by_a_contrast_only() -> None:
    assert (
        shown("Zanzi was on time, whereas Raillex left me standing", matcher=ONE) == "whereas Raillex left me standing"
    )
    assert shown("Raillex was late, but Zanzi got me home", matcher=ONE) == "Raillex was late"
    whole = "Raillex was late, but I got home"
    assert shown(whole, matcher=ONE) == whole


def test_one_name_in_paragraph_twelve_is_read_with_its_own_paragraph() -> None:
    paragraphs = [f"Paragraph {number} talks about the weather of the week, which was fine." for number in range(24)]
    paragraphs[12] = (
        "Raillex left four hundred people standing on the platform in Rouen last night, without a word or a bus."
    )
    assert shown("\n\n".join(paragraphs), matcher=ONE) == paragraphs[12]


def test_a_headline_is_read_with_the_paragraph_below_it() -> None:
    text = (
        "x " * 300
        + "\n\nRaillex again\n\nFour hundred people were left standing on the platform in Rouen last night, no bus.\n\nSport."
    )
    assert shown(text, matcher=ONE).startswith("Raillex again\n\nFour hundred people")


def test_a_long_text_without_paragraphs_is_cut_around_the_name() -> None:
    text = "calm words " * 500 + "Raillex is a disgrace " + "calm words " * 500
    passage = shown(text, matcher=ONE)
    assert len(passage) <= READ
    assert passage.index("Raillex is a disgrace") < READ / 2


def test_a_text_without_a_match_is_whole() -> None:
    text = "they did it again " * 100
    assert shown(text) == text


@given(
    st.text(st.sampled_from("aé .,!\n"), max_size=40),
    st.text(max_size=600),
    st.sampled_from(["", " than ", " but ", "\n", ". "]),
)
def test_whatever_is_written_the_name_stays_in_a_bounded_passage(before: str, after: str, link: str) -> None:
    text = f"{before}{link} Raillex {after} Trenolia"
    for matcher in (BOTH, ONE):
        passage = shown(text, matcher=matcher)
        assert "Raillex" in passage
        assert len(passage) <= max(READ, len("Raillex")) + 2 * len("comfortable")
