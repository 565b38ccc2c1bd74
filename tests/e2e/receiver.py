"""A team's webhook receiver: verifies signatures with the field's own library, and deduplicates by id."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from pytest_httpserver import HTTPServer
from standardwebhooks.webhooks import Webhook
from werkzeug import Request, Response


class Receiver:
    """Keeps what came, by its webhook-id; a message with a wrong signature is refused and counted."""

    def __init__(self, server: HTTPServer, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._lock = threading.Lock()
        self._messages: dict[str, dict[str, Any]] = {}
        self.deliveries = 0
        """How often something came, repetitions too."""
        self.forged = 0
        self.url = server.url_for("/ring")
        server.expect_request("/ring", method="POST").respond_with_handler(self._receive)

    def messages(self, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """What came, each once, by its id; `kind` is `page`, `acknowledged` or `resolved`."""
        with self._lock:
            return {
                identifier: message
                for identifier, message in self._messages.items()
                if kind is None or message["type"] == f"notification.{kind}"
            }

    def _receive(self, request: Request) -> Response:
        body = request.get_data().decode()
        identifier = request.headers["webhook-id"]
        # The rehearsal's clock runs ahead of ours: the signature is verified, the age is not.
        signed_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        with self._lock:
            if self._webhook.sign(identifier, signed_at, body) not in request.headers["webhook-signature"].split(" "):
                self.forged += 1
                return Response("forged", status=401)
            self.deliveries += 1
            self._messages[identifier] = json.loads(body)
        return Response(status=204)
