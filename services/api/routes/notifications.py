"""`/v1/notifications`: messages that did not come through, and trying one again."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from services.api.context import Context
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Reader
from services.api.schemas import Answer, NotificationAnswer
from services.api.sending_again import given_up, send_again

router = APIRouter(tags=["incidents"], route_class=OneTurnRoute)


class GivenUpAnswer(NotificationAnswer):
    """One message of an incident, and what became of it."""

    incident_id: UUID
    brand: str


class GivenUpList(Answer):
    """Messages that were given up, the newest first, 200 at most."""

    notifications: tuple[GivenUpAnswer, ...]


@router.get("/v1/notifications", summary="Messages that were given up")
def list_given_up(*, context: Context, principal: Reader) -> GivenUpList:
    """What did not come through and is not tried any more (`dead`, `rejected`, `unknown`), with the reason in `detail`."""
    return GivenUpList(
        notifications=tuple(
            GivenUpAnswer(
                **NotificationAnswer.of(item).model_dump(),
                incident_id=item.notification.incident_id,
                brand=item.notification.content.brand,
            )
            for item in given_up(context, principal)
        )
    )


@router.post(
    "/v1/notifications/{notification_id}/send-again",
    status_code=202,
    summary="Try a message again that was given up",
    responses={
        404: {"description": "No such message of an incident that you may see"},
        409: {"description": "It was not given up: it came through, is not wanted any more, or is still being tried"},
    },
)
def send_notification_again(*, context: Context, principal: Actor, notification_id: UUID) -> NotificationAnswer:
    """One more attempt, now. A page that nobody wants any more (somebody has it in hand by now) is not sent after all.

    Stands in the audit log.
    """
    return NotificationAnswer.of(send_again(context, principal, notification_id))
