"""Trello and Asana on this machine: as much of their documented REST APIs as a card needs, with their errors and limits.

Both refuse what the documentation does not allow (unknown fields, a wrong id, no authorisation), so that a test cannot pass with
a request that the real service would refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Fault = Callable[[Request], Response | None]
LIST = "5f0c1a2b3c4d5e6f70818283"
PROJECT = "1208765432109876"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class BoardServer:
    """What both have: the cards as they stand, every request, and faults that a test puts in front."""

    url = ""

    def __init__(self, server: HTTPServer) -> None:
        self.cards: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        """Asked in turn, each for one request; one that returns None lets it through."""
        server.expect_request(re.compile(".*")).respond_with_handler(self._handle)
        self.url = server.url_for("").rstrip("/")

    def _handle(self, request: Request) -> Response:
        self.requests.append((request.method, request.path))
        if self.faults:
            fault = self.faults.pop(0)(request)
            if fault is not None:
                return fault
        return self.answer(request)

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    @property
    def created(self) -> int:
        """How many cards were made, those that were deleted again too."""
        return sum(1 for method, path in self.requests if method == "POST")

    def does_it_and_says_nothing(self, request: Request) -> Response:
        """A fault: the card is made, and the answer is lost on a bad gateway."""
        self.answer(request)
        return Response("Bad Gateway", status=502)


def said(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status=status, mimetype="application/json", headers=headers)


class TrelloServer(BoardServer):
    """https://api.trello.com: /1/cards, /1/cards/{id}, /1/lists/{id}/cards."""

    KNOWN = frozenset({"idList", "pos", "name", "desc", "due", "dueComplete"})

    def answer(self, request: Request) -> Response:
        if request.headers.get("Authorization") != 'OAuth oauth_consumer_key="key", oauth_token="token"':
            return Response("invalid key", status=401)
        given = request.args.to_dict()
        if request.path == f"/1/lists/{LIST}/cards" and request.method == "GET":
            return said([{"id": identifier, "desc": card["desc"]} for identifier, card in self.cards.items()])
        if request.path == "/1/cards" and request.method == "POST":
            if given.get("idList") != LIST:
                return Response("invalid value for idList", status=400)
            wrong = self._wrong(given)
            if wrong:
                return Response(wrong, status=400)
            identifier = f"{len(self.requests):024x}"
            self.cards[identifier] = given
            return said({"id": identifier, **given})
        found = re.fullmatch(r"/1/cards/([0-9a-f]{24})", request.path)
        if found and request.method == "PUT":
            if found[1] not in self.cards:
                return Response("The requested resource was not found.", status=404)
            wrong = self._wrong(given)
            if wrong:
                return Response(wrong, status=400)
            self.cards[found[1]].update(given)
            return said({"id": found[1], **self.cards[found[1]]})
        return Response("Cannot " + request.method, status=404)

    def _wrong(self, given: dict[str, str]) -> str:
        unknown = set(given) - self.KNOWN
        if unknown:
            return f"invalid value for {', '.join(unknown)}"
        if not ISO.fullmatch(given.get("due", "")) or given.get("dueComplete") not in ("true", "false"):
            return "invalid value for due"
        return "" if 0 < len(given.get("name", "")) <= 16384 else "invalid value for name"

    @staticmethod
    def limited(_: Request) -> Response:
        """A fault: 429 as Trello says it, without Retry-After."""
        return said(
            {"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"},
            429,
            {"x-rate-limit-api-token-interval-ms": "10000", "x-rate-limit-api-token-remaining": "0"},
        )

    def state(self) -> list[tuple[str, datetime, bool]]:
        return [
            (card["name"], datetime.fromisoformat(card["due"]), card["dueComplete"] == "true")
            for card in self.cards.values()
        ]


class AsanaServer(BoardServer):
    """https://app.asana.com/api/1.0: /tasks, /tasks/{gid}, /projects/{gid}/tasks in pages."""

    KNOWN = frozenset({"name", "notes", "due_at", "completed", "projects"})
    PAGE = 2

    def answer(self, request: Request) -> Response:
        if request.headers.get("Authorization") != "Bearer token":
            return self._error("Not Authorized", 401)
        path = request.path.removeprefix("/api/1.0")
        if path == f"/projects/{PROJECT}/tasks" and request.method == "GET":
            if not 1 <= int(request.args.get("limit", "20")) <= 100:
                return self._error("limit: Must be between 1 and 100", 400)
            start = int(request.args.get("offset", "0"))
            tasks = [{"gid": gid, "notes": card["notes"]} for gid, card in self.cards.items()]
            more = start + self.PAGE < len(tasks)
            following = {"offset": str(start + self.PAGE), "path": "/…", "uri": "https://…"} if more else None
            return said({"data": tasks[start : start + self.PAGE], "next_page": following})
        data = request.get_json().get("data", {}) if request.method in ("POST", "PUT") else {}
        if set(data) - self.KNOWN or (data and not ISO.fullmatch(data.get("due_at", ""))):
            return self._error("Invalid field", 400)
        if path == "/tasks" and request.method == "POST":
            if data.get("projects") != [PROJECT]:
                return self._error("projects: Not a recognized ID", 404)
            gid = str(1_200_000_000_000_000 + len(self.requests))
            self.cards[gid] = data
            return said({"data": {"gid": gid, "resource_type": "task"}}, 201)
        found = re.fullmatch(r"/tasks/(\d+)", path)
        if found and request.method == "PUT":
            if found[1] not in self.cards:
                return self._error("task: Not a recognized ID", 404)
            self.cards[found[1]].update(data)
            return said({"data": {"gid": found[1]}})
        return self._error("No matching route", 404)

    @staticmethod
    def _error(message: str, status: int) -> Response:
        return said({"errors": [{"message": message, "help": "For more information …"}]}, status)

    @staticmethod
    def limited(_: Request) -> Response:
        """A fault: 429 as Asana says it."""
        return said({"errors": [{"message": "You have made too many requests recently."}]}, 429, {"Retry-After": "30"})

    def state(self) -> list[tuple[str, datetime, bool]]:
        return [
            (card["name"], datetime.fromisoformat(card["due_at"]), card["completed"]) for card in self.cards.values()
        ]
