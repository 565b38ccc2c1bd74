"""Both languages say the same things, and times and numbers are written as there."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.api.pages.wording import LANGUAGES, preferred_language, wording
from tocsin.contracts.events import RiskKind
from tocsin.contracts.incidents import IncidentState, Level, Verdict
from tocsin.storage.notifications import NotificationOutcome

EVENING = datetime(2026, 3, 10, 21, 40, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def gaps(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


def test_every_language_has_the_same_phrases_with_the_same_gaps() -> None:
    english, *others = [wording(language).phrases for language in LANGUAGES]
    for other in others:
        assert set(other) == set(english)
        assert {key: gaps(phrase) for key, phrase in other.items()} == {
            key: gaps(phrase) for key, phrase in english.items()
        }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("level", Level),
        ("colour", Level),
        ("state", IncidentState),
        ("verdict", Verdict),
        ("risk", RiskKind),
        ("outcome", NotificationOutcome),
    ],
)
def test_every_word_of_the_contracts_has_a_phrase(language: str, prefix: str, words: type) -> None:
    assert {f"{prefix}.{word}" for word in words} <= set(wording(language).phrases)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de-DE,de;q=0.9,en;q=0.5,fr;q=0.4", "en"),
        ("de, fr;q=0.3, en;q=0.7", "en"),
        ("de", "en"),
        ("*", "en"),
        ("fr;q=nonsense, en;q=0.1", "en"),
        ("fr;q=0", "en"),
        (";;;,,,=", "en"),
    ],
)
def test_the_best_accepted_language_is_taken(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language


def test_an_hour_of_today_is_shown_alone_and_another_day_with_its_date() -> None:
    words = wording("fr")
    assert words.clock(EVENING - timedelta(hours=1), PARIS, EVENING) == "21:40"
    assert words.clock(EVENING - timedelta(hours=23), PARIS, EVENING) == "09/03 23:40"


def test_today_is_today_in_the_brands_zone() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    assert wording("en").clock(EVENING - timedelta(hours=4), kolkata, EVENING) == "10/03 23:10"


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=119), "1 h ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(hours=49), "2 d ago"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(past: timedelta, said: str) -> None:
    assert wording("en").ago(EVENING - past, EVENING) == said


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (0, "0", "0"),
        (9999, "9,999", "9\u202f999"),
        (48_200, "48k", "48k"),
        (1_250_000, "1.2M", "1,2M"),
        (2.4, "2", "2"),
    ],
)
def test_numbers_are_written_as_in_the_language(value: float, english: str, french: str) -> None:
    assert (wording("en").number(value), wording("fr").number(value)) == (english, french)
