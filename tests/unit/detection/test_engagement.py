"""A post that takes off is a signal of its own, measured by what the brand's posts usually get, and told once."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.detection.given import HOUR, NOW, SETTINGS, calm_day, calm_history, events, observation, walk
from tests.unit.detection.test_backtest import calm, run
from tocsin.contracts.events import Engagement
from tocsin.contracts.incidents import Level

HISTORY = calm_history()
CALM = calm_day() + calm_day(NOW + 3 * HOUR, 3)


def test_a_harmful_post_with_thirty_thousand_reactions_is_orange_at_once_and_says_which() -> None:
    post = observation(NOW + HOUR / 6, negative=True, engagement=30_000, author_name="Ana", text="Look at this jar")
    judgements = walk([*CALM, post], HISTORY, hours=1)
    assert events(judgements) == ["opened orange"]
    found = next(item for item in judgements if item.event)
    assert "30,000 reactions" in found.reasons[0].en
    assert "Look at this jar" in found.reasons[0].en
    assert found.evidence["decided"]["threshold"] == "engagement.serious_gain"
    assert found.evidence["growing"][0]["mention"] == post.mention_id
    assert [news.kind for item in judgements for news in item.news] == ["engagement"], "told once"


def test_a_thousand_reactions_are_a_notice() -> None:
    judgements = walk([*CALM, observation(NOW + HOUR / 6, negative=True, engagement=1_500)], HISTORY, hours=1)
    assert events(judgements) == ["opened yellow"]


def test_a_brand_whose_posts_always_get_so_many_is_not_woken() -> None:
    famous = [replace(row, top_engagement=20_000) for row in HISTORY]
    post = observation(NOW + HOUR / 6, negative=True, engagement=30_000)
    assert events(walk([*CALM, post], famous, hours=1)) == []


def test_joy_that_takes_off_wakes_nobody() -> None:
    assert events(walk([*CALM, observation(NOW + HOUR / 6, engagement=90_000)], HISTORY, hours=1)) == []


def test_reactions_that_come_in_later_count_whatever_the_revision() -> None:
    lines = calm()
    few = lines[-3].model_copy(update={"engagement": Engagement(likes=3)})
    bad = few.model_copy(update={"sentiment": lines[0].sentiment})
    later = bad.model_copy(update={"engagement": Engagement(likes=30_000), "received_at": NOW})
    end = [item.model_copy(update={"published_at": NOW + HOUR, "native_id": "end"}) for item in lines[-1:]]
    assert run([*lines[:-3], bad, *lines[-2:], *end]) == []
    found = run([*lines[:-3], bad, *lines[-2:], later, *end])
    assert [item["level"] for item in found] == [Level.ORANGE.value]
    assert SETTINGS.engagement.serious_gain <= found[0]["evidence"]["growing"][0]["reactions"]
