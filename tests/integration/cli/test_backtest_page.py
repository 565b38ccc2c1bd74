"""`tocsin backtest --plot`: a page that draws, asks no network for anything and lets no text act."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.alert.detection.backtest import EXACT, gold_record, heard
from services.alert.detection.replaying import Replay
from tests.browser import Browser, browser
from tocsin.cli.plot import Plot
from tocsin.contracts.events import Author, Mention, SentimentLabel
from tocsin.contracts.settings.detection import DetectionSettings

__all__ = ["browser"]

START = datetime(2026, 3, 2, tzinfo=UTC)
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> \u202erun away & \"hide\""


def mention(number: int, at: datetime, *, angry: bool, text: str = "a remark") -> Mention:
    return Mention(
        source="made-up",
        native_id=str(number),
        text=text,
        published_at=at,
        author=Author(id=f"a{number}", name="<b>bold</b>"),
        brands=("<i>brand</i>",),
        sentiment=SentimentLabel.NEGATIVE if angry else SentimentLabel.NEUTRAL,
    )


@pytest.fixture(scope="module")
def page() -> str:
    calm = [mention(index, START + timedelta(minutes=20 * index), angry=index % 3 == 0) for index in range(72 * 5)]
    storm = [
        mention(1000 + index, START + timedelta(days=4, hours=12, seconds=60 * index), angry=True, text=HOSTILE)
        for index in range(120)
    ]
    mentions = sorted([*calm, *storm], key=lambda item: item.published_at)
    plot = Plot()
    running = Replay(DetectionSettings(), EXACT)
    for item in heard(gold_record(item, item.brands[0]) for item in mentions):
        plot.hear(item.brand, item.observation, EXACT)
        for judgement in running.take(item):
            plot.see(judgement)
    return plot.page("mentions <of> March.jsonl")


def test_what_was_seen_is_in_the_page(page: str) -> None:
    begin = page.index('id="series">') + len('id="series">')
    (brand,) = json.loads(page[begin : page.index("</script>", begin)])
    assert brand["step"] == 3600
    assert sum(brand["authors"]) == 72 * 5 + 120
    assert sum(brand["harmful"]) == 24 * 5 + 120
    middle = brand["mean"][80]  # the fourth day is compared with the three before it
    assert 0.5 < middle < 1.5
    assert brand["low"][80] <= middle <= brand["high"][80]
    assert [level for _, level in brand["alerts"]][-1] in {"orange", "red"}
    assert max(brand["score"]) > 50


def test_no_text_becomes_mark_up_and_nothing_is_asked_of_a_network(page: str) -> None:
    assert "<script>document" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "<i>brand" not in page
    assert "\u202e" not in page
    for reference in ("http:", "https:", "src=", "url(", "@import"):
        assert reference not in page.replace("&lt;img src=x", ""), reference


def test_a_browser_draws_it_in_both_languages(page: str, tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    for width in (390, 1200):
        browser.size(width, 900)
        browser.open((tmp_path / "page.html").as_uri())
        browser.wait_for("document.querySelector('canvas').width > 0")
        painted = "new Set(document.querySelector('canvas').getContext('2d').getImageData(0, 0, 300, 200).data).size"
        assert browser.evaluate(painted) > 5
        assert browser.evaluate("document.documentElement.scrollWidth") == width
    browser.click("[data-language=fr]")
    assert "auteurs nuisibles" in browser.evaluate("document.body.innerText")
    assert "harmful authors" not in browser.evaluate("document.body.innerText")
    browser.click("[data-look='0']")
    browser.wait_for("!document.querySelector('output').hidden && !document.querySelector('[data-whole]').hidden")
    assert browser.evaluate("document.title").startswith("mentions <of> March")
    assert browser.messages == []
