"""The description of the API: what is sent and answered has an example, and each example is what its schema says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from services.api.app import create_app
from services.api.description import JSON, describe
from tests.newsroom import CONFIGURATION, NOW
from tocsin.clock import ManualClock
from tocsin.config import Environment
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage.database import Database


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("described")
    never_asked: Any = object()
    environment = Environment.read({"TOCSIN_HOME": str(folder)})
    database = Database(f"sqlite:///{folder / 'never-opened.sqlite'}")
    surroundings = Surroundings(CONFIGURATION, environment, ManualClock(NOW), never_asked, database, Health())
    return describe(create_app(surroundings))


def bodies(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body with a schema that is sent or answered as JSON, and where it stands."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            around = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for place, body in around.items():
                for media_type, content in body.get("content", {}).items():
                    if media_type.endswith("json") and content.get("schema"):
                        yield f"{method} {path} {place}", content


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")


def test_every_body_has_an_example_that_its_schema_allows(described: dict[str, Any]) -> None:
    found = dict(bodies(described))
    assert len(found) > 300
    assert [place for place, content in found.items() if "example" not in content] == []
    wrong = {}
    for place, content in found.items():
        whole = {**content["schema"], "components": described["components"]}
        check = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        if errors := [error.message for error in check.iter_errors(content["example"])]:
            wrong[place] = errors
    assert wrong == {}


def test_no_example_says_nothing(described: dict[str, Any]) -> None:
    """`text` is what a field without a meaning of its own would have."""
    assert {place for place, content in bodies(described) if "text" in strings_of(content["example"])} == set()


def test_what_is_answered_most_is_told_by_the_example(described: dict[str, Any]) -> None:
    answer = described["paths"]["/v1/mentions"]["get"]["responses"]["200"]["content"][JSON]["example"]
    (mention,) = answer["mentions"]
    assert mention["brand"] == "nordlys"
    assert mention["sentiment"] == {
        "label": "negative",
        "scores": {"negative": 0.81, "neutral": 0.13, "positive": 0.06},
    }
    assert mention["risk"] == {"score": 0.93, "kinds": [{"kind": "boycott_call", "score": 0.93}]}


def test_an_error_is_told_with_its_own_status(described: dict[str, Any]) -> None:
    answers = described["paths"]["/v1/incidents/{incident_id}/resolve"]["post"]["responses"]
    told = {
        status: answer["content"]["application/problem+json"]["example"]
        for status, answer in answers.items()
        if status >= "400"
    }
    assert {"409", "412", "429"} <= set(told)
    assert [str(example["status"]) for example in told.values()] == list(told)


def strings_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for item in value.values() for text in strings_of(item)}
    if isinstance(value, list):
        return {text for item in value for text in strings_of(item)}
    return {value} if isinstance(value, str) else set()
