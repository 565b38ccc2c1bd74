"""`POST /v1/mentions`: one mention or many over HTTP, on the bus when the answer says so.

Each mention stands for itself: valid ones are accepted though others are not, and each refused one is told by its index and
field. 202 when at least one was accepted (also where no brand was found in it), 422 when none was. What has answered 429 or
503 left nothing behind that a second sending would double.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anyio
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from services.ingest.delivering import count_rejected
from services.ingest.fields import Finding
from services.ingest.normalising import Normaliser, RejectedMention
from services.ingest.publisher import InFlight, Publisher
from services.ingest.routing import Routed
from services.ingest.sources.lines import parse_json
from tocsin.access.principals import NotAllowed, NotRecognised, Principal, Scope
from tocsin.bus.failures import BusFull
from tocsin.contracts.events import Mention, SourceKind
from tocsin.observability import metrics
from tocsin.problems import MEDIA_TYPE, FieldProblem, Problem, ProblemDetails

LARGEST_BODY = 5_000_000
"""Bytes of one request."""
MOST_MENTIONS = 1_000
"""Mentions of one request."""
SLOWEST_BODY = 60.0
"""Seconds that a body may take."""
SOURCE = "http"
"""The label of these mentions in the metrics."""


_DESCRIBED = {
    "title": "Mention",
    "description": "docs/contracts.md has every field; unknown ones are ignored.",
    "type": "object",
    "required": ["source", "native_id", "published_at", "text"],
    "properties": {
        "source": {"type": "string", "minLength": 1, "examples": ["webhook"]},
        "native_id": {"type": ["string", "number"], "description": "Its id at the source.", "examples": ["4711"]},
        "text": {"type": "string", "description": "May be empty where a rating or media is there."},
        "published_at": {"type": "string", "format": "date-time", "examples": ["2026-03-10T21:40:00+01:00"]},
        "url": {"description": "Where it can be read."},
        "language": {"description": "Left out, or not understood: it is found from the text.", "examples": ["fr"]},
        "source_kind": {"enum": [*(kind.value for kind in SourceKind), None]},
    },
    "examples": [
        {
            "source": "webhook",
            "native_id": "4711",
            "published_at": "2026-03-10T21:40:00+01:00",
            "text": "Du verre dans le pot !",
        }
    ],
}
"""What OpenAPI says of a mention."""


class KeyVerifier(Protocol):
    """What receiving needs to know of access; raises NotRecognised and NotAllowed."""

    def verify(self, key: str, scope: Scope | str) -> Principal: ...


class ReceivedMention(BaseModel):
    """One accepted mention: its place in the request, its id, and the brands it went to (none: it was dropped)."""

    index: int
    id: str
    brands: tuple[str, ...]


class RefusedField(FieldProblem):
    """One wrong field of one mention, by the mention's place in the request."""

    index: int


class Receipt(BaseModel):
    """What became of a request."""

    accepted: int
    unmatched: int
    """Of the accepted ones, those in which no brand was found: counted and dropped."""
    refused: int
    mentions: tuple[ReceivedMention, ...]
    errors: tuple[RefusedField, ...] = ()


class Receiver:
    """Takes the mentions of requests to the bus; `publisher` makes a way there for each request."""

    def __init__(
        self,
        normaliser: Normaliser,
        publisher: Callable[[], Publisher],
        in_flight: InFlight,
        brands: frozenset[str],
    ) -> None:
        """`brands`: the ids of the configuration; no others are taken."""
        self._normaliser = normaliser
        self._publisher = publisher
        self._in_flight = in_flight
        self._brands = brands

    def receive(self, body: bytes, principal: Principal, traceparent: str | None = None) -> Receipt:
        """Read, normalise, publish. Raises Problem, BusFull and BusUnavailable."""
        raws, single = _mentions_in(body)
        with self._in_flight.begun() as received_at:
            mentions: dict[int, Mention] = {}
            errors: list[RefusedField] = []
            for index, raw in enumerate(raws):
                # A human label belongs in files, where `--gold-sentiment` reads it.
                given = (
                    {name: value for name, value in raw.items() if name != "sentiment"}
                    if isinstance(raw, Mapping)
                    else raw
                )
                try:
                    mention = self._normaliser.normalise(given, now=received_at, received_at=received_at)
                    self._look_at_brands(mention, principal)
                except RejectedMention as rejected:
                    count_rejected(SOURCE, rejected.findings)
                    errors.extend(RefusedField(index=index, field=f.field, message=f.reason) for f in rejected.findings)
                else:
                    mentions[index] = mention
            if not mentions:
                raise _nothing_accepted(errors, single)
            routed = self._publish(list(mentions.values()), principal, traceparent)
        for item in routed:
            metrics.MENTIONS_RECEIVED.labels(SOURCE, str(item.outcome)).inc()
        return Receipt(
            accepted=len(routed),
            unmatched=sum(not item.brands for item in routed),
            refused=len(raws) - len(routed),
            mentions=tuple(
                ReceivedMention(index=index, id=str(item.mention.id), brands=item.brands)
                for index, item in zip(mentions, routed, strict=True)
            ),
            errors=tuple(errors),
        )

    def _look_at_brands(self, mention: Mention, principal: Principal) -> None:
        findings = []
        for index, brand in enumerate(mention.brands):
            if brand not in self._brands:
                known = ", ".join(sorted(self._brands)) or "none"
                reason = f"there is no such brand in tocsin.yaml; known are {known}"
                findings.append(Finding(f"brands[{index}]", reason))
            elif not principal.sees(brand):
                findings.append(Finding(f"brands[{index}]", "this API key may not send for this brand"))
        if findings:
            raise RejectedMention(*findings)

    def _publish(self, mentions: list[Mention], principal: Principal, traceparent: str | None) -> list[Routed]:
        publisher = self._publisher()
        try:
            return publisher.publish(mentions, only=principal.brands, traceparent=traceparent)
        except BusFull:
            metrics.REQUESTS_PUSHED_BACK.inc()
            raise
        finally:
            publisher.close()


def create_router(receiver: Receiver, verifier: KeyVerifier) -> APIRouter:
    """The route, for a key with the scope `send`. The application needs `tocsin.problems.install`."""

    def sender(request: Request) -> Principal:
        return _authenticate(request, verifier)

    allowed = Depends(sender)

    router = APIRouter(tags=["mentions"])

    @router.post(
        "/v1/mentions",
        status_code=202,
        summary="Send one mention, a list of mentions, or an object with `mentions`",
        response_model=Receipt,
        responses={
            status: {"model": ProblemDetails, "content": {MEDIA_TYPE: {}}}
            for status in (400, 401, 403, 408, 413, 415, 422, 429, 503)
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [
                                _DESCRIBED,
                                {
                                    "type": "array",
                                    # One that can be taken is enough; what is wrong with others stands in the receipt.
                                    "contains": _DESCRIBED,
                                    "minItems": 1,
                                    "description": f"Up to {MOST_MENTIONS} mentions; each stands for itself.",
                                },
                            ]
                        }
                    }
                },
            }
        },
    )
    async def receive_mentions(request: Request, principal: Principal = allowed) -> Receipt:
        body = await _body(request)
        return await run_in_threadpool(receiver.receive, body, principal, request.headers.get("traceparent"))

    return router


def _authenticate(request: Request, verifier: KeyVerifier) -> Principal:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
    challenge = {"WWW-Authenticate": 'Bearer realm="tocsin"'}
    if not key:
        raise Problem(
            401, detail="send an API key with the scope 'send': 'Authorization: Bearer tocsin_…'", headers=challenge
        )
    try:
        return verifier.verify(key, Scope.SEND)
    except NotRecognised as error:
        raise Problem(401, detail=str(error), headers=challenge) from error
    except NotAllowed as error:
        raise Problem(403, detail=str(error)) from error


async def _body(request: Request) -> bytes:
    """The body, read no further than it may be long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, detail=f"the content type must be application/json, not {kind[:100] or 'absent'}")
    body = bytearray()
    too_large = f"the body is larger than {LARGEST_BODY:,} bytes; send fewer mentions at once"
    try:
        with anyio.move_on_after(SLOWEST_BODY) as time:
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_BODY:
                    raise Problem(413, detail=too_large)
    except ClientDisconnect as error:
        raise Problem(400, detail="the connection ended before the body did; nothing was kept") from error
    if time.cancelled_caught:
        raise Problem(408, detail=f"the body took longer than {SLOWEST_BODY:g} s; nothing was kept, send it again")
    return bytes(body)


def _mentions_in(body: bytes) -> tuple[list[Any], bool]:
    """The raw mentions of a body, and whether it was a single one. Raises Problem."""
    try:
        value = parse_json(body)
    except ValueError as error:
        wrong = FieldProblem(field="body", message=str(error))
        raise Problem(400, "The body is no JSON", f"the body {error}", errors=[wrong]) from error
    if isinstance(value, Mapping) and isinstance(value.get("mentions"), list) and "source" not in value:
        value = value["mentions"]
    if not isinstance(value, list):
        return [value], True
    if not value:
        empty = FieldProblem(field="mentions", message="is empty; send at least one")
        raise Problem(422, "Nothing was sent", errors=[empty])
    if len(value) > MOST_MENTIONS:
        raise Problem(413, detail=f"{len(value)} mentions are more than {MOST_MENTIONS}; send them in several requests")
    return value, False


def _nothing_accepted(errors: list[RefusedField], single: bool) -> Problem:
    """The problem of a request of which nothing could be taken; in a list, fields carry the index: `[3].published_at`."""
    fields = [FieldProblem(field=_place(error, single), message=error.message) for error in errors]
    detail = "; ".join(f"{field.field}: {field.message}" for field in fields[:5])
    return Problem(422, "No mention could be taken", detail, errors=fields)


def _place(error: RefusedField, single: bool) -> str:
    if single:
        return error.field or "body"
    return f"[{error.index}].{error.field}" if error.field else f"[{error.index}]"
