"""Messages that were given up, and letting one be tried once more, for the API and the page."""

from __future__ import annotations

from uuid import UUID

from services.api.commands import sees_incident
from services.api.context import ApiContext
from tocsin.access.principals import Principal
from tocsin.problems import Problem
from tocsin.storage import audit, incidents, notifications
from tocsin.storage.notifications import NotificationStatus

ACTION = "notification.sent_again"
"""In the audit log."""


def given_up(context: ApiContext, principal: Principal) -> list[NotificationStatus]:
    """The messages of incidents that the principal may see which were given up, the newest first."""
    with context.database.read() as session:
        found = notifications.given_up(session)
        known = {item.notification.incident_id for item in found}
        seen = {
            incident_id
            for incident_id in known
            if (incident := incidents.find(session, incident_id)) is not None and sees_incident(principal, incident)
        }
    return [item for item in found if item.notification.incident_id in seen]


def send_again(context: ApiContext, principal: Principal, notification_id: UUID) -> NotificationStatus:
    """Let a message that was given up be tried now, once more. Right before, the sender asks again whether it is still wanted.

    Raises a Problem: 404 where there is none such that the principal may see, 409 where it was not given up.
    """
    now = context.clock.now()
    with context.database.unit_of_work() as session:
        status = notifications.find(session, notification_id)
        incident = incidents.find(session, status.notification.incident_id) if status is not None else None
        if status is None or incident is None or not sees_incident(principal, incident):
            raise Problem(404, detail=f"there is no message {notification_id} here; GET /v1/notifications lists them")
        if not notifications.send_again(session, notification_id, now):
            became = status.outcome.value if status.outcome else "still waiting for its next attempt"
            raise Problem(409, detail=f"the message was not given up, it is {became}; there is nothing to send again")
        told = status.notification
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action=ACTION,
            target=str(notification_id),
            brand=incident.brand,
            details={
                "incident": str(incident.id),
                "kind": told.kind.value,
                "to": told.target,
                "channel": told.channel,
                "was": status.outcome.value if status.outcome else None,
            },
        )
        return notifications.find(session, notification_id) or status
