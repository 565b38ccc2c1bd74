"""Collected by `tests.load.kill_processes` alone: its name keeps it out of `make test`."""

from __future__ import annotations

import argparse

import pytest

from tests.e2e.conftest import fleet, receiver
from tests.e2e.fleet import Fleet, quiet_history, write_lines
from tests.e2e.killing import send_while_killing
from tests.e2e.receiver import Receiver

__all__ = ["CHOSEN", "fleet", "receiver"]

CHOSEN = pytest.StashKey[argparse.Namespace]()
"""Where `tests.load.kill_processes` puts what was asked for."""


def test_nothing_is_lost(fleet: Fleet, receiver: Receiver, pytestconfig: pytest.Config) -> None:
    chosen = pytestconfig.stash[CHOSEN]
    fleet.command("import", str(write_lines(fleet.folder / "history.jsonl", quiet_history(fleet.now()))))
    aftermath = send_while_killing(fleet, receiver, count=chosen.count, rounds=chosen.rounds, seed=chosen.seed)
    print(f"\n{aftermath}")
    assert not aftermath.missing
    assert not aftermath.strangers
    assert not aftermath.not_notified
    assert not aftermath.lost_messages
