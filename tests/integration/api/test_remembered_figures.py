"""Figures of charts: the same as counted, without counting the past again and again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.api.pages import figures as remembering
from services.api.pages.figures import REMEMBERED_SECONDS, RememberedFigures
from tests.newsroom import NOW, Newsroom
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds, count_spans

BORDERS = [NOW - timedelta(hours=hours) for hours in range(6, -1, -1)]


def test_the_past_is_counted_once_a_minute_and_the_present_each_time(
    database: Database, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(session: object, brand: str, borders: list[object], **rest: object) -> object:
        asked.append(len(borders) - 1)
        return count_spans(session, brand, borders, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(remembering, "count_spans", counting)
    passed = 0.0
    figures = RememberedFigures(lambda: passed)

    def mentions() -> list[int]:
        with database.read() as session:
            found = figures.count(session, "acme", BORDERS, thresholds=Thresholds(), now=NOW)
        return [item.mentions for item in found]

    newsroom.say("old", minutes_ago=200)
    assert mentions() == [0, 0, 1, 0, 0, 0]
    newsroom.say("now", minutes_ago=5)
    newsroom.say("late", minutes_ago=300)
    assert mentions() == [0, 0, 1, 0, 0, 1]
    passed += REMEMBERED_SECONDS
    assert mentions() == [0, 1, 1, 0, 0, 1]
    assert asked == [6, 1, 6]


def test_one_brands_past_is_not_anothers(database: Database, newsroom: Newsroom) -> None:
    newsroom.say("old", minutes_ago=200)
    figures = RememberedFigures(lambda: 0.0)
    with database.read() as session:
        for brand, expected in (("acme", 1), ("globex", 0), ("acme", 1)):
            found = figures.count(session, brand, BORDERS, thresholds=Thresholds(), now=NOW)
            assert sum(item.mentions for item in found) == expected
