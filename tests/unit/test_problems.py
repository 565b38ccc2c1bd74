"""Every error over HTTP has one form, names its field, and repeats nothing that was sent."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import FastAPI, HTTPException, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from tocsin import problems
from tocsin.bus.failures import BusFull, BusUnavailable
from tocsin.problems import Problem


class Body(BaseModel):
    level: Annotated[int, Field(ge=1)]
    names: list[str]


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    problems.install(app)
    raised = {
        "own": Problem(
            409, detail="too late", errors=[{"field": "state", "message": "is resolved"}], headers={"X-A": "b"}
        ),
        "full": BusFull("full"),
        "away": BusUnavailable("away"),
        "bug": KeyError("a secret"),
        "plain": HTTPException(418, "short and stout"),
    }

    @app.get("/raise/{name}")
    def raise_it(name: str) -> None:
        raise raised[name]

    @app.post("/body")
    def take(body: Body, limit: Annotated[int, Query()] = 1) -> None:
        return None

    return TestClient(app, raise_server_exceptions=False)


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    return body


def test_a_problem_of_ones_own(client: TestClient) -> None:
    answer = client.get("/raise/own")
    assert problem(answer) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "too late",
        "errors": [{"field": "state", "message": "is resolved"}],
    }
    assert answer.headers["x-a"] == "b"


def test_validation_names_the_fields_and_repeats_no_value(client: TestClient) -> None:
    answer = client.post("/body?limit=secret", json={"level": 0, "names": ["a", {"secret": 1}]})
    assert [error["field"] for error in problem(answer)["errors"]] == ["limit", "level", "names[1]"]
    assert answer.status_code == 422
    assert "secret" not in answer.text


def test_a_missing_body_is_told(client: TestClient) -> None:
    assert [error["field"] for error in problem(client.post("/body"))["errors"]] == ["body"]


@pytest.mark.parametrize(("name", "status"), [("full", 429), ("away", 503)])
def test_what_passes_by_itself_asks_for_patience(client: TestClient, name: str, status: int) -> None:
    answer = client.get(f"/raise/{name}")
    assert problem(answer)["status"] == status
    assert int(answer.headers["retry-after"]) > 0


def test_a_bug_tells_nothing_of_itself(client: TestClient) -> None:
    with capture_logs() as logged:
        answer = client.get("/raise/bug")
    assert [(entry["log_level"], entry["path"]) for entry in logged] == [("error", "/raise/bug")]
    assert problem(answer)["status"] == 500
    assert "secret" not in answer.text


def test_what_the_framework_says_has_the_same_form(client: TestClient) -> None:
    assert problem(client.get("/nowhere"))["title"] == "Not Found"
    assert problem(client.get("/body"))["title"] == "Method Not Allowed"
    assert problem(client.get("/raise/plain"))["detail"] == "short and stout"
