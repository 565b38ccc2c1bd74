"""The forms beside a mention on the page: what the network read wrong, and what keeps such mentions out from now on."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.api.context import Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.permission import Actor
from services.api.routes.corrections import CorrectionRequest, correct
from services.api.routes.pages import Form, Words
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
    brand, back = form.get("brand", ""), form.get("back", "/")
    if not back.startswith("/incidents/"):
        back = "/"
    try:
        wanted = CorrectionRequest(brand=brand, **_WORDS[form.get("is", "")])
    except (KeyError, ValidationError) as error:
        raise Problem(422, detail="is: choose what is true instead") from error
    done = correct(context=context, principal=principal, mention_id=mention_id, wanted=wanted)
    if wanted.about_us is not False:
        return RedirectResponse(back, status_code=303)
    token = request.state.session_token
    html = render(
        "corrected.html",
        words,
        context.clock.now(),
        number_corrected=len(done.corrected),
        proposals=[(item, proposal_path(brand, item.term)) for item in done.exclusions],
        own_terms=proposal_path(brand, ""),
        back=back,
        form_token=form_token(token) if token else "",
        who=actor_name(principal.actor, words, context.directory) if token else None,
    )
    return HTMLResponse(html)


def proposal_path(brand: str, term: str) -> str:
    """Where the page of settings tries an exclusion of `term` on the last week, ready to be set."""
    terms = f'"{term}"' if term else ""
    return f"/settings?{urlencode({'brand': brand, 'kind': 'exclude', 'terms': terms}, quote_via=quote)}#new"
