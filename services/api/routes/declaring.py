"""`/declare`: the form with which a person rings the bell by hand, from a phone in the night."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.api.command_schemas import DeclareRequest
from services.api.commands import declare
from services.api.context import Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.permission import Actor
from services.api.routes.pages import Words, remember_language
from tocsin.access.secrets import form_token
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)


async def sent_fields(request: Request) -> dict[str, list[str]]:
    """The fields of a form with all their values: a brand may be ticked beside another. The gate has bounded the body."""
    return parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=50)


SentFields = Annotated[dict[str, list[str]], Depends(sent_fields)]


@router.get("/declare", response_class=HTMLResponse)
def show_form(*, context: Context, principal: Actor, words: Words, request: Request, notice: str = "") -> Response:
    """The empty form, with the brands that the principal may see."""
    token = request.state.session_token
    html = render(
        "declare.html",
        words,
        context.clock.now(),
        brands=[(brand, context.directory.brand_name(brand)) for brand in context.brand_ids(principal)],
        form_token=form_token(token) if token else "",
        who=actor_name(principal.actor, words, context.directory) if token else None,
        wrong=notice == "wrong",
    )
    response = HTMLResponse(html, headers={"Vary": "Accept-Language, Cookie"})
    remember_language(request, response)
    return response


@router.post("/declare")
def declare_by_form(*, context: Context, principal: Actor, form: SentFields) -> Response:
    """Opens an incident, or joins the open one of these brands; leads to its page either way."""
    written = {name: form[name][0].strip() for name in ("level", "sentence", "link", "text") if form.get(name)}
    try:
        wanted = DeclareRequest.model_validate(
            {"brands": form.get("brand", []), **{name: value for name, value in written.items() if value}}
        )
        incident, _ = declare(
            context,
            principal,
            wanted=wanted.brands,
            level=wanted.level,
            sentence=wanted.sentence,
            link=str(wanted.link) if wanted.link is not None else None,
            text=wanted.text,
        )
    except (ValidationError, Problem):
        return RedirectResponse("/declare?notice=wrong", status_code=303)
    return RedirectResponse(f"/incidents/{incident.id}", status_code=303)
