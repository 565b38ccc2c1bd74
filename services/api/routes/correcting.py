"""The forms beside a mention on the page: what the network read wrong, what keeps such mentions out, and who wrote it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.api.context import ApiContext, Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.wording import Wording
from services.api.permission import Actor
from services.api.routes.corrections import CorrectionRequest, correct
from services.api.routes.pages import Form, Words
from services.api.routes.privacy import OpenAuthorRequest, open_author
from tocsin.access.principals import Principal
from tocsin.access.secrets import form_token
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)

_WORDS: dict[str, dict[str, Any]] = {
    "negative": {"sentiment": "negative"},
    "neutral": {"sentiment": "neutral"},
    "positive": {"sentiment": "positive"},
    "risky": {"risky": True},
    "harmless": {"risky": False},
    "not_us": {"about_us": False},
    "story_not_us": {"about_us": False, "scope": "story"},
    "as_read": {},
}
"""What the form's choices mean; the last one takes an earlier correction back."""


@router.post("/mentions/{mention_id}/correction", response_class=HTMLResponse)
def correct_by_form(
    *, context: Context, principal: Actor, words: Words, request: Request, form: Form, mention_id: UUID
) -> Response:
    """Where it is not about the brand, words are proposed that would keep such mentions out: one click away from a preview."""
    brand, back = form.get("brand", ""), _back(form)
    try:
        wanted = CorrectionRequest(brand=brand, **_WORDS[form.get("is", "")])
    except (KeyError, ValidationError) as error:
        raise Problem(422, detail="is: choose what is true instead") from error
    done = correct(context=context, principal=principal, mention_id=mention_id, wanted=wanted)
    if wanted.about_us is not False:
        return RedirectResponse(back, status_code=303)
    html = render(
        "corrected.html",
        words,
        context.clock.now(),
        number_corrected=len(done.corrected),
        proposals=[(item, proposal_path(brand, item.term)) for item in done.exclusions],
        own_terms=proposal_path(brand, ""),
        back=back,
        language_page=_page_of(back),
        **_frame(context, principal, words, request),
    )
    return HTMLResponse(html)


@router.post("/mentions/{mention_id}/author", response_class=HTMLResponse)
def open_author_by_form(
    *, context: Context, principal: Actor, words: Words, request: Request, form: Form, mention_id: UUID
) -> Response:
    """Shows the name that is kept apart, this once; who opened it and why stands in the audit log."""
    back = _back(form)
    try:
        wanted = OpenAuthorRequest(brand=form.get("brand", ""), reason=form.get("reason", "").strip())
    except ValidationError as error:
        raise Problem(422, detail="reason: say what the name is needed for, in 1 to 500 characters") from error
    opened = open_author(context=context, principal=principal, wanted=wanted, mention_id=mention_id)
    html = render(
        "author.html",
        words,
        context.clock.now(),
        author=opened,
        reason=wanted.reason,
        back=back,
        language_page=_page_of(back),
        **_frame(context, principal, words, request),
    )
    return HTMLResponse(html)


def _back(form: dict[str, str]) -> str:
    """The incident that the form stood beside; nowhere but on this page."""
    back = form.get("back", "/")
    return back if back.startswith("/incidents/") else "/"


def _page_of(back: str) -> str:
    """Where the other languages are: the answer to a form has no address, and a name that was opened is shown but once."""
    return urlsplit(back).path


def _frame(context: ApiContext, principal: Principal, words: Wording, request: Request) -> dict[str, Any]:
    """What every page shows around its content."""
    token = request.state.session_token
    return {
        "form_token": form_token(token) if token else "",
        "who": actor_name(principal.actor, words, context.directory) if token else None,
    }


def proposal_path(brand: str, term: str) -> str:
    """Where the page of settings tries an exclusion of `term` on the last week, ready to be set."""
    terms = f'"{term}"' if term else ""
    return f"/settings?{urlencode({'brand': brand, 'kind': 'exclude', 'terms': terms}, quote_via=quote)}#new"
