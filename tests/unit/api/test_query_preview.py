"""What a preview of a query counts, and which samples it shows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.api.query_preview import SAMPLES, preview
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.overlay import extended
from tocsin.storage.stored_texts import StoredText

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
"""Half past midnight of the 11th in Paris."""
BRAND = BrandSettings(id="nordlys", names=("Nordlys",))


def text(words: str, *brands: str, hours_ago: float = 1, source: str = "rss") -> StoredText:
    return StoredText(uuid.uuid4(), NOW - timedelta(hours=hours_ago), source, words, None, frozenset(brands))


def test_new_ones_are_those_that_were_not_kept_for_the_brand() -> None:
    found = preview(
        [
            text("Nordlys again", "nordlys"),
            text("the #jars broke", "acme", source="bluesky"),
            text("the #jars of Nordlys", "nordlys", hours_ago=0),
            text("nothing of it", "acme"),
        ],
        BRAND,
        extended(BRAND, ["#jars"]),
        zone=PARIS,
    )
    assert (found.looked_at, found.total.matched, found.total.new, found.total.excluded) == (4, 3, 1, 0)
    assert [sample.text for sample in found.new_samples] == ["the #jars broke"]
    assert found.elsewhere == {"acme": 1}
    assert {day: tally.matched for day, tally in found.by_day.items()} == {date(2026, 3, 10): 2, date(2026, 3, 11): 1}
    assert {source: tally.new for source, tally in found.by_source.items()} == {"rss": 0, "bluesky": 1}


def test_excluded_ones_are_those_that_todays_query_finds_and_the_proposal_does_not() -> None:
    found = preview(
        [
            text("Nordlys, the aurora", "nordlys"),
            text("Nordlys jam", "nordlys"),
            text("the aurora, said by a source that names us", "nordlys"),
            text("Nordlys and the aurora, of another brand", "acme"),
        ],
        BRAND,
        extended(BRAND, [], ["aurora"]),
        zone=PARIS,
    )
    assert (found.total.matched, found.total.new, found.total.excluded) == (1, 0, 1)
    assert [sample.text for sample in found.excluded_samples] == ["Nordlys, the aurora"]


def test_samples_are_few_and_each_text_stands_there_once() -> None:
    def many() -> Iterator[StoredText]:
        for number in range(5000):
            yield text(f"#jars {number % 40}", "acme")

    found = preview(many(), BRAND, extended(BRAND, ["#jars"]), zone=PARIS)
    assert found.total.new == 5000
    assert len({sample.text for sample in found.new_samples}) == len(found.new_samples) == SAMPLES
