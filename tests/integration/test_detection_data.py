"""Detection on real streams: calm airlines stay silent, and the benchmark's anomalies are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alert.detection.backtest import EXACT, gold_record, run_backtest
from tests.load.bench_nab import bench, false_episodes_a_week, standard_score
from tests.requirements import data_folder
from tocsin.contracts.events import ClassifiedMention, Mention
from tocsin.contracts.settings.detection import DetectionSettings

STEADY = {"southwest", "virgin-america"}
"""The two brands that are in the file beyond 20 February 2015, and calm there too."""


@pytest.fixture(scope="module")
def airlines() -> list[ClassifiedMention]:
    with (data_folder() / "streams" / "airlines_dev.jsonl").open(encoding="utf-8") as lines:
        mentions = [Mention.model_validate_json(line) for line in lines]
    return [gold_record(mention, mention.brands[0]) for mention in mentions]


def serious(mentions: list[ClassifiedMention]) -> list[dict[str, Any]]:
    found = run_backtest(mentions, DetectionSettings(), EXACT)
    return [item for item in found if item["event"] in {"opened", "raised"} and item["level"] in {"orange", "red"}]


def test_calm_airlines_wake_nobody(airlines: list[ClassifiedMention]) -> None:
    found = serious(airlines)
    assert [item for item in found if item["brand"] not in STEADY] == []
    assert [item for item in found if item["at"] < "2015-02-21T08:00"] == []
    assert len(found) <= 1


def stretched(mentions: list[ClassifiedMention]) -> list[ClassifiedMention]:
    begin = mentions[0].published_at
    return [m.model_copy(update={"published_at": begin + 2 * (m.published_at - begin)}) for m in mentions]


def thinned(mentions: list[ClassifiedMention]) -> list[ClassifiedMention]:
    return mentions[::5]


def multiplied(mentions: list[ClassifiedMention]) -> list[ClassifiedMention]:
    return [
        m.model_copy(
            update={
                "mention_id": f"{m.mention_id}/{n}",
                "author": m.author.model_copy(update={"id": f"{m.author.id}/{n}"}),
            }
        )
        for m in mentions
        for n in range(5)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("change", [stretched, thinned, multiplied])
def test_calm_airlines_wake_nobody_when_stretched_or_rescaled(
    airlines: list[ClassifiedMention], change: Callable[[list[ClassifiedMention]], list[ClassifiedMention]]
) -> None:
    assert len(serious(change(airlines))) <= 1


def test_the_anomaly_benchmark_is_passed_with_few_false_episodes() -> None:
    scores = list(bench(Path(data_folder()) / "nab").values())
    assert standard_score(scores) >= 74
    assert false_episodes_a_week(scores) <= 0.3


def unchanged(mentions: list[ClassifiedMention]) -> list[ClassifiedMention]:
    return mentions


@pytest.mark.parametrize(
    "change",
    [
        unchanged,
        pytest.param(stretched, marks=pytest.mark.slow),
        pytest.param(thinned, marks=pytest.mark.slow),
        pytest.param(multiplied, marks=pytest.mark.slow),
    ],
)
def test_a_burst_spliced_into_an_airlines_calm_is_found_and_the_calm_around_it_stays_silent(
    airlines: list[ClassifiedMention], change: Callable[[list[ClassifiedMention]], list[ClassifiedMention]]
) -> None:
    virgin = [mention for mention in airlines if mention.brand == "virgin-america"]
    calm = change(virgin)
    middle = calm[int(len(calm) * 0.8)].published_at
    angry = next(mention for mention in virgin if mention.sentiment and mention.sentiment.label == "negative")
    # As many for the gate in a brand that is five times as large.
    size = 60 if change is not multiplied else 300
    storm = [
        angry.model_copy(
            update={
                "mention_id": f"storm/{n}",
                "published_at": middle + timedelta(hours=2) * (n / size),
                "author": angry.author.model_copy(update={"id": f"storm/{n}"}),
            }
        )
        for n in range(size)
    ]
    spliced = sorted([*calm, *storm], key=lambda mention: mention.published_at)
    at = [datetime.fromisoformat(item["at"]) for item in serious(spliced)]
    assert any(middle <= moment <= middle + timedelta(hours=1) for moment in at)
    # What was said while it lasted may still raise the level for as long as the longest window that holds one.
    assert [moment for moment in at if not middle <= moment <= middle + timedelta(hours=8)] == []


def test_evidence_is_json(airlines: list[ClassifiedMention]) -> None:
    united = [mention for mention in airlines if mention.brand == "united"]
    for item in run_backtest(united, DetectionSettings(), EXACT):
        assert json.loads(json.dumps(item)) == item
