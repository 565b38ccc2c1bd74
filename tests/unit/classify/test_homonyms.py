"""How a name is written says whether the brand is meant."""

from __future__ import annotations

import pytest

from services.classify.homonyms import BEHIND_AN_ARTICLE, WRITTEN_SMALL, odds_of_the_brand, weighed
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher

NAMES = ("Orange", "Free", "Total", "Apple", "Target", "Mango", "Opel", "adidas")
MATCHER = BrandMatcher.of_brands([BrandSettings(id=name.lower(), names=(name,)) for name in NAMES])


def odds(text: str, brand: str) -> float:
    return odds_of_the_brand(text, MATCHER.spans(text)[brand], capitalised=MATCHER.is_capitalised(brand))


@pytest.mark.parametrize(
    ("text", "brand", "expected"),
    [
        ("Orange m'a coupé la fibre", "orange", 1.0),
        ("orange c'est nul, free aussi", "orange", 1.0),
        ("Les volets orange me plaisent", "orange", WRITTEN_SMALL),
        ("Une orange pressée", "orange", WRITTEN_SMALL * BEHIND_AN_ARTICLE),
        ("eine Orange hat Vitamine", "orange", BEHIND_AN_ARTICLE),
        ("Au total on était douze", "total", WRITTEN_SMALL),
        ("Un mango maduro, y luego Mango me cobra dos veces", "mango", 1.0),
        ("J'aime mes adidas", "adidas", 1.0),
        ("#orange, sérieusement ? Encore", "orange", 1.0),
    ],
)
def test_small_letters_among_capitals_and_articles_speak_against_the_brand(
    text: str, brand: str, expected: float
) -> None:
    assert odds(text, brand) == pytest.approx(expected)


def test_without_a_match_nothing_is_said() -> None:
    assert odds_of_the_brand("Une journée", [], capitalised=True) == 1.0


def test_odds_move_a_probability_and_leave_certainty_alone() -> None:
    assert weighed(0.5, 0.25) == pytest.approx(0.2)
    assert weighed(0.3, 1.0) == pytest.approx(0.3)
    assert (weighed(1.0, 0.2), weighed(0.0, 0.2)) == (1.0, 0.0)
