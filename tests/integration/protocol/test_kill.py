"""`kill -9` at each boundary between a due timer and a message that is through: nothing lost, hardly anything twice."""

from __future__ import annotations

from pathlib import Path

from pytest_httpserver import HTTPServer

from tests.integration.protocol.kills import BOUNDARIES, Found, kill_again_and_again
from tocsin.storage.database import Database


def holds(found: Found, kills: int) -> None:
    assert found.kills == dict.fromkeys(BOUNDARIES, kills // len(BOUNDARIES))
    assert found.decided >= 6 * kills
    assert not found.lost
    assert not found.strangers
    assert not found.wrong_people
    assert found.repeated <= kills


def test_nothing_is_lost_and_a_kill_repeats_one_message_at_most(
    database: Database, httpserver: HTTPServer, tmp_path: Path
) -> None:
    """On SQLite one process works alone; on PostgreSQL another, which is not killed, works beside it."""
    holds(kill_again_and_again(database, httpserver, tmp_path, kills=10, together=database.is_postgresql), 10)
