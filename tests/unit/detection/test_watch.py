"""Watch rules: one mention is enough, and every condition must be met."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.alert.detection.watch import ring_counts, rings
from tests.unit.detection.given import NOW, observation
from tocsin.contracts.events import RiskKind
from tocsin.contracts.settings.detection import WatchRuleSettings

PRESS = WatchRuleSettings(id="press", outlets=("Le Quotidien",))
LOUD_RISK = WatchRuleSettings(id="loud-risk", kinds=(RiskKind.LEGAL,), risk=0.6, reach=10_000)
LISTED = WatchRuleSettings(id="listed", authors=("42",))
RULES = (PRESS, LOUD_RISK, LISTED)


def ids(found: list) -> list[str]:
    return [ring.rule.id for ring in found]


def test_an_outlet_or_an_author_on_a_list_rings() -> None:
    assert ids(rings(observation(NOW), "le quotidien", NOW, RULES)) == ["press"]
    assert ids(rings(observation(NOW, author="made-up:42"), None, NOW, RULES)) == ["listed"]


def test_every_condition_must_be_met_and_is_told() -> None:
    full = {"kinds": (RiskKind.LEGAL,), "risk": 0.7, "followers": 20_000}
    (ring,) = rings(observation(NOW, **full), None, NOW, RULES)
    assert "legal" in ring.reason.en
    assert "20000 abonnés" in ring.reason.fr
    for missing in ({"kinds": ()}, {"risk": 0.5}, {"followers": 9_999}, {"followers": None}):
        assert rings(observation(NOW, **{**full, **missing}), None, NOW, RULES) == []


def test_old_and_own_mentions_ring_nothing() -> None:
    assert rings(observation(NOW - timedelta(hours=25)), "Le Quotidien", NOW, RULES) == []
    assert rings(observation(NOW, counted=False), "Le Quotidien", NOW, RULES) == []


def test_how_often_each_rule_would_have_rung_is_counted() -> None:
    history = [(observation(NOW - timedelta(days=n)), "Le Quotidien") for n in range(5)]
    assert ring_counts(history, RULES) == {"press": 5, "loud-risk": 0, "listed": 0}


def test_a_rule_without_a_condition_is_refused() -> None:
    with pytest.raises(ValidationError, match="no condition"):
        WatchRuleSettings(id="everything")
