"""Collected by `tests.load.kill_alert` alone: its name keeps it out of `make test`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.integration.protocol.kills import kill_again_and_again
from tocsin.storage.database import Database

CHOSEN = pytest.StashKey[argparse.Namespace]()
"""Where `tests.load.kill_alert` puts what was asked for: `kills` on both databases together, and the `seed`."""


@pytest.mark.timeout(7200)
def test_nothing_is_lost(
    database: Database, httpserver: HTTPServer, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chosen, together = pytestconfig.stash[CHOSEN], database.is_postgresql
    kills = chosen.kills // 2
    found = kill_again_and_again(database, httpserver, tmp_path, kills=kills, together=together, seed=chosen.seed)
    where = "PostgreSQL, two processes" if together else "SQLite, one process"
    print(f"\n| {where} | ", end="")
    print(", ".join(f"{boundary} {count}" for boundary, count in sorted(found.kills.items())), end="")
    print(f" | {found.decided} | {len(found.lost)} | {found.repeated} | {found.wrong_people.total()} |")
    assert not found.lost
    assert not found.strangers
    assert not found.wrong_people
    assert found.repeated <= kills
