"""`tocsin demo`, as a newcomer runs it: it ends by itself, and somebody was rung."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest


@pytest.mark.timeout(900)
def test_the_demo_shows_a_crisis_and_its_last_line_says_what_came_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin.cli.main", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert list(result) == ["incident", "level", "notified", "page"]
    assert UUID(result["incident"])
    assert result["level"] in ("orange", "red")
    assert "Léa Martin" in result["notified"]
    assert result["page"].startswith("http://127.0.0.1:")
    # Quiet at first: the bell rang only after the story's bad buzz had begun.
    assert done.stdout.index("green") < done.stdout.index("an incident opens")
    assert "alerte" in done.stdout
    assert "alarm" in done.stdout
    # It leaves nothing behind but its data folder.
    assert [path.name for path in tmp_path.iterdir()] == [".tocsin"]
