"""Asana's REST API (https://developers.asana.com/reference/rest-api-reference): tasks of one project.

A 429 carries Retry-After in seconds. Errors are `{"errors": [{"message": …}]}`; lists come in pages with `next_page.offset`.
"""

from __future__ import annotations

from datetime import UTC

import httpx

from services.alert.boards.calling import BoardCaller
from services.alert.boards.port import BoardRefused, BoardUnanswered, Card, CardGone
from tocsin.clock import Clock
from tocsin.contracts.settings.room import AsanaBoard

_PAGE = 100
_MOST_PAGES = 50


class Asana:
    """Makes and changes tasks of one project."""

    kind = "asana"

    def __init__(self, settings: AsanaBoard, clock: Clock) -> None:
        self._project = settings.project
        self._caller = BoardCaller(
            settings.url,
            {"Authorization": f"Bearer {settings.token.get_secret_value()}"},
            timeout=settings.timeout,
            allow_private=settings.allow_private_address,
            clock=clock,
            reason=_reason,
        )
        self.timeout = self._caller.timeout

    def create(self, card: Card) -> str:
        """POST /api/1.0/tasks."""
        try:
            made = self._caller.call(
                "POST", "/api/1.0/tasks", body={"data": {"projects": [self._project], **_fields(card)}}
            )
        except CardGone as error:
            raise BoardRefused(f"{error}: is the project right, and may the token write to it?") from error
        return _identifier(made.get("data") if isinstance(made, dict) else None)

    def find(self, marker: str) -> str | None:
        """GET /api/1.0/projects/{gid}/tasks, page after page, and look for the marker in the notes."""
        query = {"opt_fields": "notes", "limit": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            try:
                page = self._caller.call("GET", f"/api/1.0/projects/{self._project}/tasks", query=query)
            except CardGone as error:
                raise BoardRefused(f"{error}: is the project right?") from error
            for task in page.get("data", ()):
                if marker in str(task.get("notes", "")):
                    return _identifier(task)
            following = page.get("next_page")
            if not following:
                return None
            query = {**query, "offset": str(following["offset"])}
        raise BoardRefused(f"the project has more than {_PAGE * _MOST_PAGES} tasks; give crises a project of their own")

    def change(self, identifier: str, card: Card) -> None:
        """PUT /api/1.0/tasks/{gid}."""
        self._caller.call("PUT", f"/api/1.0/tasks/{identifier}", body={"data": _fields(card)})


def _fields(card: Card) -> dict[str, object]:
    return {
        "name": card.title,
        "notes": f"{card.description}\n\n{card.marker}",
        "due_at": f"{card.due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "completed": card.done,
    }


def _identifier(task: object) -> str:
    identifier = task.get("gid") if isinstance(task, dict) else None
    if not isinstance(identifier, str):
        raise BoardUnanswered("the answer names no task")
    return identifier


def _reason(response: httpx.Response) -> str:
    try:
        told = response.json()
    except ValueError:
        return ""
    errors = told.get("errors") if isinstance(told, dict) else None
    return "; ".join(str(error.get("message", "")) for error in errors or () if isinstance(error, dict))
