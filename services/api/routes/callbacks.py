"""`/callbacks/…`: what the services say that carry our messages. Each request proves by its signature whose it is, or is refused.

A refusal is a problem (401 forged, 401 out of date, 404 unknown channel, 410 used or expired), but for a telephone, which is
answered with words: whoever listens must hear what happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from services.alert.protocol.answers import ACKNOWLEDGE_KEY, SLACK_ACTION, incident_of
from services.alert.protocol.messages import harmless
from services.alert.protocol.phrases import PHRASES
from services.api.answering import acknowledge_by_link, acknowledge_elsewhere, language_of, note_receipt
from services.api.callbacks import pagerduty, slack, twilio, vonage
from services.api.callbacks.proof import Forged, OutOfDate
from services.api.context import ApiContext, Context
from tocsin.contracts.decisions import Language
from tocsin.contracts.settings.channels import (
    CallChannel,
    PagerDutyChannel,
    SlackChannel,
    SmsChannel,
    TwilioAccount,
    VonageApplication,
)
from tocsin.observability import metrics
from tocsin.problems import Problem
from tocsin.storage.notifications import AttemptOutcome

router = APIRouter(prefix="/callbacks", include_in_schema=False)

Kind = TypeVar("Kind", SlackChannel, PagerDutyChannel)

_VOICES = {"fr": "fr-FR", "en": "en-GB"}
_TWILIO_STATES = {
    "delivered": AttemptOutcome.DELIVERED,
    "read": AttemptOutcome.DELIVERED,
    "in-progress": AttemptOutcome.ANSWERED,
    "undelivered": AttemptOutcome.REJECTED,
    "failed": AttemptOutcome.REJECTED,
    "busy": AttemptOutcome.REJECTED,
    "no-answer": AttemptOutcome.REJECTED,
    "canceled": AttemptOutcome.REJECTED,
}
_VONAGE_STATES = {
    "delivered": AttemptOutcome.DELIVERED,
    "read": AttemptOutcome.DELIVERED,
    "answered": AttemptOutcome.ANSWERED,
    "rejected": AttemptOutcome.REJECTED,
    "undeliverable": AttemptOutcome.REJECTED,
    "busy": AttemptOutcome.REJECTED,
    "unanswered": AttemptOutcome.REJECTED,
    "timeout": AttemptOutcome.REJECTED,
    "failed": AttemptOutcome.REJECTED,
    "cancelled": AttemptOutcome.REJECTED,
}


async def sent_body(request: Request) -> bytes:
    """The bytes that were signed; the gate has bounded them."""
    return await request.body()


Body = Annotated[bytes, Depends(sent_body)]


@router.post("/twilio/key/{channel}/{token}")
def twilio_key(*, context: Context, request: Request, body: Body, channel: str, token: str) -> Response:
    """A key was pressed during a call."""
    fields = _from_twilio(context, request, body, channel)
    return _twiml(context, token, _pressed(context, token, fields.get("Digits", "")))


@router.post("/twilio/status/{channel}/{token}")
def twilio_status(*, context: Context, request: Request, body: Body, channel: str, token: str) -> Response:
    """How far a message or a call has come."""
    fields = _from_twilio(context, request, body, channel)
    _note(context, token, _TWILIO_STATES, fields.get("MessageStatus") or fields.get("CallStatus") or "")
    return Response(status_code=204)


@router.post("/vonage/key/{channel}/{token}")
def vonage_key(*, context: Context, request: Request, body: Body, channel: str, token: str) -> Response:
    """A key was pressed during a call, or nobody pressed one in time."""
    said = _from_vonage(context, request, body, channel)
    dtmf = said.get("dtmf")
    digits = dtmf.get("digits", "") if isinstance(dtmf, dict) else ""
    phrase = _pressed(context, token, str(digits))
    language = language_of(context, token)
    return JSONResponse(
        [{"action": "talk", "text": PHRASES[_known(language)][phrase], "language": _VOICES[_known(language)]}]
    )


@router.post("/vonage/status/{channel}/{token}")
def vonage_status(*, context: Context, request: Request, body: Body, channel: str, token: str) -> Response:
    """How far a message or a call has come."""
    said = _from_vonage(context, request, body, channel)
    _note(context, token, _VONAGE_STATES, str(said.get("status", "")))
    return Response(status_code=204)


@router.post("/slack/{channel}")
def slack_button(*, context: Context, request: Request, body: Body, channel: str) -> Response:
    """The button was clicked: whoever clicked has it in hand, not only the one who was called."""
    settings = _channel(context, channel, SlackChannel)
    headers = request.headers
    _proven(
        "slack",
        lambda: slack.check(
            settings.signing_secret.get_secret_value(),
            headers.get("x-slack-request-timestamp"),
            body,
            headers.get("x-slack-signature"),
            context.people_clock.now(),
        ),
    )
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    said = _json(fields.get("payload", "").encode())
    for action in said.get("actions", ()):
        if isinstance(action, dict) and action.get("action_id") == SLACK_ACTION:
            user = said.get("user")
            actor = _slack_actor(context, user if isinstance(user, dict) else {})
            acknowledge_by_link(context, str(action.get("value", "")), actor=actor, once=False)
    return Response(status_code=200)


@router.post("/pagerduty/{channel}")
def pagerduty_event(*, context: Context, request: Request, body: Body, channel: str) -> Response:
    """Something happened to an incident there; only that somebody acknowledged it matters here."""
    settings = _channel(context, channel, PagerDutyChannel)
    secret = settings.webhook_secret
    if secret is None:
        raise Problem(404, detail=f"channels.{channel} has no webhook_secret; add it to hear PagerDuty")
    signatures = request.headers.get("x-pagerduty-signature")
    _proven("pagerduty", lambda: pagerduty.check(secret.get_secret_value(), body, signatures))
    event = _part(_json(body), "event")
    if event.get("event_type") != "incident.acknowledged":
        return Response(status_code=202)
    meant = incident_of(str(_part(event, "data").get("incident_key", "")))
    if meant is None:
        return Response(status_code=202)
    actor = _pagerduty_actor(context, _part(event, "agent"))
    identifier = str(event.get("id", ""))
    acknowledge_elsewhere(context, *meant, actor=actor, origin=channel, identifier=identifier)
    return Response(status_code=202)


def _from_twilio(context: ApiContext, request: Request, body: bytes, channel: str) -> dict[str, str]:
    provider = _phone(context, channel).twilio
    if not isinstance(provider, TwilioAccount):
        raise _unknown(channel)
    fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    base = (context.configuration.api.public_url or "").rstrip("/")
    url = base + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    signature = request.headers.get("x-twilio-signature")
    _proven("twilio", lambda: twilio.check(provider.token.get_secret_value(), url, fields, signature))
    return dict(fields)


def _from_vonage(context: ApiContext, request: Request, body: bytes, channel: str) -> dict[str, Any]:
    provider = _phone(context, channel).vonage
    if not isinstance(provider, VonageApplication):
        raise _unknown(channel)
    authorization = request.headers.get("authorization")
    secret, now = provider.signature_secret.get_secret_value(), context.people_clock.now()
    _proven("vonage", lambda: vonage.check(secret, provider.application, authorization, body, now))
    return _json(body)


def _proven(service: str, check: Callable[[], object]) -> None:
    try:
        check()
    except (Forged, OutOfDate) as error:
        metrics.CALLBACKS_REFUSED.labels(service, "forged" if isinstance(error, Forged) else "out_of_date").inc()
        raise Problem(401, detail=str(error)) from error


def _pressed(context: ApiContext, token: str, digits: str) -> str:
    """The phrase that answers a key."""
    if digits != ACKNOWLEDGE_KEY:
        return "not_pressed"
    try:
        acknowledge_by_link(context, token, once=False)
    except Problem as problem:
        if problem.details.status >= 500:
            raise
        return "refused"
    return "pressed"


def _twiml(context: ApiContext, token: str, phrase: str) -> Response:
    language = language_of(context, token)
    words = escape(PHRASES[_known(language)][phrase])
    text = f"<Response><Say language={quoteattr(_VOICES[_known(language)])}>{words}</Say></Response>"
    return Response(text, media_type="text/xml")


def _note(context: ApiContext, token: str, states: dict[str, AttemptOutcome], state: str) -> None:
    outcome = states.get(state)
    if outcome is not None:
        note_receipt(context, token, outcome, f"the carrier says: {state}")


def _known(language: str) -> Language:
    return "fr" if language == "fr" else "en"


def _slack_actor(context: ApiContext, user: dict[str, Any]) -> str:
    identifier = str(user.get("id", ""))
    for person in context.configuration.people:
        if person.slack == identifier:
            return f"person:{person.id}"
    return f"slack:{harmless(str(user.get('username') or identifier or '?'), 60)}"


def _pagerduty_actor(context: ApiContext, agent: dict[str, Any]) -> str:
    identifier = str(agent.get("id", ""))
    for person in context.configuration.people:
        if person.pagerduty is not None and person.pagerduty == identifier:
            return f"person:{person.id}"
    return f"pagerduty:{harmless(str(agent.get('summary') or identifier or '?'), 60)}"


def _phone(context: ApiContext, channel: str) -> SmsChannel | CallChannel:
    for settings in context.configuration.channels:
        if settings.id == channel and isinstance(settings, SmsChannel | CallChannel):
            return settings
    raise _unknown(channel)


def _channel(context: ApiContext, channel: str, kind: type[Kind]) -> Kind:
    for settings in context.configuration.channels:
        if settings.id == channel and isinstance(settings, kind):
            return settings
    raise _unknown(channel)


def _unknown(channel: str) -> Problem:
    return Problem(404, detail=f"no channel {channel!r} of this kind is configured")


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise Problem(400, detail="the body is no JSON") from error
    if not isinstance(said, dict):
        raise Problem(400, detail="the body is no JSON object")
    return said


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}
