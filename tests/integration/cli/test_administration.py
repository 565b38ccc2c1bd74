"""check, db, keys, dlq, replay and import, as whoever runs Tocsin types them."""

from __future__ import annotations

import json
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.cli.conftest import Command
from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.run_time import RunTimeSetting, setting_value
from tocsin.storage import oncall, run_time_settings
from tocsin.storage.database import Database

CONFIGURATION = """
brands: [{id: lunea, names: [Lunéa]}]
people: [{id: lea, name: Léa, channels: [terminal]}]
channels: [{kind: terminal, id: terminal, wakes: true}]
policies: [{id: night, orange: {steps: [{notify: ["person:lea"]}]}}]
"""


def mentions(count: int) -> str:
    at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).isoformat()
    texts = ("Lunéa is great", "Nothing to do with it")
    return "\n".join(
        json.dumps({"source": "x", "native_id": str(number), "text": texts[number % 2], "published_at": at})
        for number in range(count)
    )


def test_check_passes_a_protocol_that_reaches_somebody(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION, encoding="utf-8")
    done = tocsin("check")
    assert (done.returncode, "holds together" in done.stdout) == (0, True), done.stderr


def test_check_refuses_a_protocol_that_wakes_nobody(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION.replace("wakes: true", "wakes: false"), encoding="utf-8")
    done = tocsin("check", "tocsin.yaml")
    assert done.returncode == 2
    assert "reaches nobody on a channel that wakes" in done.stdout


def test_check_refuses_a_statement_that_could_not_be_filled_in_on_the_night(tocsin: Command, tmp_path: Path) -> None:
    room = """
roles: [{id: speaker, name: Speaker, holder: "person:lea"}]
statements:
  - {id: endless, title: Endless, channel: press, role: speaker, texts: {en: "{% for i in range(9**9) %}x{% endfor %}"}}
"""
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION + room, encoding="utf-8")
    done = tocsin("check")
    assert done.returncode == 2
    assert "statements.endless: line 1: for is not allowed" in done.stdout


def test_check_tells_of_settings_that_the_file_has_no_place_for_any_more(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION, encoding="utf-8")
    assert tocsin("db", "upgrade").returncode == 0
    database = Database(f"sqlite:///{tmp_path / '.tocsin' / 'tocsin.sqlite'}")
    now = datetime.now(UTC)
    with database.unit_of_work() as session:
        for brand, days in (("lunea", 300), ("lunea", 1), ("globex", 300)):
            value = setting_value({"kind": "query", "terms": f"#{brand}{days}"})
            run_time_settings.add(
                session,
                RunTimeSetting(
                    id=uuid.uuid4(), brand=brand, value=value, reason="a test", by="person:lea", at=now, begins=now,
                    ends=now + timedelta(days=days),
                ),
            )  # fmt: skip
    database.close()
    assert "setting" not in tocsin("check").stdout
    done = tocsin("check", "--database")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("warning: setting")]
    assert len(told) == 2
    assert "of lunea (query) ends" in told[0] + told[1]
    assert "of globex is not applied: there is no brand 'globex' in the configuration" in told[0] + told[1]


def test_check_finds_minutes_that_an_exchanged_shift_leaves_to_somebody_whom_nothing_wakes(
    tocsin: Command, tmp_path: Path
) -> None:
    written = """
people:
  - {id: lea, name: Léa, channels: [phone]}
  - {id: sam, name: Sam, channels: [wall]}
channels: [{kind: terminal, id: phone, wakes: true}, {kind: terminal, id: wall}]
schedules: [{id: nights, layers: [{people: [lea], start: 2026-01-05}]}]
policies: [{id: night, orange: {steps: [{notify: ["schedule:nights"]}]}}]
"""
    (tmp_path / "tocsin.yaml").write_text(written, encoding="utf-8")
    assert tocsin("db", "upgrade").returncode == 0
    now = datetime.now(UTC)
    override = Override(
        id=uuid.uuid4(), schedule="nights", person="sam", since=now + timedelta(days=2), until=now + timedelta(days=2, hours=3),
        by="person:lea", at=now,
    )  # fmt: skip
    database = Database(f"sqlite:///{tmp_path / '.tocsin' / 'tocsin.sqlite'}")
    with database.unit_of_work() as session:
        oncall.add_override(session, override)
    database.close()
    assert tocsin("check").returncode == 0
    done = tocsin("check", "--database")
    assert done.returncode == 2
    assert "policies.night.orange: wakes nobody at all during 180 minutes of the next 28 days" in done.stdout


def test_check_names_the_line_of_an_unknown_key(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("brands:\n  - id: lunea\n    colour: red\n", encoding="utf-8")
    done = tocsin("check")
    assert done.returncode == 2
    assert "tocsin.yaml:3:5: brands[0].colour: unknown key" in done.stderr


def test_the_database_is_brought_up_to_date_twice_without_harm(tocsin: Command) -> None:
    assert tocsin("db", "upgrade").returncode == 0
    assert tocsin("db", "upgrade").returncode == 0


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(tocsin: Command) -> None:
    tocsin("db", "upgrade")
    key = tocsin("keys", "create", "--name", "importer", "--scope", "send", "--expires", "90 d").stdout.strip()
    assert key.startswith("tocsin_")
    listed = tocsin("keys", "list").stdout
    assert "importer" in listed
    assert key not in listed
    prefix = key.split("_")[1]
    assert tocsin("keys", "revoke", prefix).returncode == 0
    assert "revoked" in tocsin("keys", "list").stdout
    assert tocsin("keys", "revoke", "nonesuch").returncode == 1
    assert tocsin("keys", "create", "--name", "x", "--scope", "everything").returncode == 2


def test_a_command_on_a_database_without_tables_says_what_to_do(tocsin: Command) -> None:
    done = tocsin("keys", "list")
    assert done.returncode == 1
    assert "tocsin db upgrade" in done.stderr


def test_replay_puts_a_file_on_the_bus_and_no_dead_letters_come_of_it(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "mentions.jsonl").write_text(mentions(10), encoding="utf-8")
    done = tocsin("replay", "mentions.jsonl", "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert "5 published, 5 about no brand, 0 rejected" in done.stdout
    assert "No dead letters" in tocsin("dlq", "list").stdout
    assert tocsin("replay", "mentions.jsonl", "--speed", "quickly").returncode == 2
    assert tocsin("dlq", "replay", "nonesuch").returncode == 2


def test_import_writes_history_that_wakes_nobody(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "mentions.jsonl").write_text(mentions(10), encoding="utf-8")
    for _ in range(2):
        done = tocsin("import", "mentions.jsonl")
        assert done.returncode == 0, done.stderr
        assert "5 imported, 5 about no brand, 0 rejected" in done.stdout
    with sqlite3.connect(tmp_path / ".tocsin" / "tocsin.sqlite") as database:
        assert database.execute("SELECT count(*), max(wakes) FROM mentions").fetchone() == (5, 0)


def test_a_network_that_is_not_there_is_a_wrong_configuration_told_in_words(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("classifier: {model: ./nowhere}\n", encoding="utf-8")
    for service in ("classify", "alert"):
        done = tocsin("run", service, "--port", "0")
        assert done.returncode == 2, done.stderr
        assert "nowhere" in done.stderr
        assert "Traceback" not in done.stderr
    done = tocsin("classify", "-", given=mentions(1))
    assert (done.returncode, "models/export.py" in done.stderr) == (2, True)


def test_a_wrong_database_address_is_told_without_its_password(tocsin: Command, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("storage: {url: 'mysql://tocsin:hunter2@db/tocsin'}\n", encoding="utf-8")
    done = tocsin("db", "upgrade")
    assert done.returncode == 2
    assert "PostgreSQL or SQLite" in done.stderr
    assert "hunter2" not in done.stderr
