"""Answering in one turn: the function of a route and the JSON of what it returns, on one thread, one after the other.

FastAPI would go back to the event loop in between, and to a thread once more to look whether the answer is what the annotation says,
which mypy has looked at. Each turn waits for a thread and for the interpreter's lock: under load that took longer than the work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response as AnyResponse

JSON = "application/json"


class OneTurnRoute(APIRoute):
    """For `APIRouter(route_class=…)` of plain functions that return a model.

    Coroutines, and functions that are given the response to set headers on, are left to FastAPI.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, in_one_turn(endpoint, options.get("status_code")), **options)


def in_one_turn(endpoint: Callable[..., Any], status: int | None = None) -> Callable[..., Any]:
    """The same function, but a model that it returns is an answer with its JSON already."""
    annotations = inspect.signature(endpoint, eval_str=True).parameters.values()
    if inspect.iscoroutinefunction(endpoint) or any(each.annotation in (Response, AnyResponse) for each in annotations):
        return endpoint

    @wraps(endpoint)
    def answering(*args: Any, **values: Any) -> Any:
        answer = endpoint(*args, **values)
        if not isinstance(answer, BaseModel):
            return answer
        return AnyResponse(answer.model_dump_json(by_alias=True), status or 200, media_type=JSON)

    return answering
