"""Vonage shows a JWT (HS256, the account's signature secret) that says when it was made and the hash of the body.

https://developer.vonage.com/en/getting-started/concepts/webhooks, 'Validate signed webhooks'.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from services.api.callbacks.proof import Forged, check_fresh


def check(secret: str, application: str, authorization: str | None, body: bytes, now: datetime) -> str:
    """The token's own id, for who keeps what was heard. Raises Forged or OutOfDate."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Forged("the Authorization header with Vonage's token is missing; switch signed webhooks on")
    try:
        claims = jwt.decode(token.strip(), OctKey.import_key(secret), algorithms=["HS256"]).claims
    except (JoseError, ValueError) as error:
        raise Forged("the token is not signed with the signature secret of the configuration") from error
    said, issued = claims.get("payload_hash"), claims.get("iat")
    if not isinstance(said, str) or not hmac.compare_digest(said.lower(), hashlib.sha256(body).hexdigest()):
        raise Forged("the token was made for another body")
    if claims.get("application_id") != application:
        raise Forged("the token is of another application")
    if not isinstance(issued, int):
        raise Forged("the token does not say when it was made")
    check_fresh(issued, now)
    return str(claims.get("jti", ""))
