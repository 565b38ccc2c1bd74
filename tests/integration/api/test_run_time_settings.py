"""Settings of run time over the API, on both databases: who may, what is refused, what stays on record, what a preview says."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from tests.newsroom import CONFIGURATION, NOW, KeyMaker, Newsroom
from tests.records import classified
from tocsin.clock import ManualClock
from tocsin.live_settings import LiveSettings
from tocsin.matching import BrandMatcher
from tocsin.storage.database import Database
from tocsin.storage.tables.run_time import RunTimeSettingTable

SETTINGS = "/v1/brands/acme/settings"
END = "2026-03-20T22:00:00Z"
EXCLUDE = {"setting": {"kind": "exclude", "terms": "aurora"}, "reason": "the lights", "ends": END}


@pytest.fixture
def acting(client: TestClient, key: KeyMaker) -> TestClient:
    """A client that may read and act."""
    client.headers.update(key("read", "act"))
    return client


def add(client: TestClient, reason: str = "a test", ends: str | None = None, **setting: Any) -> dict[str, Any]:
    answer = client.post(SETTINGS, json={"setting": setting, "reason": reason, **({"ends": ends} if ends else {})})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_set_stands_there_with_author_reason_and_end_and_stays_on_record(
    acting: TestClient, clock: ManualClock, key: KeyMaker
) -> None:
    assert acting.get(SETTINGS).json() == {"settings": []}
    made = add(acting, "the lights", END, kind="exclude", terms="aurora")
    assert made["by"].startswith("key:")
    assert made["setting"] == {"kind": "exclude", "terms": "aurora"}
    assert (made["begins"], made["ends"]) == ("2026-03-10T21:40:00Z", END)
    clock.move(60)
    withdrawn = acting.post(f"{SETTINGS}/{made['id']}/withdraw", json={"reason": "winter is over"})
    assert withdrawn.status_code == 200, withdrawn.text
    assert withdrawn.json()["withdrawn_why"] == "winter is over"
    assert acting.post(f"{SETTINGS}/{made['id']}/withdraw", json={"reason": "again"}).status_code == 409
    assert acting.get(SETTINGS).json() == {"settings": []}
    [kept] = acting.get(SETTINGS, params={"over": "true"}).json()["settings"]
    assert kept == withdrawn.json()
    entries = acting.get("/v1/audit", headers=key("admin")).json()["entries"]
    told = {entry["action"]: entry for entry in entries}
    assert told["setting.added"]["details"]["reason"] == "the lights"
    assert told["setting.added"]["brand"] == "acme"
    assert told["setting.withdrawn"]["target"] == f"setting:{made['id']}"


def test_the_same_request_again_sets_it_once(acting: TestClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first, second = (acting.post(SETTINGS, json=EXCLUDE, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    listed = acting.get(SETTINGS)
    assert len(listed.json()["settings"]) == 1
    assert acting.get(SETTINGS, headers={"If-None-Match": listed.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends": None}, "ends"),
        ({"ends": "2026-03-10T21:00:00Z"}, "ends"),
        ({"ends": "2027-03-10T21:00:00Z"}, "ends"),
        ({"reason": ""}, "reason"),
        ({"setting": {"kind": "exclude", "terms": "two words"}}, "setting.exclude.terms"),
        ({"setting": {"kind": "watch"}}, "setting.watch"),
        ({"setting": {"kind": "policy"}}, "setting"),
        ({"until": END}, "until"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(acting: TestClient, changes: dict[str, Any], field: str) -> None:
    answer = acting.post(SETTINGS, json={**EXCLUDE, **changes})
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]


def test_who_may_only_read_sets_nothing(client: TestClient, key: KeyMaker) -> None:
    assert client.post(SETTINGS, json=EXCLUDE, headers=key("read")).status_code == 403
    assert client.get(SETTINGS, headers=key("read", brands=["globex"])).status_code == 404
    other = key("act", "read", brands=["globex"])
    made = client.post(SETTINGS, json=EXCLUDE, headers=key("act")).json()
    for path in (SETTINGS, "/v1/brands/globex/settings"):
        refused = client.post(f"{path}/{made['id']}/withdraw", json={"reason": "mine"}, headers=other)
        assert refused.status_code == 404
    assert len(client.get(SETTINGS, headers=key("read")).json()["settings"]) == 1


def test_too_many_of_a_kind_are_refused_and_none_is_half_there(acting: TestClient) -> None:
    for number in range(100):
        add(acting, kind="query", terms=f"#word{number}")
    more = acting.post(SETTINGS, json={"setting": {"kind": "query", "terms": "#more"}, "reason": "why not"})
    assert more.status_code == 409
    assert len(acting.get(SETTINGS).json()["settings"]) == 100


def test_another_process_has_it_in_force_after_its_next_look(
    acting: TestClient, database: Database, clock: ManualClock
) -> None:
    other = LiveSettings(CONFIGURATION, database, clock)
    assert other.refresh() is False
    before = other.overlay()
    made = add(acting, kind="query", terms="#acmegate")
    assert other.overlay() is before
    assert other.refresh() is True
    assert BrandMatcher.of_brands(other.overlay().configuration.brands).brands("see #acmegate") == ("acme",)
    now = other.overlay()
    assert other.refresh() is False
    assert other.overlay() is now, "what is made of it is made once"
    acting.post(f"{SETTINGS}/{made['id']}/withdraw", json={"reason": "over"})
    assert other.refresh() is True
    assert BrandMatcher.of_brands(other.overlay().configuration.brands).brands("see #acmegate") == ()


def test_a_setting_ends_by_the_clock_also_while_the_database_is_away(
    acting: TestClient, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveSettings(CONFIGURATION, database, clock)
    add(acting, ends="2026-03-10T22:40:00Z", kind="crisis_words", words=["glass"])
    live.refresh()
    assert "glass" in live.overlay().detection("acme").crisis_words

    def away() -> Any:
        from tocsin.storage.database import DatabaseUnavailable

        raise DatabaseUnavailable("unplugged")

    monkeypatch.setattr(database, "read", away)
    assert live.refresh() is False
    assert "glass" in live.overlay().detection("acme").crisis_words, "the last known state holds"
    clock.move(3600)
    assert live.refresh() is True
    assert "glass" not in live.overlay().detection("acme").crisis_words


def test_what_this_version_cannot_read_is_kept_shown_and_stops_nothing(
    acting: TestClient, database: Database, clock: ManualClock
) -> None:
    made = add(acting, kind="query", terms="#acmegate")
    add(acting, kind="query", terms="#other")
    with database.unit_of_work() as session:
        session.execute(
            update(RunTimeSettingTable)
            .where(RunTimeSettingTable.id == uuid.UUID(made["id"]))
            .values(value={"kind": "query", "terms": "NEAR/3 of a later version"})
        )
    live = LiveSettings(CONFIGURATION, database, clock)
    live.refresh()
    assert BrandMatcher.of_brands(live.overlay().configuration.brands).brands("see #other") == ("acme",)
    [odd] = [item for item in acting.get(SETTINGS).json()["settings"] if item["id"] == made["id"]]
    assert odd["setting"] is None
    assert "NEAR/3" in odd["unreadable"]
    assert acting.post(f"{SETTINGS}/{made['id']}/withdraw", json={"reason": "odd"}).status_code == 200


def test_a_campaign_stands_in_every_chart_also_afterwards(acting: TestClient, clock: ManualClock) -> None:
    answer = acting.post(
        SETTINGS,
        json={
            "setting": {"kind": "planned", "name": "Spring sale"},
            "reason": "codes will be posted",
            "begins": "2026-03-10T22:00:00Z",
            "ends": "2026-03-11T22:00:00Z",
        },
    )
    assert answer.status_code == 201, answer.text
    clock.move(3 * 86400)
    since = {"since": "2026-03-01T00:00:00Z"}
    annotations = acting.get("/v1/brands/acme/timeline", params=since).json()["annotations"]
    assert annotations == [{"name": "Spring sale", "start": "2026-03-10T22:00:00Z", "end": "2026-03-11T22:00:00Z"}]
    assert acting.get("/v1/brands/globex/timeline", params=since).json()["annotations"] == []


def test_a_campaign_stands_behind_the_bars_of_the_page(
    acting: TestClient, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    answer = acting.post(
        SETTINGS,
        json={
            "setting": {"kind": "planned", "name": "Spring <sale>"},
            "reason": "codes will be posted",
            "begins": "2026-03-10T22:00:00Z",
            "ends": "2026-03-11T22:00:00Z",
        },
    )
    assert answer.status_code == 201, answer.text
    assert 'class="planned"' not in acting.get("/").text
    clock.move(2 * 3600)
    for path, charts in (("/", 2), (f"/incidents/{incident.id}", 2)):
        page = acting.get(path, headers={"Accept-Language": "en"}).text
        assert page.count('class="planned"') == charts
        assert page.count("planned: Spring &lt;sale&gt;") == charts


def test_a_preview_says_what_would_be_new_and_what_would_be_kept_out(acting: TestClient, newsroom: Newsroom) -> None:
    newsroom.say("ours", text="Acme and the aurora", source="rss")
    newsroom.say("calm", text="Acme opens a shop", minutes_ago=2 * 1440)
    newsroom.say("theirs", text="Broken jars at Globex #jargate", brand="globex")
    newsroom.say("old", text="Acme #jargate", minutes_ago=8 * 1440)
    answer = acting.post("/v1/brands/acme/queries/preview", json={"query": "#jargate", "exclude": "aurora"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["looked_at"] == 3
    assert said["total"] == {"matched": 2, "new": 1, "excluded": 1}
    assert said["new_for"] == {"globex": 1}
    assert [item["text"] for item in said["new"]] == ["Broken jars at Globex #jargate"]
    assert [item["text"] for item in said["excluded"]] == ["Acme and the aurora"]
    assert {item["day"]: item["matched"] for item in said["by_day"]} == {"2026-03-08": 1, "2026-03-10": 1}
    assert "dropped" in said["not_kept"]["en"]
    assert "conservé" in said["not_kept"]["fr"]
    assert acting.get(SETTINGS).json() == {"settings": []}, "nothing is set by looking"


def test_a_preview_shows_nothing_of_brands_that_one_may_not_see(
    client: TestClient, key: KeyMaker, newsroom: Newsroom
) -> None:
    newsroom.say("theirs", text="Broken jars at Globex #jargate", brand="globex")
    headers = key("read", brands=["acme"])
    said = client.post("/v1/brands/acme/queries/preview", json={"query": "#jargate"}, headers=headers).json()
    assert said["looked_at"] == 0
    assert "Globex" not in str(said)


def test_a_preview_counts_what_is_in_force_already_as_todays_query(acting: TestClient, newsroom: Newsroom) -> None:
    newsroom.say("ours", text="Acme and the aurora")
    add(acting, ends=END, kind="exclude", terms="aurora")
    said = acting.post("/v1/brands/acme/queries/preview", json={"exclude": "aurora"}).json()
    assert said["total"] == {"matched": 0, "new": 0, "excluded": 0}


def test_a_preview_reads_the_newest_and_says_how_far_it_came(
    acting: TestClient, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.api import run_time_settings

    monkeypatch.setattr(run_time_settings, "MOST_LOOKED_AT", 25)
    at = NOW - timedelta(hours=1)
    newsroom.write(*(classified(f"m{number}", at=at - timedelta(minutes=number), text="Acme") for number in range(60)))
    said = acting.post("/v1/brands/acme/queries/preview", json={"query": "#jargate"}).json()
    assert (said["looked_at"], said["total"]["matched"]) == (25, 25)
    assert said["since"] == "2026-03-10T20:16:00Z"


@pytest.mark.parametrize("body", [{}, {"query": "two words"}, {"exclude": '"open'}, {"query": "a", "brand": "acme"}])
def test_a_preview_of_what_cannot_be_read_is_refused(acting: TestClient, body: dict[str, str]) -> None:
    assert acting.post("/v1/brands/acme/queries/preview", json=body).status_code == 422
