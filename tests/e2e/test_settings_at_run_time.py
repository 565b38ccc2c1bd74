"""What is set over the API is in force in the other processes, without a restart; on both installations."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.brokers import await_condition
from tests.e2e.fleet import Fleet, crisis, mention, quiet_history, write_lines
from tests.e2e.receiver import Receiver
from tests.e2e.test_the_bell_rings import NOTICED_WITHIN, incidents, stored

SETTINGS = "/v1/brands/lunea/settings"
_VERSION = re.compile(r"^tocsin_live_settings_version (\S+)$", re.MULTILINE)


@pytest.mark.timeout(900)
def test_what_is_set_is_in_force_in_ingest_and_alert_without_a_restart(fleet: Fleet, receiver: Receiver) -> None:
    fleet.command("import", str(write_lines(fleet.folder / "history.jsonl", quiet_history(fleet.now()))))
    before = {name: process.pid for name, process in fleet.processes.items()}
    with fleet.client("read", "act", "send") as client:
        send(client, fleet, mention("before", "An outrage, see #luneagate", fleet.now(), author="x"))

        began = time.monotonic()
        set_(client, kind="query", terms="#luneagate")
        set_(client, kind="watch", authors=["@critic"], level="red")
        set_(client, ends=until(fleet), kind="mute", source="forum")
        set_(client, ends=until(fleet), kind="planned", name="Spring sale")
        number = len(client.get(SETTINGS).raise_for_status().json()["settings"])
        assert number == 4
        ports = (
            range(fleet.api_port, fleet.api_port + 4)
            if fleet.together
            else range(fleet.ingest_port, fleet.api_port + 4)
        )
        await_condition(lambda: {version_at(port) for port in ports} == {number}, "the settings in every process", 60)
        print(f"in force everywhere {time.monotonic() - began:.1f} s after the first was set")

        # ingest: what the new term finds is the brand's now, and what came before was dropped.
        send(client, fleet, mention("after", "An outrage, see #luneagate", fleet.now(), author="x"))
        # alert: a muted source rings no rule.
        muted = {**mention("muted", "The new Lunéa is really good", fleet.now(), author="critic"), "source": "forum"}
        send(client, fleet, muted)
        await_condition(
            lambda: bool(stored(client, "forum")) and bool(stored(client)), "both in the database", NOTICED_WITHIN
        )
        assert [item["native_id"] for item in stored(client)] == ["after"]
        # alert: a crisis is explained by the campaign that was entered.
        sent = crisis(fleet.now(), 40)
        send(client, fleet, *sent)
        await_condition(lambda: bool(incidents(client)), "an incident", NOTICED_WITHIN)
        assert detail(client)["evidence"]["planned"] == ["Spring sale"]
        assert "muted" in detail(client)["evidence"]
        # alert: whoever is on the watch list rings.
        send(client, fleet, mention("critic", "The new Lunéa is really good", fleet.now(), author="critic"))
        await_condition(lambda: incidents(client)[0]["level"] == "red", "the watch list", NOTICED_WITHIN)
        await_condition(
            lambda: (detail(client)["evidence"].get("watch") or {}).get("rings") == 1, "one ring", NOTICED_WITHIN
        )
    assert {name: process.pid for name, process in fleet.processes.items()} == before
    assert set(fleet.stop().values()) == {0}


def set_(client: httpx.Client, ends: str | None = None, **setting: Any) -> None:
    answer = client.post(
        SETTINGS, json={"setting": setting, "reason": "a test", **({"ends": ends} if ends is not None else {})}
    )
    assert answer.status_code == 201, answer.text


def until(fleet: Fleet) -> str:
    """Ten days of the rehearsal from now."""
    return (fleet.now() + timedelta(days=10)).isoformat()


def send(client: httpx.Client, fleet: Fleet, *mentions: dict[str, Any]) -> None:
    answer = client.post(fleet.send_address(), json=list(mentions))
    assert answer.status_code == 202, answer.text


def detail(client: httpx.Client) -> dict[str, Any]:
    """The newest incident with its evidence."""
    found: dict[str, Any] = client.get(f"/v1/incidents/{incidents(client)[0]['id']}").raise_for_status().json()
    return found


def version_at(port: int) -> float | None:
    """Which change a process has in force, as its metrics tell."""
    found = _VERSION.search(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)
    return float(found[1]) if found else None
