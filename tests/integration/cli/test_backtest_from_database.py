"""`tocsin backtest --from-database`: the past as it came, judged again; and what other settings would have made of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.integration.alert.house import HOUR, MINUTE, RATES, House, burst, calm_weeks
from tests.records import NOON, classified
from tocsin.cli.failure import status_of
from tocsin.cli.main import app
from tocsin.contracts.incidents import Level
from tocsin.storage import past, ticks
from tocsin.storage.database import Database


@pytest.fixture
def house(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A brand with five calm days that were imported, and a folder in which commands find its database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr("tocsin.cli.backtest.rates_of_network", lambda _settings: RATES)
    found = House(database, tmp_path)
    found.write(*calm_weeks(NOON, days=5), imported=True)
    return found


def with_a_crisis(house: House) -> None:
    """Twenty angry people within ten minutes, judged live; then an hour passes."""
    angry = burst(NOON + 10 * MINUTE, 20, lasting=10 * MINUTE)
    # Written at once, as ticks would have it: an instant is judged when everything before it has come.
    house.until(NOON + HOUR, said=[item.model_copy(update={"received_at": item.published_at}) for item in angry])
    with house.database.unit_of_work() as session:
        ticks.advance(session, [(0, 0, NOON + HOUR + 2 * MINUTE)])


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["backtest", *map(str, arguments)])


def told(result: Result) -> tuple[int, str]:
    """The status with which the command would end, and what it would say."""
    error = result.exception
    assert isinstance(error, Exception)
    return status_of(error) if not isinstance(error, SystemExit) else int(error.code or 0), str(error)


def test_it_says_what_the_live_run_said_at_the_same_instants(house: House) -> None:
    with_a_crisis(house)
    live = [item for item in house.judgements if item.event is not None]
    assert any(item.level.serious for item in live)
    result = call("--from-database", "--live-only")
    assert result.exit_code == 0, result.exception
    replayed = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(item["at"], item["event"], item["level"], item["score"]) for item in replayed] == [
        (item.at.isoformat(), str(item.event), str(item.level), item.score) for item in live
    ]
    assert replayed[0]["reasons"] == [reason.en for reason in live[0].reasons]
    assert "238 of 258 mentions were imported" in result.stderr


def test_imported_history_is_judged_as_though_it_had_come_live_unless_it_shall_not_be(house: House) -> None:
    old = burst(NOON - 6 * HOUR, 20, name="old", lasting=10 * MINUTE)
    house.write(*old, imported=True)
    assert call("--from-database", "--live-only").stdout == ""
    assert '"level": "orange"' in call("--from-database").stdout


def test_other_settings_let_an_alert_vanish_or_another_appear(house: House, tmp_path: Path) -> None:
    with_a_crisis(house)
    (incident,) = house.incidents()
    (tmp_path / "deaf.yaml").write_text("detection: {gate: {harmful_authors: 50}}\n")
    (tmp_path / "usual.yaml").write_text("detection: {}\n")
    deaf = json.loads(call("--from-database", "--compare", "deaf.yaml", "--json").stdout)
    assert (deaf["present"], deaf["other"]) == ("the defaults", "deaf.yaml")
    (brand,) = deaf["brands"]
    assert (brand["brand"], brand["mentions"], brand["imported"]) == ("acme", 258, 238)
    (alert,) = [item for item in brand["alerts"] if item["serious"]]
    # Without orange it is at most a notice.
    assert alert["change"] in {"vanishes", "level"}
    assert alert["present"]["level"] in {"orange", "red"}
    assert [item["id"] for item in alert["incidents"]] == [str(incident.id)]
    heard = json.loads(call("--from-database", "-c", "deaf.yaml", "--compare", "usual.yaml", "--json").stdout)
    (alert,) = [item for item in heard["brands"][0]["alerts"] if item["serious"]]
    assert alert["change"] in {"appears", "level"}
    assert alert["other"] == brand["alerts"][0]["present"]
    same = json.loads(call("--from-database", "--compare", "usual.yaml", "--json").stdout)
    assert same["totals"] == {"appears": 0, "vanishes": 0, "level": 0, "time": 0, "same": 1}


def test_a_table_in_either_language_and_a_plot_of_both(house: House, tmp_path: Path) -> None:
    with_a_crisis(house)
    (tmp_path / "deaf.yaml").write_text("detection: {gate: {harmful_authors: 50}, levels: {yellow_authors: 50}}\n")
    english = call("--from-database", "--compare", "deaf.yaml", "--plot", "page.html")
    assert english.exit_code == 0, english.exception
    assert "acme: 1 alert under the defaults, 0 alerts under deaf.yaml" in english.stdout
    assert "vanishes" in english.stdout
    assert "harmful mentions in" in english.stdout
    assert "really opened: incident" in english.stdout
    assert "in all: 0 appear, 1 vanish, 0 change level, 0 change time, 0 stay" in english.stdout
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "acme · the defaults" in page
    assert "acme · deaf.yaml" in page
    french = call("--from-database", "--compare", "deaf.yaml", "--language", "fr")
    assert "acme : 1 alerte avec the defaults, 0 alerte avec deaf.yaml" in french.stdout
    assert "mentions nuisibles en" in french.stdout
    assert "en tout : 0 apparaissent, 1 disparaissent" in french.stdout


def test_an_incident_that_neither_finds_is_told_and_a_drill_is_not(house: House) -> None:
    with_a_crisis(house)
    with house.database.read() as session:
        (incident,) = past.opened_incidents(session, ["acme"])
        assert (incident.brand, incident.level.serious) == ("acme", True)
        assert past.opened_incidents(session, ["zenith"]) == []
    Path("deaf.yaml").write_text("detection: {gate: {harmful_authors: 50}, levels: {yellow_authors: 50}}\n")
    both_deaf = call("--from-database", "-c", "deaf.yaml", "--compare", "deaf.yaml")
    assert f"incident {incident.id} of" in both_deaf.stdout
    assert "neither finds it" in both_deaf.stdout


def test_a_watch_rule_of_the_other_file_rings_on_the_instant(house: House, tmp_path: Path) -> None:
    at = NOON + 7 * MINUTE
    house.until(NOON + 20 * MINUTE, said=[classified("press", at=at, author="lemonde", negative=0.1)])
    (tmp_path / "rule.yaml").write_text("detection: {watch: [{id: paper, authors: [lemonde], level: red}]}\n")
    (brand,) = json.loads(call("--from-database", "--compare", "rule.yaml", "--live-only", "--json").stdout)["brands"]
    (alert,) = brand["alerts"]
    assert (alert["change"], alert["other"]["level"]) == ("appears", "red")
    assert alert["other"]["at"] == (at + timedelta(seconds=30)).isoformat()
    assert "Rule paper" in alert["other"]["begun"][0]["reasons"][0]


def test_a_brand_that_only_one_of_both_configures_is_named(house: House, tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("brands: [{id: zenith, names: [Zenith]}]\n")
    (tmp_path / "new.yaml").write_text("brands: [{id: acme, names: [Acme]}]\n")
    result = call("--from-database", "--compare", "new.yaml")
    assert "acme is configured only in new.yaml" in result.stdout
    assert "under tocsin.yaml" in result.stdout
    (tmp_path / "settings.yaml").write_text("detection: {gate: {harmful_authors: 9}}\n")
    assert "configured only" not in call("--from-database", "--compare", "settings.yaml").stdout


def test_what_cannot_be_done_is_said_with_how_to_mend_it(house: House, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("detection: {gate: {harmful_authors: none}}\n")
    for arguments, status, says in (
        (("--from-database", "--brand", "nobody"), 2, "it has those of acme"),
        (("--from-database", "--compare", "missing.yaml"), 2, "--compare missing.yaml: there is no such file"),
        (("--from-database", "--compare", "wrong.yaml"), 2, "wrong.yaml:1:20: detection.gate.harmful_authors"),
        (("--from-database", "--gold-sentiment"), 2, "needs a file with human labels"),
        (("--from-database", "file.jsonl"), 2, "leave out one of the two"),
        (("--from-database", "--json"), 2, "--json belongs to --compare"),
        (("file.jsonl", "--brand", "acme"), 2, "belong to --from-database"),
        ((), 2, "give a file of mentions"),
    ):
        found = told(call(*arguments))
        assert found[0] == status, arguments
        assert says in found[1], arguments


def test_an_empty_database_and_one_without_tables_say_what_to_do(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    status, says = told(call("--from-database"))
    assert (status, "tocsin db upgrade" in says) == (1, True)
    empty_database.upgrade()
    status, says = told(call("--from-database"))
    assert (status, "holds no mentions yet" in says) == (1, True)


def test_rows_come_in_the_order_of_receipt_however_many(house: House) -> None:
    house.write(classified("late", at=NOON - 20 * HOUR, received_at=NOON + HOUR, author="x"))
    with house.database.read() as session:
        rows = list(past.received(session, "acme"))
        assert rows[-1].at == NOON - 20 * HOUR
        assert [row.received_at for row in rows] == sorted(row.received_at for row in rows)
        assert len(rows) == 239
        assert [row.at for row in past.published(session, "acme", since=NOON - 30 * HOUR)][-1] < NOON
        assert past.known_until(session) == NOON + HOUR
    assert house.level() is Level.GREEN
