"""The report after a crisis, and what verdicts say of the bell."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from services.alert.protocol.commands import Acknowledge, ChangeLevel, Judged, Note, Resolve
from services.alert.rooms import RoomKeeper
from tests.newsroom import CONFIGURATION, KeyMaker, Newsroom
from tocsin.clock import ManualClock
from tocsin.contracts.events import Risk
from tocsin.contracts.incidents import Level, Verdict
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds

Headers = dict[str, str]


@pytest.fixture
def headers(key: KeyMaker) -> Headers:
    return key("read", "act")


@pytest.fixture
def report(client: TestClient, headers: Headers, newsroom: Newsroom, database: Database, clock: ManualClock) -> str:
    """The path of an incident whose evening is over."""
    newsroom.say("first", text="Glass in my jar [click](http://evil.example) <b>", minutes_ago=20, risk=Risk(score=0.9))
    incident = newsroom.alarm(Level.ORANGE)
    RoomKeeper(database, clock, CONFIGURATION, Thresholds()).observe()
    clock.move(240)
    newsroom.command(incident.id, Acknowledge("person:lea"))
    newsroom.command(incident.id, Note("person:marc", "Called | the *supplier*"))
    path = f"/v1/incidents/{incident.id}"
    for command in (
        {"command": "finish_step", "step": 1},
        {"command": "skip_step", "step": 2, "reason": "nothing left to capture"},
        {"command": "add_follow_up", "text": "Inspect line 3", "owner": "marc", "due_on": "2026-03-20"},
    ):
        assert client.post(f"{path}/room", json=command, headers=headers).status_code == 200
    clock.move(3600)
    newsroom.command(incident.id, ChangeLevel(Judged(Level.GREEN, 3.0, {})))
    newsroom.command(incident.id, Resolve("person:lea", verdict=Verdict.CRISIS))
    return path


def test_it_tells_times_verdict_who_did_what_and_whose_the_follow_ups_are(
    client: TestClient, headers: Headers, report: str
) -> None:
    text = client.get(f"{report}/report.md", headers=headers).text
    for expected in (
        "# Incident report: Acme",
        "| from the first mention to the alarm | 20 min |",
        "| from the alarm to the acknowledgement | 4 min |",
        "| from the alarm to calm | 1 h 04 |",
        "| from the alarm to the first statement | – |",
        "- Verdict: A crisis",
        "Playbook: 1 of 2 steps done, 0 of them late",
        "Léa Martin took it in hand",
        "- [ ] Inspect line 3 – Marc Dubois, 2026-03-20",
    ):
        assert expected in text


def test_what_others_wrote_is_text_in_it_and_nothing_else(client: TestClient, headers: Headers, report: str) -> None:
    text = client.get(f"{report}/report.md", headers=headers).text
    assert r"\[click\]\(http://evil\.example\) \<b\>" in text
    assert r"Called \| the \*supplier\*" in text
    page = client.get(report.removeprefix("/v1") + "/report", headers={**headers, "Accept": "text/html"}).text
    assert "&lt;b&gt;" in page
    assert "<b>\n" not in page


def test_a_document_that_is_read_weeks_later_says_which_day_it_was_and_on_whose_clock(
    client: TestClient, headers: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    clock.move(36 * 3600)
    newsroom.command(incident.id, Note("person:marc", "Quiet since"))
    page = client.get(f"/incidents/{incident.id}/report?lang=fr", headers={**headers, "Accept": "text/html"}).text
    zone = ZoneInfo("Europe/Paris")
    days = {f"{at.astimezone(zone):%d/%m/%Y}" for at in (incident.opened_at, clock.now())}
    assert len(days) == 2
    headings = re.findall(r"<h3>\w+\.? (\d\d/\d\d/\d{4})</h3>", page)
    assert days <= set(headings)
    assert "(Europe/Paris)" in page


def test_it_is_there_in_french_and_while_the_crisis_goes_on(
    client: TestClient, headers: Headers, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    text = client.get(f"/v1/incidents/{incident.id}/report.md?lang=fr", headers=headers).text
    assert "# Rapport d’incident : Acme" in text
    assert "- Verdict : pas encore donné" in text


def test_precision_and_misses_a_month_follow_from_the_verdicts(
    client: TestClient, headers: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    for verdict in (Verdict.CRISIS, Verdict.BUZZ, Verdict.FALSE_ALARM, Verdict.TOO_LATE):
        incident = newsroom.alarm()
        newsroom.command(incident.id, Resolve("person:lea", verdict=verdict))
        clock.move(60)
    clock.move(31 * 86400)
    newsroom.alarm()
    clock.move(60)
    april, march = client.get("/v1/brands/acme/verdicts", headers=headers).json()["months"]
    assert (april["month"], april["rung"], april["precision"]) == ("2026-04", 1, None)
    assert (march["month"], march["rung"], march["precision"], march["missed"]) == ("2026-03", 4, 0.5, 1)
    assert march["verdicts"] == {"crisis": 1, "buzz": 1, "false_alarm": 1, "too_late": 1}
