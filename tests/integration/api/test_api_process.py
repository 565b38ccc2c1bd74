"""The api process as it is composed: one web server, listening where the configuration says."""

from __future__ import annotations

import threading

import httpx

from services.api.app import components
from tests.newsroom import KeyMaker, Newsroom
from tocsin.process import Surroundings, run_components
from tocsin.web import WebServer

PATIENCE = 20


def test_the_process_serves_until_it_is_asked_to_stop(
    surroundings: Surroundings, newsroom: Newsroom, key: KeyMaker
) -> None:
    newsroom.alarm()
    (server,) = components(surroundings)
    assert isinstance(server, WebServer)
    stop = threading.Event()
    process = threading.Thread(target=run_components, args=([server], stop), daemon=True)
    process.start()
    # Keys expire by the machine's clock here, and these do not expire.
    brands = httpx.get(f"{server.url}/v1/brands", headers=key("read"), timeout=PATIENCE).json()["brands"]
    assert [brand["level"] for brand in brands] == ["orange", "green"]
    assert httpx.get(f"{server.url}/readyz", timeout=PATIENCE).json() == {"status": "ok", "parts": {"database": "ok"}}
    stop.set()
    process.join(PATIENCE)
    assert not process.is_alive()
