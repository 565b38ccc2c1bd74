"""Slack signs the time and the body: HMAC-SHA256 with the app's signing secret, in `X-Slack-Signature`.

https://api.slack.com/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from services.api.callbacks.proof import Forged, check_fresh


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """What Slack puts into the header for a body at a time (seconds since 1970)."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def check(secret: str, timestamp: str | None, body: bytes, signature: str | None, now: datetime) -> None:
    """Raises Forged or OutOfDate."""
    if timestamp is None or signature is None or not (timestamp.isascii() and timestamp.isdigit()):
        raise Forged("X-Slack-Signature or X-Slack-Request-Timestamp is missing")
    if not hmac.compare_digest(signature_of(secret, timestamp, body).encode(), signature.encode("utf-8", "replace")):
        raise Forged("X-Slack-Signature does not fit; look at the signing secret")
    check_fresh(int(timestamp[:12]), now)
