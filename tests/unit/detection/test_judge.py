"""One brand, judged: what rings, what must not, and what must hold for any stream."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alert.detection.judge import judge
from services.alert.detection.observations import HarmfulRates, HourCount, LanguageCount, Rate
from services.alert.detection.state import BrandProfile, BrandState, Judgement
from tests.unit.detection.given import (
    BRAND,
    HOUR,
    NOW,
    RATES,
    SETTINGS,
    burst,
    calm_day,
    calm_history,
    events,
    highest,
    observation,
    walk,
)
from tocsin.contracts.events import AuthorRole, RiskKind
from tocsin.contracts.incidents import Level

HISTORY = calm_history()
CALM = calm_day() + calm_day(NOW + 3 * HOUR, 3)
SERIOUS = [Level.ORANGE, Level.RED]


def serious(judgements: list[Judgement]) -> Judgement:
    """The first judgement at which somebody is woken."""
    return next(item for item in judgements if item.level.serious)


def test_a_calm_brand_stays_green() -> None:
    assert events(walk(CALM, HISTORY)) == []


def test_a_wave_of_harm_is_noticed_within_the_hour() -> None:
    found = serious(walk(CALM + burst(60, lasting=2 * HOUR), HISTORY))
    assert found.at - NOW <= HOUR


def test_a_crisis_ends_and_is_masked() -> None:
    judgements = walk(CALM + burst(60) + calm_day(NOW + 12 * HOUR, 9), HISTORY, hours=12)
    assert events(judgements)[-1] == "closed green"
    assert len(judgements[-1].state.masks) == 1


def test_fifty_posts_by_one_author_are_one_author() -> None:
    assert events(walk(CALM + burst(50, author="made-up:loud"), HISTORY)) == []


def test_much_joy_is_buzz_and_wakes_nobody() -> None:
    judgements = walk(CALM + burst(300, lasting=2 * HOUR, negative=False) + burst(12, lasting=2 * HOUR), HISTORY)
    assert not highest(judgements).serious
    assert judgements[-1].buzz
    assert "no more harm than usual" in judgements[-1].reasons[0].en


def test_a_recall_told_in_neutral_sentences_is_serious() -> None:
    recall = burst(
        40, lasting=2 * HOUR, negative=False, risk=0.3, kinds=(RiskKind.PRODUCT_SAFETY,), text="Batch 12 is recalled"
    )
    found = serious(walk(CALM + recall, HISTORY))
    assert found.evidence["decided"]["threshold"] == "levels.never_buzz_kinds"
    assert "tone is neutral" in " ".join(reason.en for reason in found.reasons)


def test_risk_counts_as_harm_whatever_the_tone() -> None:
    assert highest(walk(CALM + burst(60, negative=False, risk=0.8), HISTORY)).serious


def test_safety_risk_by_several_or_press_makes_it_red() -> None:
    risky = burst(40, lasting=2 * HOUR, risk=0.9, kinds=(RiskKind.PRODUCT_SAFETY,))
    assert serious(walk(CALM + risky, HISTORY)).level is Level.RED
    press = [*burst(40, lasting=2 * HOUR), observation(NOW + HOUR / 10, negative=True, role=AuthorRole.PRESS)]
    assert serious(walk(CALM + press, HISTORY)).level is Level.RED


@pytest.mark.parametrize(
    "loud", [{"followers": 250_000}, {"text": "Boycott them!"}], ids=["a loud voice", "crisis words"]
)
def test_a_loud_voice_or_crisis_words_spare_the_second_evaluation(loud: dict) -> None:
    quiet = serious(walk(CALM + burst(50, lasting=2 * HOUR), HISTORY))
    at_once = serious(walk(CALM + burst(47, lasting=2 * HOUR) + burst(3, lasting=HOUR / 6, **loud), HISTORY))
    assert at_once.at < quiet.at


def test_copies_by_many_authors_are_flagged_and_still_count() -> None:
    campaign = burst(60, text="Shame on Maison Lune", copy_key="same")
    found = serious(walk(CALM + campaign, HISTORY))
    assert found.campaign
    assert found.evidence["stories"][0]["title"] == "Shame on Maison Lune"
    assert found.evidence["stories"][0]["authors"] == found.evidence["stories"][0]["mentions"] > 5


def test_late_mentions_wake_nobody() -> None:
    assert events(walk(CALM + burst(200, wakes=False), HISTORY)) == []


def test_a_new_brand_that_is_steadily_negative_is_no_crisis() -> None:
    steady = calm_day(rate=100, share=0.8) + calm_day(NOW + 2 * HOUR, 2, rate=100, share=0.8)
    assert not highest(walk(steady)).serious


def test_a_new_brand_is_watched_by_absolute_limits_and_says_so() -> None:
    found = serious(walk(CALM + burst(200, lasting=2 * HOUR)))
    assert found.evidence["cold"]
    assert found.evidence["decided"]["threshold"].startswith("cold.")
    assert "not known yet" in found.reasons[0].en
    assert "encore inconnue" in found.reasons[0].fr


def test_the_first_mentions_of_a_brand_ever_are_no_crisis() -> None:
    assert events(walk(burst(500, lasting=2 * HOUR))) == []


def test_an_alert_says_why_and_what_would_have_kept_it_silent() -> None:
    found = serious(walk(CALM + burst(60, followers=40, author_name="Ana"), HISTORY))
    english, french = found.reasons[0].en, found.reasons[0].fr
    assert "harmful mentions in" in english
    assert "expected at this hour" in english
    assert "loudest: Ana (40 followers)" in english
    assert "mentions nuisibles" in french
    decided = found.evidence["decided"]
    assert decided["value"] >= decided["limit"]
    assert "at most" in decided["silent_with"]
    assert found.evidence["sources"].keys() == {"made-up"}
    assert datetime.fromisoformat(found.evidence["complete_up_to"]) == found.at


def test_the_main_story_is_told_in_the_words_of_somebody_who_writes_in_the_readers_language() -> None:
    told = {"de": "Glas im Joghurt", "fr": "Du verre dans le yaourt", "en": "Glass in the yoghurt"}
    story = [
        burst(
            20, lasting=2 * HOUR, text=text, language=language, copy_key="one", followers=900 if language == "de" else 5
        )
        for language, text in told.items()
    ]
    reasons = serious(walk(CALM + [item for part in story for item in part], HISTORY)).reasons[0]
    assert "sujet principal : « Du verre dans le yaourt »" in reasons.fr
    assert "main story: “Glass in the yoghurt”" in reasons.en


def test_a_story_that_nobody_tells_in_the_readers_language_is_told_as_its_loudest_has_it() -> None:
    found = serious(
        walk(CALM + burst(60, lasting=2 * HOUR, text="Glas im Joghurt", language="de", copy_key="one"), HISTORY)
    )
    assert "« Glas im Joghurt »" in found.reasons[0].fr
    assert "“Glas im Joghurt”" in found.reasons[0].en


def test_french_has_its_own_decimals_and_plurals() -> None:
    reasons = serious(walk(CALM + burst(60), calm_history(rate=3))).reasons[0]
    assert re.search(r", [01](,[1-9])? attendue à|, [2-9](,[1-9])? attendues à|, [1-9]\d+ attendues à", reasons.fr)
    assert ".0" not in reasons.en


def test_incomplete_data_is_said_and_lets_no_level_fall() -> None:
    state = serious(walk(CALM + burst(60), HISTORY)).state
    later = NOW + 9 * HOUR
    calm = calm_day(later, 26)
    judged = [
        judge(later + n * HOUR, BRAND, calm, HISTORY, state, SETTINGS, RATES, complete_up_to=NOW) for n in range(3)
    ]
    assert {item.event for item in judged} == {None}
    assert "not complete" in " ".join(reason.en for reason in judged[-1].reasons)


def test_another_neural_network_marks_a_break() -> None:
    state = walk(CALM, HISTORY, hours=0.2)[-1].state
    changed = BrandProfile(id=BRAND.id, baseline_key="another")
    at = NOW + HOUR
    judged = judge(at, changed, CALM, HISTORY, state, SETTINGS, RATES)
    assert judged.state.broken_at == at
    assert judge(at + HOUR, changed, CALM, HISTORY, judged.state, SETTINGS, RATES).state.broken_at == at


def test_an_instant_is_judged_once() -> None:
    state = walk(CALM, HISTORY, hours=0.2)[-1].state
    with pytest.raises(ValueError, match="judged already"):
        judge(NOW, BRAND, CALM, HISTORY, state, SETTINGS, RATES)


def at_once(observations: list, history: list[HourCount] = HISTORY) -> Judgement:
    return judge(NOW + HOUR, BRAND, observations, history, BrandState(), SETTINGS, RATES)


few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 59))
def test_more_harmful_mentions_never_lower_the_score(before: int, more: int, minute: int) -> None:
    some = CALM + burst(before, lasting=HOUR)
    added = burst(more, NOW + timedelta(minutes=minute), timedelta(minutes=1))
    assert at_once(some + added).score >= at_once(some).score


@few
@given(st.integers(0, 80), st.integers(-14, 14))
def test_the_same_instants_in_another_offset_give_the_same_result(number: int, offset: int) -> None:
    mentions = CALM + burst(number)
    zone = timezone(timedelta(hours=offset))
    elsewhere = [replace(item, at=item.at.astimezone(zone)) for item in mentions]
    assert at_once(elsewhere) == at_once(mentions)


@few
@given(st.randoms(use_true_random=False), st.integers(0, 80))
def test_the_order_of_mentions_does_not_matter(random: object, number: int) -> None:
    mentions = CALM + burst(number)
    shuffled = list(mentions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert at_once(shuffled) == at_once(mentions)


def ten_times(history: list[HourCount]) -> list[HourCount]:
    return [
        replace(
            row,
            mentions=row.mentions * 10,
            authors=row.authors * 10,
            harmful=row.harmful * 10,
            languages={"und": LanguageCount(row.authors * 10, row.harmful * 10)},
        )
        for row in history
    ]


def test_ten_times_the_traffic_keeps_the_order() -> None:
    strengths = (0, 6, 15, 30, 60, 120)
    small = [at_once(CALM + burst(number)).score for number in strengths]
    large_day = calm_day(rate=200) + calm_day(NOW + 3 * HOUR, 3, rate=200)
    large = [at_once(large_day + burst(10 * number), ten_times(HISTORY)).score for number in strengths]
    assert small == sorted(small)
    assert large == sorted(large)


@pytest.mark.parametrize(
    "night",
    [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)],
    ids=["02:00 becomes 03:00", "03:00 becomes 02:00"],
)
def test_a_clock_change_night_raises_nothing(night: datetime) -> None:
    paris = BrandProfile(id="maison-lune", time_zone="Europe/Paris")
    history = calm_history(night, days=21)
    judgements = walk(calm_day(night) + calm_day(night + 5 * HOUR, 5), history, begin=night, hours=5, brand=paris)
    assert events(judgements) == []


NOISY = HarmfulRates(default=Rate(tpr=0.77, fpr=0.13))
"""About what the shipped network's card says of English."""


def test_joyful_talk_that_the_classifier_partly_mistakes_wakes_nobody() -> None:
    # Of ten times the usual talk, all of it glad, one in eight is called negative by mistake: three times the usual harm.
    history = calm_history(days=14, rate=20, share=0.1)
    joy = [observation(item.at, negative=index % 8 == 0) for index, item in enumerate(burst(400, lasting=2 * HOUR))]
    judged = walk([*calm_day(share=0.1), *joy], history, hours=3, rates=NOISY)
    assert highest(judged) < Level.ORANGE


def test_a_brand_calmer_than_the_classifiers_errors_is_not_alarmed_by_its_usual_harm() -> None:
    # Fewer are called harmful than fpr alone would give: nothing corrected is left to expect.
    history = calm_history(days=14, rate=100, share=0.05)
    judged = walk(calm_day(NOW + 6 * HOUR, hours=32, rate=100, share=0.07), history, hours=6, rates=NOISY)
    assert highest(judged) < Level.ORANGE
