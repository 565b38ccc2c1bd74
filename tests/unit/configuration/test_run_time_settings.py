"""What may be set at run time, and how it lies over the file's configuration."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.config import parse
from tocsin.contracts.settings.run_time import LONGEST, RunTimeSetting, SettingRefused, period_of, setting_value
from tocsin.matching import BrandMatcher
from tocsin.overlay import overlaid

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONFIGURATION = parse(
    """
brands:
  - {id: orange, names: [Orange], query: 'orange OR @orange', exclude: '"orange juice"'}
  - {id: acme, names: [Acme]}
  - {id: fed}
detection:
  crisis_words: [recall]
  watch: [{id: critics, authors: [zoe]}]
""",
    variables={},
)


def setting(brand: str, begins: datetime = NOW - DAY, ends: datetime = NOW + DAY, **value: Any) -> RunTimeSetting:
    return RunTimeSetting(
        id=uuid.uuid4(),
        brand=brand,
        value=setting_value(value),
        reason="a test",
        by="person:lea",
        at=begins,
        begins=begins,
        ends=ends,
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"kind": "query", "terms": "one two"}, "join terms with OR"),
        ({"kind": "query", "terms": " OR ".join(f"word{number}" for number in range(101))}, "at most 100 terms"),
        ({"kind": "exclude", "terms": '"open'}, "a quotation mark is not closed"),
        ({"kind": "exclude", "terms": ""}, "where a term should stand"),
        ({"kind": "crisis_words", "words": []}, "at least 1 item"),
        ({"kind": "crisis_words", "words": [" a "]}, "at least 2 characters"),
        ({"kind": "watch"}, "has no condition and would ring at each mention"),
        ({"kind": "watch", "risk": 2}, "less than or equal to 1"),
        ({"kind": "watch", "authors": ["zoe"], "level": "yellow"}, "'orange' or 'red'"),
        ({"kind": "planned", "name": ""}, "at least 1 character"),
        ({"kind": "mute"}, "a mute is of one thing"),
        ({"kind": "mute", "source": "rss", "story": "0" * 16}, "a mute is of one thing"),
        ({"kind": "mute", "author": "Zoe"}, "should match pattern"),
        ({"kind": "policy"}, "does not match any of the expected tags"),
        ({"kind": "query", "terms": "acme", "brands": ["acme"]}, "Extra inputs are not permitted"),
    ],
)
def test_a_value_that_tocsin_yaml_would_refuse_is_refused_in_the_same_words(value: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        setting_value(value)


@pytest.mark.parametrize("kind", ["exclude", "mute", "planned"])
def test_what_would_hide_a_crisis_when_forgotten_needs_an_end(kind: str) -> None:
    value = setting_value(
        {
            "exclude": {"kind": "exclude", "terms": "aurora"},
            "mute": {"kind": "mute", "source": "rss"},
            "planned": {"kind": "planned", "name": "Sale"},
        }[kind]
    )
    with pytest.raises(SettingRefused, match="needs an end"):
        period_of(value, begins=None, ends=None, now=NOW)
    with pytest.raises(SettingRefused, match=f"{LONGEST[kind].days} days at most"):
        period_of(value, begins=None, ends=NOW + LONGEST[kind] + DAY, now=NOW)
    assert period_of(value, begins=None, ends=NOW + LONGEST[kind], now=NOW)[1] == NOW + LONGEST[kind]


def test_a_setting_begins_now_and_holds_for_a_year_where_nothing_is_said() -> None:
    words = setting_value({"kind": "crisis_words", "words": ["glass"]})
    assert period_of(words, begins=None, ends=None, now=NOW) == (NOW, NOW + timedelta(days=365))
    assert period_of(words, begins=NOW - DAY, ends=NOW + DAY, now=NOW) == (NOW, NOW + DAY)
    mute = setting_value({"kind": "mute", "source": "rss"})
    with pytest.raises(SettingRefused, match="has passed"):
        period_of(mute, begins=None, ends=NOW - timedelta(hours=1), now=NOW)
    with pytest.raises(SettingRefused, match="before the beginning"):
        period_of(words, begins=NOW + DAY, ends=NOW + DAY, now=NOW)


def test_a_mute_reaches_back_by_a_day_and_a_campaign_may_be_entered_afterwards() -> None:
    mute = setting_value({"kind": "mute", "terms": "meme"})
    assert period_of(mute, begins=None, ends=NOW + DAY, now=NOW)[0] == NOW - DAY
    assert period_of(mute, begins=NOW - 9 * DAY, ends=NOW + DAY, now=NOW)[0] == NOW - DAY
    sale = setting_value({"kind": "planned", "name": "Sale"})
    assert period_of(sale, begins=NOW - 9 * DAY, ends=NOW - DAY, now=NOW) == (NOW - 9 * DAY, NOW - DAY)


def test_further_terms_and_exclusions_join_what_the_file_says() -> None:
    overlay = overlaid(
        CONFIGURATION,
        [
            setting("orange", kind="query", terms="#orangegate"),
            setting("orange", kind="exclude", terms='"agent orange" OR marmalade'),
            setting("acme", kind="query", terms='#acmegate OR "acme jar"'),
            setting("fed", kind="query", terms="fedwatch"),
        ],
        NOW,
    )
    matcher = BrandMatcher.of_brands(overlay.configuration.brands)
    assert matcher.brands("orange is late") == ("orange",)
    assert matcher.brands("see #orangegate") == ("orange",)
    assert matcher.brands("orange marmalade") == ()
    assert matcher.brands("orange juice") == ()
    assert matcher.brands("Acme! #acmegate") == ("acme",)
    assert matcher.brands("the #acmegate") == ("acme",)
    assert matcher.brands("acmegate without its sign") == ()
    assert matcher.brands("fedwatch today") == ("fed",)
    assert overlay.configuration.brand("acme").names[0] == "Acme"  # type: ignore[union-attr]


def test_crisis_words_are_of_one_brand_and_watch_rules_and_campaigns_of_theirs() -> None:
    overlay = overlaid(
        CONFIGURATION,
        [
            setting("acme", kind="crisis_words", words=["glass"]),
            setting("acme", kind="watch", authors=["@critic"], level="red"),
            setting("acme", kind="planned", name="Sale", begins=NOW + DAY, ends=NOW + 2 * DAY),
        ],
        NOW,
    )
    assert overlay.detection("acme").crisis_words == ("recall", "glass")
    assert overlay.detection("orange").crisis_words == ("recall",)
    rules = {rule.brands: rule.level for rule in overlay.detection("acme").watch}
    assert rules == {(): "orange", ("acme",): "red"}
    [planned] = overlay.detection("acme").planned
    assert planned.runs("acme", NOW + DAY)
    assert not planned.runs("acme", NOW)
    assert not planned.runs("orange", NOW + DAY)


def test_what_has_not_begun_or_is_over_is_not_in_force() -> None:
    overlay = overlaid(
        CONFIGURATION,
        [
            setting("orange", begins=NOW + DAY, ends=NOW + 2 * DAY, kind="query", terms="early"),
            setting("orange", begins=NOW - 2 * DAY, ends=NOW, kind="query", terms="late"),
        ],
        NOW,
    )
    assert overlay.configuration is CONFIGURATION


def test_a_setting_of_a_brand_that_the_file_does_not_know_any_more_is_left_out_with_a_reason() -> None:
    gone = setting("globex", kind="query", terms="globex")
    overlay = overlaid(CONFIGURATION, [gone, setting("acme", kind="query", terms="zebra")], NOW)
    [left_out] = overlay.left_out
    assert left_out.setting is gone
    assert "no brand 'globex'" in left_out.why
    assert BrandMatcher.of_brands(overlay.configuration.brands).brands("a zebra") == ("acme",)
