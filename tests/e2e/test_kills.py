"""The short form of `python -m tests.load.kill_processes`: every service is killed once while mentions flow."""

from __future__ import annotations

import pytest

from tests.e2e.fleet import Fleet, quiet_history, write_lines
from tests.e2e.killing import send_while_killing
from tests.e2e.receiver import Receiver


@pytest.mark.timeout(900)
def test_after_every_service_was_killed_nothing_is_lost_and_nothing_is_there_twice(
    fleet: Fleet, receiver: Receiver
) -> None:
    fleet.command("import", str(write_lines(fleet.folder / "history.jsonl", quiet_history(fleet.now()))))

    aftermath = send_while_killing(fleet, receiver, count=600, rounds=1, seed=7)

    assert set(aftermath.kills.values()) == {1}
    assert aftermath.missing == frozenset()
    assert aftermath.strangers == frozenset()
    assert aftermath.incidents >= 1
    assert aftermath.not_notified == 0
    assert aftermath.lost_messages == 0
