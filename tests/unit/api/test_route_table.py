"""The table of doors and the application name the same routes, each with the same scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.api.app import create_app
from tests.newsroom import CONFIGURATION, NOW
from tests.route_table import DOORS
from tocsin.access.principals import Scope
from tocsin.clock import ManualClock
from tocsin.config import Environment
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage.database import Database


def routes(of: FastAPI) -> Iterator[APIRoute]:
    """Every route, also of routers that FastAPI keeps as they were included."""
    waiting: list[Any] = list(of.routes)
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            waiting.extend(inner.routes)
        elif isinstance(route, APIRoute):
            yield route


def scopes_of(route: APIRoute) -> set[Scope]:
    found: set[Scope] = set()
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        waiting.extend(dependant.dependencies)
        if (scope := getattr(dependant.call, "scope", None)) is not None:
            found.add(scope)
    return found


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    clock = ManualClock(NOW)
    environment = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    never_asked: Any = object()
    database = Database(f"sqlite:///{tmp_path / 'never-opened.sqlite'}")
    return create_app(Surroundings(CONFIGURATION, environment, clock, never_asked, database, Health()))


def test_every_route_is_in_the_table_once_and_none_is_there_that_is_no_route(app: FastAPI) -> None:
    served = {f"{method} {route.path}" for route in routes(app) for method in route.methods}
    told = Counter(door.name for door in DOORS)
    assert {
        "write these doors into tests/route_table.py": served - set(told),
        "these doors lead nowhere": set(told) - served,
        "these stand there twice": {name for name, times in told.items() if times > 1},
    } == {
        "write these doors into tests/route_table.py": set(),
        "these doors lead nowhere": set(),
        "these stand there twice": set(),
    }


def test_every_route_asks_for_the_scope_that_the_table_says(app: FastAPI) -> None:
    asked = {f"{method} {route.path}": scopes_of(route) for route in routes(app) for method in route.methods}
    assert asked == {door.name: {door.scope} if door.scope else set() for door in DOORS}
