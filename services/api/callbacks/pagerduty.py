"""PagerDuty signs the body of its webhooks (v3): HMAC-SHA256 with the subscription's secret, in `X-PagerDuty-Signature`.

https://developer.pagerduty.com/docs/webhooks/webhooks-signatures. It signs no time: an event's own id tells a repeated one.
"""

from __future__ import annotations

import hashlib
import hmac

from services.api.callbacks.proof import Forged


def signature_of(secret: str, body: bytes) -> str:
    """One of the signatures that PagerDuty puts into the header."""
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def check(secret: str, body: bytes, signatures: str | None) -> None:
    """Raises Forged where none of the signatures fits (there are two while a secret is being changed)."""
    if signatures is None:
        raise Forged("X-PagerDuty-Signature is missing")
    expected = signature_of(secret, body).encode()
    if not any(hmac.compare_digest(expected, given.strip().encode()) for given in signatures.split(",")):
        raise Forged("X-PagerDuty-Signature does not fit; look at webhook_secret")
