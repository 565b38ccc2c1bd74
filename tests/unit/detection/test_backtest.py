"""A replayed file gives what a live run would have given, however it is cut and whatever is wrong with its lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, timezone

import pytest

from services.alert.detection.backtest import EXACT, gold_record, replay, run_backtest
from services.alert.detection.hours import count_hours
from services.alert.detection.judge import judge, observed_since
from services.alert.detection.observations import HarmfulRates, observe
from services.alert.detection.state import BrandProfile, BrandState
from services.alert.detection.words import crisis_word_finder
from tests.unit.detection.given import HOUR, NOW, SETTINGS, record
from tocsin.contracts.events import ClassifiedMention, Mention, SentimentLabel
from tocsin.contracts.settings.detection import DetectionSettings

NEGATIVE, NEUTRAL = SentimentLabel.NEGATIVE, SentimentLabel.NEUTRAL
RATE = 12
DAYS = 4


def calm(days: float = DAYS, *, rate: int = RATE, first: int = 0) -> list[ClassifiedMention]:
    """So many lines an hour up to NOW, evenly spread; every fourth is negative."""
    step = HOUR / rate
    number = int(days * 24 * rate)
    return [
        record(first + index, NOW - step * (number - index), label=NEGATIVE if index % 4 == 0 else NEUTRAL)
        for index in range(number)
    ]


def storm(number: int = 60, minutes: float = 60, *, first: int = 500_000, **fields: object) -> list[ClassifiedMention]:
    """Negative lines after NOW."""
    return [
        record(first + index, NOW + timedelta(minutes=minutes * (index + 0.5) / number), label=NEGATIVE, **fields)
        for index in range(number)
    ]


def after(hours: float = 8, first: int = 900_000) -> list[ClassifiedMention]:
    """Calm after the storm, so that there are lines at which instants are judged."""
    step = HOUR / RATE
    return [
        record(first + index, NOW + HOUR + step * index, label=NEGATIVE if index % 4 == 0 else NEUTRAL)
        for index in range(int(hours * RATE))
    ]


def run(mentions: Iterable[ClassifiedMention], settings: DetectionSettings = SETTINGS) -> list[dict]:
    return list(run_backtest(mentions, settings, HarmfulRates()))


def serious(found: list[dict]) -> list[dict]:
    return [item for item in found if item["event"] in {"opened", "raised"} and item["level"] in {"orange", "red"}]


WHOLE = [*calm(), *storm(), *after()]
FOUND = run(WHOLE)


def test_a_storm_opens_rises_and_closes() -> None:
    assert serious(FOUND)
    assert FOUND[-1]["event"] == "closed"
    assert FOUND[-1]["level"] == "green"


def test_each_change_has_what_is_promised() -> None:
    for item in FOUND:
        assert list(item) == ["at", "event", "brand", "level", "score", "reasons", "evidence"]
        assert item["brand"] == "maison-lune"
        assert 0 <= item["score"] <= 100
        assert item["reasons"]
        assert item["evidence"]["reasons_fr"]


def test_instants_are_multiples_of_five_minutes_known_before_the_line_that_made_them_due() -> None:
    for judgement in replay(WHOLE, SETTINGS, HarmfulRates()):
        assert judgement.at.timestamp() % 300 == 0
    cut = [item for item in WHOLE if item.published_at <= NOW + timedelta(minutes=40)]
    last = cut[-1].published_at
    assert all(item.at + timedelta(minutes=1) < last for item in replay(cut, SETTINGS, HarmfulRates()))


def test_a_file_cut_short_gives_the_beginning_of_the_same_answers() -> None:
    for share in (0.97, 0.98, 0.99):
        part = run(WHOLE[: int(len(WHOLE) * share)])
        assert part == FOUND[: len(part)]


def test_repeated_lines_count_once() -> None:
    repeated = [item for mention in WHOLE for item in (mention, mention)]
    assert run(repeated) == FOUND


def test_the_same_instants_in_other_offsets_give_the_same() -> None:
    zone = timezone(timedelta(hours=-8))
    moved = [
        ClassifiedMention.model_validate({**item.model_dump(), "published_at": item.published_at.astimezone(zone)})
        for item in WHOLE
    ]
    assert run(moved) == FOUND


def test_brands_do_not_touch_each_other() -> None:
    other = [item.model_copy(update={"brand": "autre"}) for item in calm(first=2_000_000)]
    mixed = sorted([*WHOLE, *other], key=lambda item: item.published_at)
    assert [item for item in run(mixed) if item["brand"] == "maison-lune"] == FOUND
    # The other brand's stream ends before the file does: that its source is silent is noticed, and nothing else.
    noticed = [item for item in run(mixed) if item["brand"] == "autre"]
    assert [(item["level"], item["evidence"]["silent_sources"]) for item in noticed] == [("yellow", ["made-up"])]


def test_a_backlog_that_arrives_late_wakes_nobody() -> None:
    back = NOW + 8 * HOUR
    late = storm(300, received_at=back)
    assert serious(run([*calm(), *late, *(item for item in after(12) if item.published_at > back)])) == []


def test_a_backlog_that_only_stands_late_in_the_file_wakes_nobody() -> None:
    back = NOW + 8 * HOUR
    assert serious(run([*calm(), *after(7.5), *storm(300), *(m for m in after(12) if m.published_at > back)])) == []


def test_a_line_from_the_far_future_does_not_stop_the_clock() -> None:
    wrong = record(3_000_000, NOW + timedelta(days=400), label=NEGATIVE)
    assert serious(run([*calm(), wrong, *storm(), *after()])) == serious(FOUND)


def test_a_gap_of_weeks_is_stepped_over() -> None:
    weeks = timedelta(weeks=6)
    later = [item.model_copy(update={"published_at": item.published_at + weeks}) for item in calm(1, first=4_000_000)]
    assert serious(run([*calm(), *later])) == []


def test_a_replay_equals_the_live_run() -> None:
    rates, speaks = HarmfulRates(), crisis_word_finder(SETTINGS.crisis_words)
    brand, state, live = BrandProfile(id="maison-lune"), BrandState(), []
    begin = NOW - 2 * HOUR
    for replayed in replay(WHOLE, SETTINGS, rates):
        if replayed.at < begin:
            state = replayed.state
            continue
        if replayed.at > NOW + 2 * HOUR:
            break
        known = [observe(item) for item in WHOLE if item.published_at <= replayed.at + timedelta(seconds=30)]
        recent = [item for item in known if item.at >= observed_since(replayed.at)]
        judged = judge(replayed.at, brand, recent, count_hours(known, rates, speaks), state, SETTINGS, rates)
        state = judged.state
        live.append((replayed, judged))
    assert len(live) > 40
    for replayed, judged in live:
        assert judged == replayed


def test_human_labels_stand_in_for_the_classifier() -> None:
    line = {"source": "made-up", "native_id": "1", "text": "Never again", "published_at": NOW, "brands": ["b"]}
    labelled = gold_record(Mention.model_validate({**line, "sentiment": "negative"}), "b")
    assert observe(labelled).harmful(EXACT)
    assert not observe(gold_record(Mention.model_validate({**line, "sentiment": "neutral"}), "b")).harmful(EXACT)
    with pytest.raises(ValueError, match="no sentiment"):
        gold_record(Mention.model_validate(line), "b")
