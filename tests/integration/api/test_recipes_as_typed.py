"""What docs/api.md shows is typed into a shell as it stands, against a server that listens, and answered."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.newsroom import KeyMaker, Newsroom
from tests.requirements import missing
from tocsin.clock import Clock, SystemClock

DOCUMENT = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"
BLOCKS = [
    pytest.param(language, typed, id=typed.strip().splitlines()[0].lstrip("# ")[:60])
    for language, typed in re.findall(r"```(sh|python)\n(.*?)```", DOCUMENT, re.DOTALL)
    if ADDRESS in typed
]


@pytest.fixture
def clock() -> Clock:
    """The machine's: the document's commands count from today."""
    return SystemClock()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("language", "typed"), BLOCKS)
def test_every_block_of_the_document_does_what_it_says(
    url: str, key: KeyMaker, newsroom: Newsroom, tmp_path: Path, language: str, typed: str
) -> None:
    if shutil.which("curl") is None:
        missing("curl", "apt install curl")
    newsroom.say("one", text="glass shards, aurora", negative=0.9)
    incident = newsroom.alarm()
    typed = typed.replace(ADDRESS, url).replace("nordlys", "acme").replace('"7"', f'"{incident.version}"')
    program = ["bash", "-euc"] if language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*program, typed.replace("curl ", "curl --fail-with-body --silent --write-out '\\n' ")],
        cwd=tmp_path,
        env={**os.environ, "KEY": key("admin")["Authorization"].split(" ")[1], "ID": str(incident.id)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if language == "python":
        assert "glass shards, aurora" in done.stdout
        return
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    exported = [json.loads(line) for file in tmp_path.glob("*.jsonl") for line in file.read_text().splitlines() if line]
    assert all(exported)
    assert len(answers) + len(list(tmp_path.glob("*.jsonl"))) == typed.count("curl ")


def test_no_block_was_overlooked() -> None:
    assert len(BLOCKS) == 4
