"""Schemathesis over the whole description, as a client would find it: a real server, a populated database, seeds that stay.

Nothing may be a server error, and no answer other than described. The long form goes over each database with several seeds,
longer, and with the live stream:

    .venv/bin/python -m pytest -m slow tests/integration/api/test_schemathesis.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from services.ingest.app import Ingest
from tests.newsroom import NOW, KeyMaker, Newsroom
from tocsin.access.verifying import KeyVerifier
from tocsin.clock import ManualClock
from tocsin.process import Surroundings

FOLDER = Path(__file__).parents[2] / "schemathesis"
PHASES = "examples,coverage,fuzzing,stateful"
# An answer that never ends, of which schemathesis waits for the end in vain; test_api_stream.py looks at it, and the long form does.
WITHOUT_THE_STREAM = ("--exclude-path", "/v1/stream")


@pytest.fixture
def app(surroundings: Surroundings, people_clock: ManualClock) -> FastAPI:
    """The application as `run all` serves it, with the route for mentions."""
    app = create_app(surroundings, people_clock=people_clock)
    verifier = KeyVerifier(surroundings.database, people_clock, lambda: 0.0)
    app.include_router(Ingest(surroundings).router(verifier))
    return app


@pytest.fixture(autouse=True)
def _populated(newsroom: Newsroom) -> None:
    for number in range(20):
        link = f"https://shop.example/?utm_campaign=jar{number % 3}&utm_source=mail&utm_medium=letter"
        newsroom.say(f"m{number}", minutes_ago=number * 37, author=f"a{number % 7}", text=f"Glass #jar {number} {link}")
    newsroom.count()
    newsroom.complete(NOW)
    newsroom.ring(newsroom.alarm().id)


def run(url: str, headers: Mapping[str, str], *options: str, described: str = "/v1/openapi.json") -> None:
    """Let schemathesis look; what it finds is the message of the failure."""
    shown = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    environment = dict(os.environ)
    if headers:
        environment["TOCSIN_OWN_KEY"] = headers["Authorization"].split("_")[1]
    place = [described] if described.endswith(".json") and Path(described).is_file() else [f"{url}{described}"]
    done = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "--no-color", "run", *place, "--url", url, *shown, *options],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]


def test_an_administrator_finds_what_is_described(url: str, key: KeyMaker) -> None:
    run(url, key("admin"), "--phases", "fuzzing,stateful", "--max-examples", "2", "--seed", "7", *WITHOUT_THE_STREAM)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_each_edge_of_the_description_is_what_it_says(url: str, key: KeyMaker) -> None:
    """Every example, and every field just within and just beyond what it may be: three thousand requests."""
    run(url, key("admin"), "--phases", "examples,coverage", "--seed", "7", *WITHOUT_THE_STREAM)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_reader_finds_what_is_described(url: str, key: KeyMaker) -> None:
    options = ("--phases", "examples,fuzzing", "--max-examples", "1", "--seed", "7", *WITHOUT_THE_STREAM)
    run(url, key("read", brands=["acme"]), *options)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_stranger_finds_what_is_described(url: str, key: KeyMaker, tmp_path: Path) -> None:
    described = tmp_path / "openapi.json"
    described.write_bytes(httpx.get(f"{url}/v1/openapi.json", headers=key("read"), timeout=60).content)
    run(url, {}, "--phases", "examples,fuzzing", "--max-examples", "1", "--seed", "7", described=str(described))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_an_administrator_finds_what_is_described_for_long(url: str, key: KeyMaker, seed: str) -> None:
    run(url, key("admin"), "--phases", PHASES, "--max-examples", "50", "--seed", seed, "--max-time", "900")
