"""What schemathesis asks for beside its own checks, and the one request that a run must not make."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

_VALIDATION = "The request is not valid"
"""The title of a problem that is found before any rule of ours is looked at (`tocsin.problems`)."""

_GRAMMARS = {"terms", "query", "exclude"}
"""Queries have a grammar, which no pattern can hold; a wrong one is told with the place and how to mend it."""


@schemathesis.check
def no_field_is_refused_that_the_description_allows(_context: Any, response: Any, case: Any) -> None:
    """Rules between fields may refuse what the description allows; validation of the fields themselves may not."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    told = response.json()
    if all(problem["field"].rpartition(".")[2] in _GRAMMARS for problem in told.get("errors", ())):
        return
    assert told["title"] != _VALIDATION, f"valid by the description, and yet refused: {told['detail']}"


@schemathesis.check
def every_error_is_a_problem(_context: Any, response: Any, _case: Any) -> None:
    """RFC 9457, whatever was asked for."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/problem+json"], response.headers["content-type"]
    told = response.json()
    assert told["status"] == response.status_code
    assert told["title"]


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Who revokes the key that they show is a stranger from then on, and finds nothing any more."""
    prefix = os.environ.get("TOCSIN_OWN_KEY", "")
    return not (case.method == "DELETE" and prefix and (case.path_parameters or {}).get("prefix") == prefix)
