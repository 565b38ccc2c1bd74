"""What the principal may do, asked for by each route: `principal: Reader`, `principal: Actor`.

The gate has recognised the principal before; a route that names neither is found by a test.

These dependencies, and all others that wait for nothing, are coroutines: FastAPI runs a plain function on a thread of its pool, and a
request would wait for its turn there as many times as it has dependencies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tocsin.access.principals import Principal, Scope
from tocsin.problems import Problem

# Only so that the OpenAPI description says how to show a key; the gate has read it already.
_described = HTTPBearer(
    scheme_name="API key", description="A key of `tocsin keys create`, such as `tocsin_abcdefgh_…`.", auto_error=False
)


async def recognised(request: Request) -> Principal:
    """Whoever asks, as the gate recognised them."""
    principal: Principal = request.state.principal
    return principal


def requires(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets only those pass who may do `scope`, and hands on who it is."""

    async def permitted(
        principal: Annotated[Principal, Depends(recognised)],
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_described)] = None,
    ) -> Principal:
        if not principal.may(scope):
            given = ", ".join(sorted(principal.scopes)) or "nothing"
            raise Problem(403, detail=f"this needs the scope '{scope}'; yours are: {given}")
        return principal

    permitted.scope = scope  # type: ignore[attr-defined]  # for the test that walks all routes
    return permitted


Reader = Annotated[Principal, Depends(requires(Scope.READ))]
"""Whoever may look at mentions, brands and incidents."""

Actor = Annotated[Principal, Depends(requires(Scope.ACT))]
"""Whoever may acknowledge and resolve."""

Admin = Annotated[Principal, Depends(requires(Scope.ADMIN))]
"""Whoever may decide who comes in, and read what everybody did."""


def visible(principal: Principal, brand: str) -> None:
    """Raise the 404 that a brand beyond this principal's answers with: it looks like one that is not there."""
    if not principal.sees(brand):
        raise unknown_brand(brand)


def unknown_brand(brand: str) -> Problem:
    """What a brand that is not there (or not for you) answers with."""
    return Problem(404, detail=f"there is no brand {brand!r} here that you may see; GET /v1/brands lists them")
