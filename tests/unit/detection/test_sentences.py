"""What each sort of alert says for itself, in French and in English: why, which threshold, what would have kept it silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from services.alert.detection.observations import Observation
from services.alert.detection.state import BrandState, Judgement, Rung
from tests.unit.detection.given import HOUR, NOW, SETTINGS, burst, calm_day, calm_history, events, observation, walk
from tocsin.contracts.events import AuthorRole, RiskKind
from tocsin.contracts.incidents import Level, decided_in_words
from tocsin.contracts.settings.detection import PlannedSettings

HISTORY = calm_history()
CALM = calm_day() + calm_day(NOW + 3 * HOUR, 3)


def first(judgements: Sequence[Judgement], *levels: Level) -> Judgement:
    """The first judgement at one of these levels."""
    return next(item for item in judgements if item.level in levels)


def at_level(more: Sequence[Observation], *levels: Level, **options: object) -> Judgement:
    return first(walk([*CALM, *more], options.pop("history", HISTORY), **options), *levels)  # type: ignore[arg-type]


SERIOUS = (Level.ORANGE, Level.RED)
SLOW = {"lasting": 2 * HOUR}


def _rung() -> Judgement:
    rung = Rung(
        level=Level.ORANGE, at=NOW, until=NOW + 12 * HOUR, rules=("paper",), mentions=("m1",), rings=1,
        french="Règle paper : publié par Le Soir.", english="Rule paper: published by Le Soir.",
    )  # fmt: skip
    state = BrandState(level=Level.ORANGE, rung=rung, serious_since=NOW, since=NOW)
    return walk(CALM, HISTORY, state=state, hours=0.5)[-1]


def _calming(index: int) -> Judgement:
    judgements = walk([*CALM, *burst(60), *calm_day(NOW + 12 * HOUR, 9)], HISTORY, hours=12)
    if index == -1:
        return next(item for item in judgements if item.event is not None and item.level is Level.GREEN)
    return next(item for item in judgements if item.state.calm_since is not None and item.level is not Level.GREEN)


PLANNED = SETTINGS.model_copy(
    update={"planned": (PlannedSettings(name="Soldes d'été", start=NOW - HOUR, end=NOW + 9 * HOUR),)}
)
CASES: dict[str, tuple[Callable[[], Judgement], str, str, str | None]] = {
    # The first sentence has … in English, … in French, and this threshold decided.
    "harm": (
        lambda: at_level(burst(60, **SLOW, followers=1, author_name="Ana", text="Never again"), *SERIOUS),
        "harmful mentions in", "attendues à cette heure", "gate.windows",
    ),
    "harm, extreme": (
        lambda: at_level(burst(400), Level.RED), "harmful mentions in", "mentions nuisibles en", "gate.windows",
    ),
    "harm, press": (
        lambda: at_level([*burst(40, **SLOW), observation(NOW + HOUR / 10, negative=True, role=AuthorRole.PRESS)], Level.RED),
        "harmful mentions in", "mentions nuisibles en", "gate.windows",
    ),
    "harm, safety": (
        lambda: at_level(burst(40, **SLOW, risk=0.9, kinds=(RiskKind.PRODUCT_SAFETY,)), Level.RED),
        "harmful mentions in", "mentions nuisibles en", "gate.windows",
    ),
    "harm, a loud voice": (
        lambda: at_level([*burst(47, **SLOW), *burst(3, followers=250_000)], *SERIOUS),
        "harmful mentions in", "mentions nuisibles en", "gate.windows",
    ),
    "harm, crisis words among it": (
        lambda: at_level([*burst(47, **SLOW), *burst(3, lasting=HOUR / 6, text="Boycott them!")], *SERIOUS),
        "harmful mentions in", "mentions nuisibles en", "gate.windows",
    ),
    "crisis words": (
        lambda: at_level(
            [*burst(5, text="Boycott them!"), *burst(9, negative=False, text="I shall boycott Maison Lune")], *SERIOUS
        ),
        "authors use crisis words in", "auteurs emploient des mots de crise en", "gate.windows",
    ),
    "a grave matter in neutral words": (
        lambda: at_level(
            burst(40, **SLOW, negative=False, risk=0.3, kinds=(RiskKind.PRODUCT_SAFETY,), text="Batch 12 is recalled"),
            *SERIOUS,
        ),
        "on a grave matter", "sur un sujet grave", "levels.never_buzz_kinds",
    ),
    "buzz": (
        lambda: walk([*CALM, *burst(300, **SLOW, negative=False, text="What a dress!"), *burst(12, **SLOW)], HISTORY)[-1],
        "no more harm than usual", "sans plus de mentions nuisibles que d'habitude", None,
    ),
    "cold": (
        lambda: at_level(burst(200, **SLOW), *SERIOUS, history=()),
        "for a brand that is not known yet", "pour une marque encore inconnue", "cold.",
    ),
    "a notice": (
        lambda: at_level(burst(14, **SLOW), Level.YELLOW), "expected at this hour", "à cette heure", "levels.yellow_z",
    ),
    "a silent source": (
        lambda: first(walk(calm_day(NOW), HISTORY, hours=4), Level.YELLOW),
        "The source made-up has said nothing since 18 Mar 09:", "La source made-up ne dit plus rien depuis le 18/03 à 09:",
        "silence.surprise",
    ),
    "a post that takes off": (
        lambda: at_level(burst(1, engagement=2_000, author_name="Ana", text="Never again"), Level.YELLOW),
        "A harmful post by Ana takes off, with 2,000 reactions", "Un message nuisible signé Ana s'envole, avec 2 000 réactions",
        "engagement.gain",
    ),
    "a post that takes off seriously": (
        lambda: at_level(burst(1, engagement=30_000), *SERIOUS),
        "takes off, with 30,000 reactions", "s'envole, avec 30 000 réactions", "engagement.serious_gain",
    ),
    "a watch rule": (_rung, "Rule paper: published by Le Soir", "Règle paper : publié par Le Soir", "watch[paper]"),
    "it calms down": (lambda: _calming(0), "Calming down since 18 Mar", "Retombe depuis le 18/03 à", None),
    "calm again": (lambda: _calming(-1), "Calm again: ", "Retour au calme : ", None),
    "a planned campaign": (
        lambda: at_level(burst(60, **SLOW), *SERIOUS, settings=PLANNED), "harmful mentions in", "mentions nuisibles en",
        "gate.windows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_sort_of_alert_says_why_in_both_languages_and_which_threshold_decided(case: str) -> None:
    make, english, french, threshold = CASES[case]
    judgement = make()
    print(f"\n== {case}: {judgement.level}")
    for reason in judgement.reasons:
        print(f"EN  {reason.en}\nFR  {reason.fr}")
    assert english in judgement.reasons[0].en
    assert french in judgement.reasons[0].fr
    said = " ".join(reason.en for reason in judgement.reasons)
    said_fr = " ".join(reason.fr for reason in judgement.reasons)
    assert (threshold is not None) == ("silent with" in said) == ("muet avec" in said_fr)
    if threshold is not None:
        decided = judgement.evidence["decided"]
        assert decided["threshold"].startswith(threshold)
        assert decided["value"] >= decided["limit"]
        assert decided["threshold"] in said
        assert decided["threshold"] in said_fr
        assert decided_in_words(judgement.evidence) == {"fr": decided["fr"], "en": decided["en"]}
        assert decided["en"] in said
        assert decided["fr"] in said_fr
    for text in (said, said_fr):
        assert "  " not in text
        assert text.count("“") == text.count("”")
        assert text.count("«") == text.count("»")


def test_a_silent_source_speaks_of_no_harm() -> None:
    judgement = CASES["a silent source"][0]()
    assert "harmful" not in " ".join(reason.en for reason in judgement.reasons)
    assert "nuisible" not in " ".join(reason.fr for reason in judgement.reasons)
    assert "mentions were to be expected" in judgement.reasons[0].en
    assert "mentions étaient attendues depuis" in judgement.reasons[0].fr


def test_a_held_level_says_which_threshold_holds_it_and_with_what_it_would_have_fallen() -> None:
    judgements = walk([*CALM, *burst(60), *calm_day(NOW + 12 * HOUR, 9)], HISTORY, hours=12)
    held = [item for item in judgements if item.evidence and item.evidence["decided"].get("held")]
    by = {item.evidence["decided"]["threshold"]: item for item in held}
    assert set(by) == {"gate.closes_below", "levels.falls_after"}
    for threshold, item in by.items():
        said = next(reason for reason in item.reasons if threshold in reason.en)
        assert "it would have fallen with" in said.en
        assert "il serait retombé avec" in said.fr
    restless, calm = by["gate.closes_below"].evidence["decided"], by["levels.falls_after"].evidence["decided"]
    assert restless["value"] >= restless["limit"] == SETTINGS.gate.closes_below
    assert calm["value"] < calm["limit"] == SETTINGS.levels.falls_after / HOUR
    # With a higher limit it had been calm then.
    gate = SETTINGS.gate.model_copy(update={"closes_below": restless["value"] + 0.01})
    again = walk([*CALM, *burst(60)], HISTORY, hours=12, settings=SETTINGS.model_copy(update={"gate": gate}))
    assert next(item for item in again if item.at == by["gate.closes_below"].at).state.calm_since is not None


def test_a_notice_about_a_brand_that_is_not_known_yet_names_the_limit_of_a_notice() -> None:
    notice = first(walk([*CALM, *burst(26)], (), hours=2), Level.YELLOW)
    decided = notice.evidence["decided"]
    assert notice.evidence["cold"]
    assert decided["threshold"].startswith("cold.")
    assert decided["value"] >= decided["limit"]


def test_red_says_what_made_it_red() -> None:
    for case, words, french in (
        ("harm, extreme", "levels.red_z = 7), so it is red", "levels.red_z = 7), donc rouge"),
        ("harm, press", "The press has picked it up: 1 author", "La presse s'en mêle : 1 auteur"),
        ("harm, safety", "Several authors speak of safety or law", "Plusieurs auteurs parlent de sécurité ou de droit"),
    ):
        judgement = CASES[case][0]()
        assert any(words in reason.en for reason in judgement.reasons), case
        assert any(french in reason.fr for reason in judgement.reasons), case


def test_what_would_have_kept_it_silent_would_have() -> None:
    crowd = burst(60, **SLOW)
    told = at_level(crowd, *SERIOUS)
    decided = told.evidence["decided"]
    deaf = []
    for window in SETTINGS.gate.windows:
        named = decided["threshold"] == f"gate.windows[{int(window.length / timedelta(minutes=1))} min].surprise"
        hours = int(window.length / HOUR)
        named = named or decided["threshold"] == f"gate.windows[{hours} h].surprise"
        # The other windows that passed are named, and would have rung.
        also = f"{hours} h" in decided["also"] or f"{int(window.length.total_seconds() // 60)} min" in decided["also"]
        deaf.append(window.model_copy(update={"surprise": 50.0}) if named or also else window)
    gate = SETTINGS.gate.model_copy(update={"windows": tuple(deaf)})
    judged = walk([*CALM, *crowd], HISTORY, settings=SETTINGS.model_copy(update={"gate": gate}))
    assert not next(item for item in judged if item.at == told.at).level.serious


def test_many_authors_with_a_crisis_word_are_a_crisis_only_where_enough_of_them_mean_harm() -> None:
    word = "An outrageously good dress"
    assert not any(item.level.serious for item in walk([*CALM, *burst(40, **SLOW, negative=False, text=word)], HISTORY))
    rung = walk([*CALM, *burst(4, text="Boycott!"), *burst(5, negative=False, text="Boycott!")], HISTORY)
    assert events(rung)[0] == "opened orange"
    few = walk([*CALM, *burst(3, text="Boycott!"), *burst(3, negative=False, text="Boycott!")], HISTORY)
    assert not any(item.level.serious for item in few)


def test_a_brand_whose_talk_always_has_crisis_words_is_not_alarmed_by_them() -> None:
    always = [
        count.__class__(**{**{name: getattr(count, name) for name in count.__slots__}, "crisis": count.authors // 2})
        for count in HISTORY
    ]
    usual = burst(20, text="Boycott!", negative=False)
    assert not any(item.level.serious for item in walk([*CALM, *usual], always))


def test_where_many_talk_a_few_may_speak_of_a_lawsuit() -> None:
    few, many = burst(9, **SLOW, text="This will be a lawsuit"), burst(40, **SLOW, text="This will be a lawsuit")
    gate = SETTINGS.gate.model_copy(update={"crisis_of_usual": 1.0})
    large = SETTINGS.model_copy(update={"gate": gate})
    assert any(item.level.serious for item in walk([*CALM, *few], HISTORY))
    assert not any(item.level.serious for item in walk([*CALM, *few], HISTORY, settings=large))
    told = at_level(many, *SERIOUS, settings=large)
    assert told.evidence["decided"]["at_once"] == "gate.crisis_authors"
    silent = told.evidence["decided"]["silent_with"]
    assert "authors with crisis words in 30 min" in silent
    assert "at most 7 authors" not in silent, "ten are usual in so long"


def test_crisis_words_that_come_in_one_by_one_over_a_day_are_no_crisis() -> None:
    slowly = [*CALM, *burst(14, NOW - 20 * HOUR, lasting=20 * HOUR, text="Boycott them!")]
    for within, rings in ((6 * HOUR, False), (24 * HOUR, True)):
        gate = SETTINGS.gate.model_copy(update={"crisis_of_usual": 0.0, "crisis_within": within})
        judged = walk(slowly, HISTORY, settings=SETTINGS.model_copy(update={"gate": gate}), hours=0.5)
        assert any(item.level.serious for item in judged) is rings


def test_crisis_words_that_open_the_gate_wait_for_no_second_evaluation_though_all_the_talk_has_them() -> None:
    few = [replace(count, authors=count.harmful, crisis=count.harmful) for count in calm_history(rate=1)]
    rung = walk([*burst(4, text="Boycott!"), *burst(8, negative=False, text="Boycott!")], few)
    assert events(rung)[0] == "opened orange"
