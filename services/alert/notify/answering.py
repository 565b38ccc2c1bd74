"""How the receiver of a page may answer: a secret for each message, the same at every attempt, so that its text is, too."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.alert.notify.port import AnswerLink
from tocsin.contracts.decisions import Notification, NotificationKind
from tocsin.storage import links, signing
from tocsin.storage.links import LinkPurpose

LIFETIME = timedelta(hours=24)
"""How long a page can be answered by its link, key or button; later, one signs in."""


class Answering:
    """Issues the links of pages. `public_url` is where people and services find our page; without it there are none."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url.rstrip("/") if public_url else None

    def link(self, session: Session, notification: Notification, now: datetime) -> AnswerLink | None:
        """The link of a page, in the transaction that claims it; None for other messages, and without `public_url`."""
        if notification.kind is not NotificationKind.PAGE or self._public_url is None:
            return None
        key = signing.signing_key(session, signing.ANSWERS, now)
        token = signing.derived_token(key, str(notification.id))
        links.issue(
            session,
            LinkPurpose.ACKNOWLEDGE,
            actor=notification.target,
            now=now,
            expires_at=notification.begins_at + LIFETIME,
            incident_id=notification.incident_id,
            subject={
                "notification": str(notification.id),
                "level": notification.level.value,
                "language": notification.language,
            },
            token=token,
        )
        return AnswerLink(token, self._public_url)
