"""`tocsin drill` and `tocsin notifications`, as whoever runs Tocsin types them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from services.alert.notify.channels import channels
from services.alert.notify.sender import Sender
from tests.integration.cli.conftest import Command
from tocsin.clock import SystemClock
from tocsin.config import load
from tocsin.storage.database import Database

CONFIGURATION = """
brands: [{id: lunea, names: [Lunéa]}]
people: [{id: lea, name: Léa, channels: [ring]}]
channels: [{kind: webhook, id: ring, url: "https://localhost:1/ring", secret: whsec_dGhpcnR5LXR3byBieXRlcywgZm9yIGEgdGVzdCBvbmx5}]
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}]}}]
"""


def test_a_drill_rings_and_what_did_not_come_through_is_listed_and_sent_again(tocsin: Command, tmp_path: Path) -> None:
    written = tmp_path / "tocsin.yaml"
    written.write_text(CONFIGURATION, encoding="utf-8")
    assert tocsin("db", "upgrade").returncode == 0
    wrong = tocsin("drill", "--person", "leah")
    assert (wrong.returncode, "there is no person 'leah'; known are lea" in wrong.stderr) == (2, True)
    done = tocsin("drill")
    assert (done.returncode, "is ringing" in done.stdout) == (0, True), done.stderr
    assert "Léa (lea): never" in tocsin("drill", "--show").stdout
    with closing(Database(f"sqlite:///{tmp_path / '.tocsin' / database_file(tmp_path)}")) as database:
        clock = SystemClock()
        Sender(database, clock, channels(load(written), clock)).send_due()
    listed = tocsin("notifications", "list").stdout
    assert "person:lea on ring  rejected after 1: the host is on a private network" in listed
    assert f"{datetime.now(UTC):%Y-%m-%d}" in listed
    identifier = listed.split()[0]
    assert tocsin("notifications", "send-again", identifier).returncode == 0
    again = tocsin("notifications", "send-again", identifier)
    assert (again.returncode, "was given up" in again.stderr) == (1, True)
    assert "Every message came through." in tocsin("notifications", "list").stdout


def database_file(folder: Path) -> str:
    """The name of the database in the data folder."""
    [file] = [path.name for path in (folder / ".tocsin").glob("*.sqlite") if "bus" not in path.name]
    return file
