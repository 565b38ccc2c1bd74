"""`/settings`: what was set at run time, with the forms that set and withdraw; a query is tried on the last week first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.api.context import ApiContext, Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.settings import (
    KINDS,
    PREVIEWED,
    UnusableForm,
    setting_lines,
    targets_of,
    usual_end,
    written_instant,
    written_value,
)
from services.api.pages.wording import Wording
from services.api.permission import Actor, Reader, unknown_brand
from services.api.query_preview import Preview
from services.api.routes.pages import Form, Words, remember_language
from services.api.routes.run_time_settings import NOT_KEPT
from services.api.run_time_settings import add_setting, preview_query, settings_of, withdraw_setting
from tocsin.access.principals import Principal, Scope
from tocsin.access.secrets import form_token
from tocsin.contracts.events import RiskKind
from tocsin.contracts.settings.run_time import FurtherExclusion, FurtherQuery
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)

_NOTICES = ("set", "withdrawn", "over")
_FIELDS = ("terms", "words", "authors", "outlets", "level", "name", "risk", "reach", "risk_kind", "story", "author", "source",
           "reason", "begins", "ends")  # fmt: skip


@router.get("/settings", response_class=HTMLResponse)
def show_settings(
    *,
    context: Context,
    principal: Reader,
    words: Words,
    request: Request,
    brand: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=20)] = "query",
) -> Response:
    """The settings of a brand, and the form of one kind; with terms in the address, what they would have changed."""
    written = {name: request.query_params.get(name, "")[:2000] for name in _FIELDS}
    return _page(context, principal, words, request, brand=brand, kind=kind, written=written)


@router.post("/settings", response_class=HTMLResponse)
def set_by_form(*, context: Context, principal: Actor, words: Words, request: Request, form: Form) -> Response:
    """The form; what cannot be is said beside what was written."""
    brand = form.get("brand", "")
    settings = context.configuration.brand(brand)
    zone = ZoneInfo(settings.time_zone) if settings is not None else ZoneInfo("UTC")
    try:
        add_setting(
            context,
            principal,
            brand,
            written_value(form),
            reason=_reason(form),
            begins=written_instant(form.get("begins"), zone),
            ends=written_instant(form.get("ends"), zone),
        )
    except (UnusableForm, Problem) as error:
        status = error.details.status if isinstance(error, Problem) else 422
        if status == 404:
            raise
        return _page(
            context,
            principal,
            words,
            request,
            brand=brand,
            kind=form.get("kind", "query"),
            written=form,
            refused=str(error),
            status=status,
        )
    return _back(brand, form.get("kind", "query"), "set")


@router.post("/settings/{setting_id}/withdraw")
def withdraw_by_button(*, context: Context, principal: Actor, form: Form, setting_id: UUID) -> Response:
    """The button beside a setting."""
    brand = form.get("brand", "")
    try:
        withdraw_setting(context, principal, brand, setting_id, reason=form.get("reason", "").strip()[:500] or "–")
    except Problem as problem:
        if problem.details.status != 409:
            raise
        return _back(brand, form.get("kind", "query"), "over")
    return _back(brand, form.get("kind", "query"), "withdrawn")


def _page(
    context: ApiContext,
    principal: Principal,
    words: Wording,
    request: Request,
    *,
    brand: str,
    kind: str,
    written: Mapping[str, str],
    refused: str | None = None,
    status: int = 200,
) -> Response:
    known = context.brand_ids(principal)
    brand = brand or next(iter(known), "")
    settings = context.configuration.brand(brand) if brand in known else None
    if brand and settings is None:
        raise unknown_brand(brand)
    zone = ZoneInfo(settings.time_zone) if settings is not None else ZoneInfo("UTC")
    now, token = context.clock.now(), request.state.session_token
    kind = kind if kind in KINDS else "query"
    tried: tuple[Preview, datetime, datetime] | None = None
    if settings is not None and kind in PREVIEWED and written.get("terms", "").strip():
        try:
            tried = _tried(context, principal, brand, kind, written)
        except (UnusableForm, Problem) as error:
            refused, status = refused or str(error), 422 if status == 200 else status
    html = render(
        "settings.html",
        words,
        now,
        brand=brand,
        brands=[(item, context.directory.brand_name(item)) for item in known],
        kind=kind,
        kinds=KINDS,
        previewed=kind in PREVIEWED,
        tried=tried,
        not_kept=NOT_KEPT[words.language],
        targets=targets_of(written),
        risk_kinds=[kind.value for kind in RiskKind],
        written=defaultdict(str, written),
        usual_end=usual_end(kind, now, zone),
        lines=setting_lines(settings_of(context, brand), words, context.directory, now) if brand else [],
        past=_past(context, brand, words, now) if brand else [],
        may_act=principal.may(Scope.ACT),
        zone=zone,
        **_of_page(context, principal, words, token),
        refused=refused,
        notice=_notice(request),
    )
    response = HTMLResponse(html, status_code=status, headers={"Vary": "Accept-Language, Cookie"})
    remember_language(request, response)
    return response


def _tried(
    context: ApiContext, principal: Principal, brand: str, kind: str, written: Mapping[str, str]
) -> tuple[Preview, datetime, datetime]:
    value = written_value({"kind": kind, "terms": written["terms"]})
    return preview_query(
        context,
        principal,
        brand,
        query=value.terms if isinstance(value, FurtherQuery) else None,
        exclude=value.terms if isinstance(value, FurtherExclusion) else None,
    )


def _past(context: ApiContext, brand: str, words: Wording, now: datetime) -> list[Any]:
    everything = setting_lines(settings_of(context, brand, over=True), words, context.directory, now)
    return [line for line in everything if not line.stands][:50]


def _of_page(context: ApiContext, principal: Principal, words: Wording, token: str | None) -> dict[str, Any]:
    return {
        "form_token": form_token(token) if token else "",
        "who": actor_name(principal.actor, words, context.directory) if token else None,
    }


def _reason(form: Mapping[str, str]) -> str:
    reason = form.get("reason", "").strip()
    if not reason:
        raise UnusableForm("reason: say why, for those who come after you")
    return reason[:500]


def _notice(request: Request) -> str | None:
    notice = request.query_params.get("notice", "")
    return notice if notice in _NOTICES else None


def _back(brand: str, kind: str, notice: str) -> Response:
    return RedirectResponse(f"/settings?{urlencode({'brand': brand, 'kind': kind, 'notice': notice})}", status_code=303)
