"""Signing in through the team's own identity provider: OpenID Connect Core 1.0, code flow with PKCE.

The provider's addresses and keys are read from its discovery document and remembered for an hour; an unknown key is looked for once
more. Who somebody is follows from one claim of the signed ID token, which must be the mail address or the id of a person in
tocsin.yaml: nobody comes in whom the team has not written down.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from tocsin.access.principals import NotRecognised
from tocsin.contracts.settings.services import IdentityProviderSettings

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures with a public key only: `none` and shared secrets would let anybody who can guess in."""
_LEEWAY_SECONDS = 60
_REMEMBERED_SECONDS = 3600
_TIMEOUT_SECONDS = 10


class ProviderUnavailable(RuntimeError):
    """The identity provider does not answer as it should; the message says which address and how."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What must come back as it went out: kept in a cookie of the browser for ten minutes."""

    state: str
    nonce: str
    verifier: str

    def __str__(self) -> str:
        return f"{self.state}.{self.nonce}.{self.verifier}"

    @classmethod
    def parse(cls, text: str) -> Attempt | None:
        """From a cookie; None where it is none."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == 3 and all(parts) else None


class IdentityProvider:
    """One for a process, safe to use from any thread. `now` is Unix time, `monotonic` counts seconds."""

    def __init__(
        self,
        settings: IdentityProviderSettings,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._transport = transport
        self._lock = threading.Lock()
        self._document: tuple[float, Mapping[str, Any]] | None = None
        self._keys: KeySet | None = None

    def begin(self, callback: str) -> tuple[str, Attempt]:
        """Where to send the browser, and what to remember of it. `callback` is our address that it comes back to."""
        attempt = Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        with self._client(callback) as client:
            url, _state = client.create_authorization_url(
                self._address("authorization_endpoint"),
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    def finish(self, callback: str, attempt: Attempt, *, state: str, code: str) -> str:
        """The claim that names whoever came back. Raises NotRecognised and ProviderUnavailable."""
        if not secrets.compare_digest(state.encode(), attempt.state.encode()):
            raise NotRecognised("this answer belongs to another attempt to sign in; begin again")
        try:
            with self._client(callback) as client:
                token = client.fetch_token(
                    self._address("token_endpoint"),
                    code=code,
                    code_verifier=attempt.verifier,
                    grant_type="authorization_code",
                )
        except OAuthError as error:
            raise NotRecognised(f"the identity provider refused: {error.error}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderUnavailable(f"no token from {self._settings.issuer}: {type(error).__name__}") from error
        claims = self._claims(str(token.get("id_token", "")), attempt.nonce)
        if self._settings.claim == "email" and claims.get("email_verified") is False:
            raise NotRecognised("the identity provider has not verified this mail address")
        named = claims.get(self._settings.claim)
        if not isinstance(named, str) or not named:
            raise NotRecognised(f"the identity provider says no {self._settings.claim!r} of you; ask its administrator")
        return named

    def _claims(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        registry = JWTClaimsRegistry(
            now=int(self._now()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._discovered()["issuer"]},
            aud={"essential": True, "value": self._settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                token = jwt.decode(id_token, self._key_set(), algorithms=_ALGORITHMS)
            except JoseError:
                # The provider may have changed its keys since we read them.
                token = jwt.decode(id_token, self._key_set(anew=True), algorithms=_ALGORITHMS)
            registry.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise NotRecognised(
                f"the identity provider's token does not hold ({type(error).__name__}); begin again"
            ) from error
        return token.claims

    def _client(self, callback: str) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret.get_secret_value(),
            redirect_uri=callback,
            scope="openid email profile",
            code_challenge_method="S256",
            timeout=_TIMEOUT_SECONDS,
            transport=self._transport,
        )

    def _address(self, name: str) -> str:
        return str(self._discovered()[name])

    def _discovered(self) -> Mapping[str, Any]:
        with self._lock:
            known = self._document
        if known is not None and self._monotonic() - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        document = self._read(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        missing = {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"} - set(document)
        if missing or str(document["issuer"]).rstrip("/") != self._settings.issuer.rstrip("/"):
            raise ProviderUnavailable(
                f"what {self._settings.issuer} says of itself lacks {', '.join(sorted(missing))}"
                if missing
                else f"{self._settings.issuer} calls itself {document['issuer']}; write that as api.identity_provider.issuer"
            )
        with self._lock:
            self._document = (self._monotonic(), document)
        return document

    def _key_set(self, *, anew: bool = False) -> KeySet:
        with self._lock:
            known = self._keys
        if known is None or anew:
            known = KeySet.import_key_set(self._read(self._address("jwks_uri")))  # type: ignore[arg-type]
            with self._lock:
                self._keys = known
        return known

    def _read(self, url: str) -> dict[str, Any]:
        try:
            with httpx.Client(timeout=_TIMEOUT_SECONDS, transport=self._transport) as client:
                answer = client.get(url)
            answer.raise_for_status()
            document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderUnavailable(f"{url} cannot be read: {type(error).__name__}") from error
        if not isinstance(document, dict):
            raise ProviderUnavailable(f"{url} is no JSON object")
        return document
