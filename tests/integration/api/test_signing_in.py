"""Signing in with a password or through an identity provider: who gets in, who does not, and who must wait."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.api.app import create_app
from tests.newsroom import KeyMaker
from tocsin.access.passwords import TRIES, WITHIN, Passwords, TooManyTries, UnusablePassword
from tocsin.access.principals import NotRecognised
from tocsin.clock import ManualClock
from tocsin.contracts.settings.services import IdentityProviderSettings
from tocsin.process import Surroundings
from tocsin.storage.database import Database

PASSWORD = "glass in the yoghurt"
HTML = {"Accept": "text/html"}


@pytest.fixture
def passwords(database: Database, people_clock: ManualClock) -> Passwords:
    return Passwords(database, people_clock, PasswordHasher.from_parameters(CHEAPEST))


def try_password(client: TestClient, person: str, password: str) -> int:
    return client.post("/sign-in", data={"person": person, "password": password}).status_code


def test_the_right_password_begins_a_session_with_what_the_person_may(client: TestClient, passwords: Passwords) -> None:
    passwords.set("lea", PASSWORD, actor="command line")
    assert client.get("/", headers=HTML).status_code == 303
    assert try_password(client, "lea", PASSWORD) == 303
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    assert "Léa Martin" in page.text
    assert client.get("/v1/keys").status_code == 403


def test_a_wrong_password_and_an_unknown_person_are_answered_alike(client: TestClient, passwords: Passwords) -> None:
    passwords.set("lea", PASSWORD, actor="command line")
    wrong = client.post("/sign-in", data={"person": "lea", "password": "not that"})
    unknown = client.post("/sign-in", data={"person": "eve", "password": "not that"})
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text.replace('value="lea"', 'value="eve"') == unknown.text
    assert "set-cookie" not in wrong.headers


def test_after_five_wrong_passwords_even_the_right_one_waits_a_quarter_of_an_hour(
    client: TestClient, passwords: Passwords, people_clock: ManualClock
) -> None:
    passwords.set("lea", PASSWORD, actor="command line")
    assert {try_password(client, "lea", f"guess {number}") for number in range(TRIES)} == {403}
    throttled = client.post("/sign-in", data={"person": "lea", "password": PASSWORD})
    assert throttled.status_code == 429
    assert 0 < int(throttled.headers["retry-after"]) <= WITHIN.total_seconds()
    people_clock.move(WITHIN.total_seconds() + 1)
    assert try_password(client, "lea", PASSWORD) == 303


def test_guessing_at_many_people_from_one_address_is_slowed_down_and_another_address_is_not(
    passwords: Passwords,
) -> None:
    passwords.set("lea", PASSWORD, actor="command line")
    for number in range(TRIES):
        with pytest.raises(NotRecognised):
            passwords.check(f"somebody-{number}", "guess", address="192.0.2.1")
    with pytest.raises(TooManyTries, match="15 min"):
        passwords.check("lea", PASSWORD, address="192.0.2.1")
    passwords.check("lea", PASSWORD, address="192.0.2.2")


def test_a_new_password_ends_the_sessions_of_the_old_one(client: TestClient, passwords: Passwords) -> None:
    passwords.set("lea", PASSWORD, actor="command line")
    try_password(client, "lea", PASSWORD)
    assert client.get("/v1/brands").status_code == 200
    passwords.set("lea", PASSWORD + " again", actor="command line")
    assert client.get("/v1/brands").status_code == 401


@pytest.mark.parametrize("password", ["", "short", "lea12345", "leaLEA123456", "x" * 513])
def test_a_password_that_is_easily_guessed_is_refused(passwords: Passwords, password: str) -> None:
    with pytest.raises(UnusablePassword):
        passwords.set("lea", password, actor="command line")


def test_what_is_stored_of_a_password_is_an_argon2_hash(database: Database, passwords: Passwords) -> None:
    from tocsin.storage import access

    passwords.set("lea", PASSWORD, actor="command line")
    with database.read() as session:
        stored = access.password_of(session, "lea")
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


class Provider:
    """An identity provider on a local server: it signs whatever a test wants it to say."""

    def __init__(self, server: HTTPServer) -> None:
        self.issuer = server.url_for("").rstrip("/")
        self.key = self.signs_with = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.claims: dict[str, Any] = {}
        self.tokens_asked: list[dict[str, list[str]]] = []
        server.expect_request("/.well-known/openid-configuration").respond_with_json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )
        server.expect_request("/keys").respond_with_handler(
            lambda _request: Response(
                json.dumps({"keys": [self.key.as_dict(private=False)]}), content_type="application/json"
            )
        )
        server.expect_request("/token", method="POST").respond_with_handler(self._token)

    def _token(self, request: Request) -> Response:
        self.tokens_asked.append(parse_qs(request.get_data(as_text=True)))
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "tocsin", "sub": "1", "iat": now, "exp": now + 300, **self.claims}
        signed = jwt.encode({"alg": "RS256", "kid": self.signs_with.kid}, claims, self.signs_with)
        body = {"access_token": "x", "token_type": "Bearer", "id_token": signed}
        return Response(json.dumps(body), content_type="application/json")


@pytest.fixture
def provider(httpserver: HTTPServer) -> Provider:
    return Provider(httpserver)


@pytest.fixture
def provided(surroundings: Surroundings, provider: Provider, people_clock: ManualClock) -> FastAPI:
    settings = IdentityProviderSettings(
        issuer=provider.issuer,
        client_id="tocsin",
        client_secret="secret",
        claim="preferred_username",  # type: ignore[arg-type]
    )
    api = surroundings.configuration.api.model_copy(update={"identity_provider": settings})
    configuration = surroundings.configuration.model_copy(update={"api": api})
    given = Surroundings(
        configuration,
        surroundings.environment,
        surroundings.clock,
        surroundings.bus,
        surroundings.database,
        surroundings.health,
    )
    return create_app(given, people_clock=people_clock)


@pytest.fixture
def browser(provided: FastAPI) -> TestClient:
    return TestClient(provided, base_url="http://tocsin.test", follow_redirects=False)


def go_to_provider(browser: TestClient) -> dict[str, list[str]]:
    sent = browser.get("/sign-in/provider")
    assert sent.status_code == 303
    return parse_qs(urlsplit(sent.headers["location"]).query)


def come_back(browser: TestClient, asked: dict[str, list[str]], **changes: str) -> Any:
    query = {"code": "a-code", "state": asked["state"][0], **changes}
    return browser.get("/sign-in/provider/callback", params=query)


def test_whom_the_provider_names_and_the_team_wrote_down_gets_in(browser: TestClient, provider: Provider) -> None:
    asked = go_to_provider(browser)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://tocsin.test/sign-in/provider/callback"]
    provider.claims = {"nonce": asked["nonce"][0], "preferred_username": "lea"}
    assert come_back(browser, asked).status_code == 303
    assert "Léa Martin" in browser.get("/", headers=HTML).text
    assert "code_verifier" in provider.tokens_asked[0]


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "eve"},
        {"preferred_username": ""},
        {},
        {"preferred_username": "lea", "nonce": "of another attempt"},
        {"preferred_username": "lea", "aud": "another application"},
        {"preferred_username": "lea", "iss": "https://evil.test"},
        {"preferred_username": "lea", "exp": 1_000_000_000},
    ],
    ids=lambda claims: ",".join(claims) or "nothing",
)
def test_a_token_that_does_not_hold_or_names_nobody_lets_nobody_in(
    browser: TestClient, provider: Provider, claims: dict[str, Any]
) -> None:
    asked = go_to_provider(browser)
    provider.claims = {"nonce": asked["nonce"][0], **claims}
    assert come_back(browser, asked).status_code == 403
    assert browser.get("/v1/brands").status_code == 401


def test_a_token_that_somebody_else_signed_lets_nobody_in(browser: TestClient, provider: Provider) -> None:
    asked = go_to_provider(browser)
    provider.claims = {"nonce": asked["nonce"][0], "preferred_username": "lea"}
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
    assert come_back(browser, asked).status_code == 403
    assert browser.get("/v1/brands").status_code == 401


def test_a_provider_that_has_changed_its_keys_is_believed_after_a_look(browser: TestClient, provider: Provider) -> None:
    for kid in ("one", "two"):
        provider.key = provider.signs_with = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
        asked = go_to_provider(browser)
        provider.claims = {"nonce": asked["nonce"][0], "preferred_username": "lea"}
        assert come_back(browser, asked).status_code == 303


def test_an_answer_for_another_attempt_or_without_one_lets_nobody_in(browser: TestClient, provider: Provider) -> None:
    assert come_back(browser, {"state": ["x"]}).status_code == 403
    asked = go_to_provider(browser)
    provider.claims = {"nonce": asked["nonce"][0], "preferred_username": "lea"}
    assert come_back(browser, asked, state="another").status_code == 403
    assert browser.get("/v1/brands").status_code == 401


def test_without_a_provider_the_page_offers_none(client: TestClient) -> None:
    assert "/sign-in/provider" not in client.get("/sign-in", headers=HTML).text
    assert client.get("/sign-in/provider").status_code == 404


def test_an_administrator_makes_lists_and_revokes_keys_and_each_step_stands_in_the_audit_log(
    client: TestClient, key: KeyMaker
) -> None:
    admin = key("admin")
    made = client.post("/v1/keys", json={"name": "reports", "scopes": ["read"], "expires_in_days": 30}, headers=admin)
    assert made.status_code == 201
    secret = made.json()["key"]
    assert client.get("/v1/brands", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    listed = client.get("/v1/keys", headers=admin)
    assert secret.rsplit("_", 1)[1] not in listed.text
    prefix = made.json()["prefix"]
    assert client.delete(f"/v1/keys/{prefix}", headers=admin).status_code == 204
    audited = client.get("/v1/audit", headers=admin).json()["entries"]
    assert [(entry["action"], entry["target"]) for entry in audited[:2]] == [
        ("key.revoked", f"key:{prefix}"),
        ("key.created", f"key:{prefix}"),
    ]
    assert audited[0]["actor"].startswith("key:")


def test_an_administrator_of_one_brand_makes_no_key_for_another(client: TestClient, key: KeyMaker) -> None:
    limited = key("admin", brands=["acme"])
    wanted = {"name": "x", "scopes": ["read"]}
    assert client.post("/v1/keys", json=wanted, headers=limited).status_code == 422
    assert client.post("/v1/keys", json={**wanted, "brands": ["globex"]}, headers=limited).status_code == 422
    assert client.post("/v1/keys", json={**wanted, "brands": ["acme"]}, headers=limited).status_code == 201
    assert [listed["brands"] for listed in client.get("/v1/keys", headers=limited).json()["keys"]] == [["acme"]] * 2


def test_the_audit_log_is_read_in_pages(client: TestClient, key: KeyMaker, people_clock: ManualClock) -> None:
    for _ in range(5):
        key("read")
        people_clock.move(timedelta(minutes=1).total_seconds())
    admin = key("admin")
    seen: list[int] = []
    before: int | None = None
    while True:
        query = {"limit": 2, **({"before": before} if before else {})}
        page = client.get("/v1/audit", params=query, headers=admin).json()
        seen += [entry["id"] for entry in page["entries"]]
        before = page["next"]
        if before is None:
            break
    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)
