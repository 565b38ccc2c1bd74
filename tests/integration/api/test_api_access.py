"""Denied by default: who gets in, and what they may do then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from services.api.gate import BODY_LIMIT, SECURITY_HEADERS
from tests.newsroom import CONFIGURATION, KeyMaker, Newsroom
from tocsin.access.commands import WrongRequest, create_key, list_keys, revoke_key, sign_in_link
from tocsin.access.principals import NotAllowed, NotRecognised, Scope
from tocsin.access.secrets import form_token
from tocsin.access.sessions import Sessions
from tocsin.access.verifying import FRESH_SECONDS, STALE_SECONDS, KeyVerifier
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.protocol import PersonSettings
from tocsin.storage.database import Database, DatabaseUnavailable

HTML = {"Accept": "text/html"}


def sign_in(client: TestClient, database: Database, clock: ManualClock, person: str = "lea") -> str:
    """Sign in as a person by a link, and return the session's form token."""
    link = sign_in_link(database, clock, base_url="http://tocsin.test", person=person)
    token = parse_qs(urlsplit(link).query)["link"][0]
    assert client.post("/sign-in", data={"link": token}).status_code == 303
    return form_token(client.cookies["tocsin_session"])


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/docs", "/redoc", "/openapi.json", "/static/../app.py"])
def test_a_stranger_does_not_even_learn_which_paths_there_are(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in {401, 404}


def test_a_browser_that_is_not_signed_in_is_sent_to_sign_in_and_a_program_gets_a_problem(client: TestClient) -> None:
    sent = client.get("/", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in")
    refused = client.get("/v1/brands", headers=HTML)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer tocsin_abcdefgh_" + "0" * 64,
        "Bearer \u00e9",
        "tocsin_abcdefgh_" + "0" * 64,
    ],
)
def test_a_wrong_key_is_refused_whatever_it_is(client: TestClient, authorization: str) -> None:
    answer = client.get("/v1/brands", headers={"Authorization": authorization.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401


def test_the_right_prefix_with_a_wrong_secret_is_refused(client: TestClient, key: KeyMaker) -> None:
    right = key("read")["Authorization"]
    assert client.get("/v1/brands", headers={"Authorization": right}).status_code == 200
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    assert client.get("/v1/brands", headers={"Authorization": wrong}).status_code == 401


def test_a_scope_opens_its_own_doors_only(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    incident = newsroom.alarm()
    act = f"/v1/incidents/{incident.id}/acknowledge"
    assert client.get("/v1/brands", headers=key("act")).status_code == 403
    assert client.post(act, headers=key("read")).status_code == 403
    assert client.post(act, headers=key("send")).status_code == 403
    assert client.post(act, headers=key("act")).status_code == 200
    assert client.get("/v1/brands", headers=key("admin")).status_code == 200


def test_a_key_for_one_brand_sees_nothing_of_another(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    incident = newsroom.alarm()
    other = key("read", "act", brands=["globex"])
    assert [brand["id"] for brand in client.get("/v1/brands", headers=other).json()["brands"]] == ["globex"]
    assert client.get("/v1/incidents", headers=other).json()["incidents"] == []
    assert "Acme" not in client.get("/", headers=other).text
    hidden = [
        client.get("/v1/mentions?brand=acme", headers=other),
        client.get("/v1/brands/acme/timeline", headers=other),
        client.get("/v1/incidents?brand=acme", headers=other),
        client.get(f"/v1/incidents/{incident.id}", headers=other),
        client.get(f"/incidents/{incident.id}", headers=other),
        client.post(f"/v1/incidents/{incident.id}/acknowledge", headers=other),
        client.post(f"/v1/incidents/{incident.id}/resolve", headers=other),
    ]
    assert [answer.status_code for answer in hidden] == [404] * len(hidden)


def test_an_expired_key_is_refused_from_that_instant_on(
    client: TestClient, key: KeyMaker, people_clock: ManualClock
) -> None:
    headers = key("read", lifetime=timedelta(hours=1))
    people_clock.move(3599)
    assert client.get("/v1/brands", headers=headers).status_code == 200
    people_clock.move(1)
    refused = client.get("/v1/brands", headers=headers)
    assert refused.status_code == 401
    assert "expired" in refused.json()["detail"]


def test_a_revoked_key_works_for_half_a_minute_more_at_most(database: Database, people_clock: ManualClock) -> None:
    passed = 0.0
    verifier = KeyVerifier(database, people_clock, lambda: passed)
    made = create_key(database, people_clock, CONFIGURATION, name="importer", scopes=["send"])
    assert verifier.verify(made.text, "send").actor == f"key:{made.stored.prefix}"
    revoke_key(database, people_clock, made.text)
    passed += FRESH_SECONDS
    with pytest.raises(NotRecognised, match="revoked"):
        verifier.verify(made.text, "send")


def test_keys_go_on_working_while_the_database_is_away_and_unknown_ones_are_told_to_come_again(
    database: Database, people_clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0
    verifier = KeyVerifier(database, people_clock, lambda: passed)
    known, unseen = (
        create_key(database, people_clock, CONFIGURATION, name="importer", scopes=["send"]).text for _ in range(2)
    )
    verifier.verify(known, Scope.SEND)

    def away() -> Any:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(database, "read", away)
    passed += STALE_SECONDS - 1
    assert verifier.verify(known, Scope.SEND).may(Scope.SEND)
    with pytest.raises(NotAllowed, match="scope 'read'"):
        verifier.verify(known, Scope.READ)
    with pytest.raises(DatabaseUnavailable):
        verifier.verify(unseen, Scope.SEND)
    passed += 1
    with pytest.raises(DatabaseUnavailable):
        verifier.verify(known, Scope.SEND)


def test_a_key_is_listed_without_its_secret_and_with_its_last_use(
    database: Database, people_clock: ManualClock
) -> None:
    made = create_key(database, people_clock, CONFIGURATION, name="importer", scopes=["send"], brands=["acme"])
    KeyVerifier(database, people_clock, lambda: 0.0).verify(made.text, "send")
    (listed,) = list_keys(database)
    assert (listed.name, listed.scopes, listed.brands) == ("importer", frozenset({Scope.SEND}), frozenset({"acme"}))
    assert listed.last_used_at == people_clock.now()
    assert made.text.rsplit("_", 1)[1] not in repr(listed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scopes": ["reed"]}, "reed is no scope; choose among send, read, act, admin"),
        ({"scopes": []}, "at least one scope"),
        ({"brands": ["acne"]}, "acne: no such brand"),
        ({"name": " "}, "needs a name"),
        ({"lifetime": timedelta(0)}, "longer than nothing"),
    ],
)
def test_a_key_that_cannot_be_made_says_why(
    database: Database, people_clock: ManualClock, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(WrongRequest, match=said):
        create_key(database, people_clock, CONFIGURATION, **{"name": "x", "scopes": ["read"], **wrong})
    assert list_keys(database) == []


def test_revoking_a_key_that_is_not_there_says_so(database: Database, people_clock: ManualClock) -> None:
    with pytest.raises(WrongRequest, match="no key with the prefix 'abcdefgh'"):
        revoke_key(database, people_clock, "tocsin_abcdefgh")


def test_looking_at_a_link_does_not_use_it_up_and_redeeming_it_does(
    client: TestClient, database: Database, people_clock: ManualClock
) -> None:
    link = sign_in_link(database, people_clock, base_url="http://tocsin.test/", person="lea")
    for _ in range(3):
        assert client.get(link, headers=HTML).status_code == 200
    assert "tocsin_session" not in client.cookies
    token = parse_qs(urlsplit(link).query)["link"][0]
    redeemed = client.post("/sign-in", data={"link": token})
    assert redeemed.status_code == 303
    cookie = redeemed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/", headers=HTML).status_code == 200
    again = client.post("/sign-in", data={"link": token})
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


def test_of_two_who_use_a_link_at_once_one_gets_in(database: Database, people_clock: ManualClock) -> None:
    sessions = Sessions(database, people_clock, timedelta(hours=1))
    link = sessions.new_link("lea")
    together, outcomes = threading.Barrier(4), []

    def redeem() -> None:
        together.wait()
        try:
            sessions.redeem(link)
            outcomes.append("in")
        except NotRecognised:
            outcomes.append("refused")

    threads = [threading.Thread(target=redeem) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "refused", "refused", "refused"]


def test_links_and_sessions_end_in_time(client: TestClient, database: Database, people_clock: ManualClock) -> None:
    late = parse_qs(urlsplit(sign_in_link(database, people_clock, base_url="", person="lea")).query)["link"][0]
    people_clock.move(15 * 60)
    assert client.post("/sign-in", data={"link": late}).status_code == 403
    sign_in(client, database, people_clock)
    people_clock.move(12 * 3600 - 1)
    assert client.get("/v1/brands").status_code == 200
    people_clock.move(1)
    assert client.get("/v1/brands").status_code == 401


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(
    client: TestClient, database: Database, people_clock: ManualClock
) -> None:
    token = sign_in(client, database, people_clock)
    stolen = client.cookies["tocsin_session"]
    assert client.post("/sign-out", data={"form_token": token}).status_code == 303
    assert client.get("/v1/brands", headers={"Cookie": f"tocsin_session={stolen}"}).status_code == 401


def test_a_session_changes_nothing_without_its_form_token(
    client: TestClient, database: Database, people_clock: ManualClock, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm()
    token = sign_in(client, database, people_clock)
    another = form_token("another session")
    for path in (f"/incidents/{incident.id}/acknowledge", f"/v1/incidents/{incident.id}/acknowledge"):
        assert client.post(path).status_code == 403
        assert client.post(path, data={"form_token": another}).status_code == 403
        assert client.post(path, headers={"X-Form-Token": another}).status_code == 403
    assert client.get(f"/v1/incidents/{incident.id}").json()["state"] == "triggered"
    assert client.post(f"/v1/incidents/{incident.id}/acknowledge", headers={"X-Form-Token": token}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_neither_act_nor_sign_somebody_in(
    client: TestClient, database: Database, people_clock: ManualClock, newsroom: Newsroom, headers: dict[str, str]
) -> None:
    incident = newsroom.alarm()
    token = sign_in(client, database, people_clock)
    path = f"/incidents/{incident.id}/acknowledge"
    assert client.post(path, data={"form_token": token}, headers=headers).status_code == 403
    link = parse_qs(urlsplit(sign_in_link(database, people_clock, base_url="", person="mallory")).query)["link"][0]
    assert client.post("/sign-in", data={"link": link}, headers=headers).status_code == 403


def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_the_end(client: TestClient, key: KeyMaker) -> None:
    path = "/v1/incidents/00000000-0000-0000-0000-000000000001/resolve"

    def endless() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT):
            yield b" " * 1024

    headers = key("act")
    assert client.post(path, content=b" " * (BODY_LIMIT + 1), headers=headers).status_code == 413
    assert client.post(path, content=endless(), headers=headers).status_code == 413
    assert client.post(path, content=b" " * 10, headers=headers).status_code == 422


@pytest.mark.parametrize("path", ["/v1/brands", "/sign-in", "/metrics", "/static/page.js", "/nothing"])
def test_every_answer_has_the_headers_that_keep_a_browser_safe(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_while_the_database_is_away_people_are_asked_to_come_again(
    client: TestClient, key: KeyMaker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = key("read")

    def away() -> Any:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(database, "read", away)
    answer = client.get("/v1/brands", headers=headers)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_a_session_holds_no_more_than_the_file_gives_its_person_now(
    database: Database, people_clock: ManualClock
) -> None:
    everything = frozenset({Scope.READ, Scope.ACT, Scope.ADMIN})
    lea = PersonSettings(id="lea", name="Léa", channels=("phone",), access=("read", "act", "admin"))

    def now(*people: PersonSettings) -> Sessions:
        return Sessions(database, people_clock, timedelta(hours=1), people)

    token = now(lea).begin("lea", scopes=everything, brands=None)
    assert now(lea).recognise(token).may(Scope.ADMIN)
    demoted = now(lea.model_copy(update={"access": ("read",), "brands": ("acme",)})).recognise(token)
    assert [demoted.may(scope) for scope in (Scope.READ, Scope.ACT, Scope.ADMIN)] == [True, False, False]
    assert (demoted.sees("acme"), demoted.sees("globex")) == (True, False)
    with pytest.raises(NotRecognised, match="not among the people"):
        now(lea.model_copy(update={"id": "marc"})).recognise(token)
    narrow = now(lea).begin("lea", scopes=frozenset({Scope.READ}), brands=frozenset({"acme"}))
    assert not now(lea).recognise(narrow).may(Scope.ACT)
    assert not now(lea).recognise(narrow).sees("globex")


def test_links_and_sessions_that_have_ended_are_forgotten(database: Database, people_clock: ManualClock) -> None:
    from sqlalchemy import func, select

    from tocsin.storage.tables.access import SessionTable, SignInLinkTable

    sessions = Sessions(database, people_clock, timedelta(hours=1))
    sessions.redeem(sessions.new_link("lea"))
    people_clock.move(2 * 3600)
    sessions.new_link("marc")
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SessionTable)) == 0
        assert session.scalar(select(func.count()).select_from(SignInLinkTable)) == 1


def test_an_alarm_is_no_secret_to_whoever_may_read(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    newsroom.alarm(Level.RED)
    brands = client.get("/v1/brands", headers=key("read")).json()["brands"]
    assert [brand["level"] for brand in brands] == ["red", "green"]
