"""The playbooks that a team takes over hold together: in both languages, and with what the first ten minutes ask for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import Configuration, load
from tocsin.templating import check_template

FILE = Path(__file__).parents[3] / "deploy" / "crisis-room.example.yaml"
SECRETS = {"TOCSIN_WEBHOOK_SECRET": "whsec_" + "A" * 44, "TOCSIN_MAIL_PASSWORD": "x"}


@pytest.fixture(scope="module")
def example() -> Configuration:
    return load(FILE, SECRETS)


def test_both_crises_are_there_with_every_text_in_french_and_english(example: Configuration) -> None:
    assert [playbook.id for playbook in example.playbooks] == ["product-safety", "leaked-video"]
    for playbook in example.playbooks:
        for step in (*playbook.orange.steps, *playbook.red.steps):
            assert set(step.title) == {"fr", "en"}, step.id
            assert step.detail is None or set(step.detail) == {"fr", "en"}, step.id
    for statement in example.statements:
        assert set(statement.texts) == {"fr", "en"}


@pytest.mark.parametrize("wanted", ["freeze", "capture", "delete-nothing", "brief-customer-service", "who-speaks"])
def test_the_first_ten_minutes(example: Configuration, wanted: str) -> None:
    for playbook in example.playbooks:
        step = next(step for step in playbook.orange.steps if step.id == wanted)
        assert step.due <= timedelta(minutes=10)


def test_the_clocks_of_red(example: Configuration) -> None:
    for playbook in example.playbooks:
        due = {step.id: step.due for step in playbook.red.steps}
        minutes = [due[name] / timedelta(minutes=1) for name in ("holding-red", "statement", "briefing")]
        assert minutes == [15, 60, 90]
        assert len(set(playbook.approvals.red)) >= 2


def test_every_template_can_be_filled_in(example: Configuration) -> None:
    for statement in example.statements:
        for text in statement.texts.values():
            check_template(text)
    for answer in example.answers:
        check_template(answer.text)
