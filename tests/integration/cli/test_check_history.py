"""`tocsin check --history`: how often each watch rule would have rung over what the database holds, in both languages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.integration.alert.house import HOUR, RATES, House
from tests.records import NOON, classified
from tocsin.cli.failure import CommandFailed, status_of
from tocsin.cli.main import app
from tocsin.clock import ManualClock
from tocsin.contracts.events import Author, Risk, RiskKind, RiskKindScore, SourceKind
from tocsin.storage.database import Database

TEAM = """
channels: [{id: phone, kind: terminal, wakes: true}]
people: [{id: lea, name: Léa, channels: [phone]}]
policies:
  - {id: default, fallback: "person:lea", orange: {steps: [{wait: 0 s, notify: ["person:lea"]}]}}
"""
RULES = f"""{TEAM}
brands: [{{id: acme, names: [Acme]}}, {{id: zenith, names: [Zenith]}}, {{id: absent, names: [Absent]}}]
detection:
  watch:
    - {{id: paper, outlets: [Le Soir]}}
    - {{id: loud-fraud, kinds: [fraud], reach: 50000}}
    - {{id: nobody, authors: [ghost]}}
    - {{id: other-paper, outlets: [The Moon]}}
    - {{id: too-high, risk: 0.99, reach: 1000000}}
    - {{id: apart, outlets: [Le Soir], reach: 50000}}
    - {{id: elsewhere, brands: [absent], risk: 0.1}}
"""
DAY = timedelta(days=1)


@pytest.fixture
def house(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Four weeks: a paper writes every second day of both brands, a loud author speaks of fraud twice within an hour."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr("tocsin.cli.check.clock_of", lambda _environment: ManualClock(NOON))
    monkeypatch.setattr("tocsin.cli.rule_history.rates_of_network", lambda _settings: RATES)
    (tmp_path / "tocsin.yaml").write_text(RULES, encoding="utf-8")
    found = House(database, tmp_path)
    press = [
        classified(
            f"press-{day}-{brand}", brand=brand, at=NOON - day * DAY, outlet="Le Soir", source_kind=SourceKind.PRESS,
            author="desk", negative=0.1,
        )
        for day in range(1, 29, 2)
        for brand in ("acme", "zenith")
    ]  # fmt: skip
    risk = Risk(score=0.9, kinds=(RiskKindScore(kind=RiskKind.FRAUD, score=0.8),))
    loud = [
        classified(f"loud-{number}", at=NOON - 3 * DAY + number * HOUR, author="star", risk=risk).model_copy(
            update={"author": Author(id="star", followers=90_000)}
        )
        for number in range(2)
    ]
    found.write(*press, *loud, imported=True)
    return found


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def rule(text: str, name: str) -> str:
    """What is said of one rule."""
    lines = text.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith(f"  {name}"))
    end = next((i for i in range(begin + 1, len(lines)) if not lines[i].startswith("    ")), len(lines))
    return "\n".join(lines[begin:end])


def test_each_rule_says_how_often_when_last_and_whether_it_is_noisy(house: House) -> None:
    result = call("--history")
    assert result.exit_code == 0, result.exception
    paper = rule(result.stdout, "paper")
    assert "would have rung 28 times, 7.3 a week" in paper
    assert "NOISY: more than once a week" in paper
    assert (
        "acme: 14 times, beginning 14 alarms; last at 2026-03-09 12:00, 2026-03-07 12:00, 2026-03-05 12:00 UTC" in paper
    )
    assert "zenith: 14 times" in paper
    fraud = rule(result.stdout, "loud-fraud")
    assert "would have rung 2 times, 0.5 a week" in fraud
    assert "NOISY" not in fraud
    assert "acme: 2 times, beginning 1 alarm; last at 2026-03-07 13:00, 2026-03-07 12:00 UTC" in fraud


def test_a_rule_that_never_could_ring_says_what_it_lacks(house: House) -> None:
    text = call("--history").stdout
    assert "could not ring: no mention is by ghost" in rule(text, "nobody")
    assert "no mention is from The Moon (there are: Le Soir)" in rule(text, "other-paper")
    assert "no mention has a risk of 0.99 or more; the highest is 0.90" in rule(text, "too-high")
    assert "no author has 1000000 followers or more; the most is 90000" in rule(text, "too-high")
    assert "no mention meets them all" in rule(text, "apart")
    assert "could not ring" not in rule(text, "apart")
    assert "there is no mention of its brands (absent)" in rule(text, "elsewhere")


def test_it_speaks_french_too(house: House) -> None:
    text = call("--history", "--language", "fr").stdout
    assert "règles de veille sur les mentions du 2026-02-11 au 2026-03-10 UTC" in text
    assert "aurait sonné 28 fois, 7.3 par semaine" in rule(text, "paper")
    assert "BRUYANTE : plus d'une fois par semaine" in rule(text, "paper")
    assert "ne pouvait pas sonner : aucune mention de ghost" in rule(text, "nobody")
    assert "dont 1 début d'alarme" in rule(text, "loud-fraud")


def test_days_may_be_given_and_the_option_stands_where_one_likes(house: House, tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(RULES, encoding="utf-8")
    for arguments in (
        ("--history", "7"),
        ("--history=7",),
        ("--history", "7", "team.yaml"),
        ("team.yaml", "--history", "7"),
    ):
        # Of the last seven days: four mentions a brand. A week is the least that is counted.
        assert "would have rung 8 times, 8.0 a week" in rule(call(*arguments).stdout, "paper"), arguments
    assert "28 times" in rule(call("--history", "team.yaml").stdout, "paper")
    assert call("--history", "0").exit_code == 2


def test_without_rules_it_says_where_they_are_written(house: House) -> None:
    Path("empty.yaml").write_text(f"{TEAM}brands: [{{id: acme, names: [Acme]}}]\n", encoding="utf-8")
    assert "there are no watch rules to look at" in call("--history", "empty.yaml").stdout


def test_a_past_that_is_too_old_says_how_old_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.check.clock_of", lambda _environment: ManualClock(NOON + 400 * DAY))
    error = call("--history").exception
    assert isinstance(error, CommandFailed)
    assert status_of(error) == 1
    assert "no mention of the last 30 days; the newest is of 2026-03-09, so give more days" in str(error)


def test_what_is_to_mend_in_the_protocol_keeps_nobody_from_looking_back(house: House, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.removeprefix(TEAM), encoding="utf-8")
    result = call("rules.yaml", "--history")
    assert "would have rung 28 times" in result.stdout
    assert isinstance(result.exception, CommandFailed)
    assert status_of(result.exception) == 2
