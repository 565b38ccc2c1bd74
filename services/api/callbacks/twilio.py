"""Twilio signs the address it calls and the form it sends: HMAC-SHA1 with the account's token, in `X-Twilio-Signature`.

https://www.twilio.com/docs/usage/webhooks/webhooks-security. It signs no time, so a request can be said again: what it does
here must be harmless when repeated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from services.api.callbacks.proof import Forged


def signature_of(token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """What Twilio puts into the header for a request to `url` with these form fields."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def check(token: str, url: str, fields: Sequence[tuple[str, str]], signature: str | None) -> None:
    """Raises Forged where the signature is not Twilio's. `url`: as Twilio knows it, from `api.public_url` on."""
    if signature is None:
        raise Forged("X-Twilio-Signature is missing")
    if not hmac.compare_digest(signature_of(token, url, fields).encode(), signature.encode("utf-8", "replace")):
        raise Forged("X-Twilio-Signature does not fit; look at the auth token and at api.public_url")
