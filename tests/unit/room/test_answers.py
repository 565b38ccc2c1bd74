"""Prepared answers: which are offered beside what somebody wrote."""

from __future__ import annotations

from services.alert.room.answers import Request, fitting
from tocsin.contracts.settings.room import AnswerSettings


def answer(name: str, **fields: object) -> AnswerSettings:
    written = {"id": name, "kinds": [name], "language": "fr", "text": "…", "owner": "lea", **fields}
    return AnswerSettings.model_validate(written)


ANSWERS = [
    answer("refund", words=["rembours*", "argent"]),
    answer("refund-en", words=["refund"], language="en"),
    answer("glass", kinds=["product_safety"]),
    answer("glass-reviews", kinds=["product_safety"], networks=["reviews"]),
    answer("other-brand", words=["argent"], brands=["globex"]),
]


def asked(text: str, **fields: object) -> list[str]:
    request = Request(**{"brand": "acme", "text": text, "language": "fr", "source": "bluesky", **fields})  # type: ignore[arg-type]
    return [found.id for found in fitting(ANSWERS, request)]


def test_by_words_whatever_their_case_accents_and_ending() -> None:
    assert asked("Je veux être REMBOURSÉE !") == ["refund"]
    assert asked("Rendez l’argent") == ["refund"]
    assert asked("argenterie") == []


def test_by_what_the_network_heard_where_it_is_sure() -> None:
    assert asked("il y a un truc dedans", risk_kinds=(("product_safety", 0.8),)) == ["glass"]
    assert asked("il y a un truc dedans", risk_kinds=(("product_safety", 0.3),)) == []


def test_in_the_language_of_the_mention_or_all_where_that_is_unknown() -> None:
    assert asked("refund please", language="en-GB") == ["refund-en"]
    assert asked("refund: remboursez", language=None) == ["refund", "refund-en"]
    assert asked("refund", language="de") == []


def test_for_the_network_and_the_brand_it_is_meant_for_the_most_fitting_first() -> None:
    assert asked("…", source="reviews", risk_kinds=(("product_safety", 0.9),)) == ["glass-reviews", "glass"]
    assert asked("argent", brand="globex") == ["other-brand", "refund"]
