"""`tocsin` as a user calls it: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tocsin(tmp_path: Path) -> Command:
    """Run `tocsin` in an empty folder; standard input is `given`."""

    def run(*arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
        }
        return subprocess.run(
            [sys.executable, "-m", "tocsin.cli.main", *map(str, arguments)],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(Path(__file__).parents[3])},
        )

    return run
