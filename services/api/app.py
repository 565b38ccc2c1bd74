"""The composition root of `api`: what it is made of, and nothing else knows all of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse

from services.alert.protocol.directory import Directory
from services.api.access_log import AccessLog
from services.api.context import ApiContext
from services.api.description import describe
from services.api.entity_tags import EntityTags
from services.api.gate import Gate
from services.api.head import AnswersHead
from services.api.idempotency import IdempotentRequests
from services.api.live import LiveHead, OpenStreams
from services.api.pages.figures import RememberedFigures
from services.api.pages.rendering import FOLDER
from services.api.permission import Reader
from services.api.routes import (
    access,
    acknowledge_links,
    answers,
    brands,
    by_link,
    callbacks,
    correcting,
    corrections,
    declaring,
    drills,
    incident_buttons,
    incident_commands,
    incidents,
    legal_holds,
    mentions,
    notifications,
    oncall,
    pages,
    privacy,
    reports,
    room,
    rota,
    settings_page,
    signing_in,
    silences,
    stream,
)
from services.api.routes.exports import router as exports
from services.api.routes.figures import router as figures
from services.api.routes.responses import router as responses
from services.api.routes.run_time_settings import router as run_time_settings
from services.api.throttle import Throttle
from tocsin import problems
from tocsin.access.identity_provider import IdentityProvider
from tocsin.access.passwords import Passwords
from tocsin.access.sessions import Sessions
from tocsin.access.verifying import KeyVerifier
from tocsin.clock import Clock, SystemClock
from tocsin.holiday_calendars import calendars_of
from tocsin.network_card import NetworkCardUnreadable, read_network_card
from tocsin.observability.logs import logger
from tocsin.observability.routes import observability_routes
from tocsin.process import Component, Surroundings
from tocsin.storage.figures import Thresholds
from tocsin.web import WebServer

CROSS_ORIGIN: dict[str, Any] = {
    # By a key alone: a cookie that another site's script could send along is what the form token is against.
    "allow_credentials": False,
    "allow_methods": ("GET", "POST", "DELETE"),
    "allow_headers": ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID"),
    "expose_headers": (
        "ETag", "Idempotent-Replayed", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
        "X-Request-ID",
    ),
}  # fmt: skip
"""What scripts of `api.cors_origins` may send and read."""

_log = logger(__name__)

THREADS_ON_POSTGRESQL, THREADS_ON_SQLITE = 8, 4
"""Questions that are answered at once. SQLite gives up the interpreter's lock at each row and waits for its turn among all others:
asked more than it could answer, 40 threads took 34 ms of processor time a question, and 3 took 20 (`make bench-api`)."""


def components(
    surroundings: Surroundings, *, port: int | None = None, routers: Sequence[APIRouter] = ()
) -> list[Component]:
    """What the api process runs: a web server on `api.host` and `api.port` (or `port`), which it listens on from now on.

    `routers` are served beside the API's own, behind the same gate: `run all` takes mentions here too.
    """
    settings = surroundings.configuration.api
    app = create_app(surroundings)
    for router in routers:
        app.include_router(router)
    server = WebServer(
        app,
        settings.host,
        settings.port if port is None else port,
        name="api",
        health=surroundings.health,
        threads=THREADS_ON_POSTGRESQL if surroundings.database.is_postgresql else THREADS_ON_SQLITE,
    )
    server.bind()
    return [server]


def create_app(surroundings: Surroundings, *, people_clock: Clock | None = None) -> FastAPI:
    """The application with its gate; routes that are added to it later stand behind the gate, too.

    `people_clock` (the machine's) is what keys, links and sessions expire by. It is another than that of the surroundings
    because a demo's clock runs many times faster than people click.
    """
    configuration, database = surroundings.configuration, surroundings.database
    people_clock = people_clock or SystemClock()
    surroundings.health.require("database", database.check)
    sessions = Sessions(database, people_clock, configuration.api.session_lifetime, configuration.people)
    provider = configuration.api.identity_provider
    app = FastAPI(
        title="Tocsin",
        version="1",
        summary="What an alarm bell for brands knows, and what people do about it",
        # Their pages load scripts from elsewhere, which the page's rules forbid; the description itself is below.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.context = ApiContext(
        configuration=configuration,
        database=database,
        clock=surroundings.clock,
        people_clock=people_clock,
        home=surroundings.environment.home,
        bus=surroundings.bus,
        sessions=sessions,
        passwords=Passwords(database, people_clock),
        identity_provider=IdentityProvider(provider, now=time.time, monotonic=time.monotonic) if provider else None,
        directory=Directory.of(configuration, calendars_of(configuration.schedules)),
        thresholds=_thresholds(configuration.classifier.name),
        figures=RememberedFigures(time.monotonic),
        live=LiveHead(database, time.monotonic),
        open_streams=OpenStreams(),
    )
    problems.install(app)
    pages.install_error_page(app)
    for module in (
        mentions,
        brands,
        incidents,
        incident_commands,
        silences,
        notifications,
        oncall,
        stream,
        access,
        room,
        answers,
        reports,
        drills,
        corrections,
        privacy,
        legal_holds,
    ):
        app.include_router(module.router, responses=problems.RESPONSES)
    app.include_router(_description())
    app.include_router(pages.router)
    app.include_router(incident_buttons.router)
    app.include_router(rota.router)
    app.include_router(declaring.router)
    app.include_router(settings_page.router)
    app.include_router(correcting.router)
    app.include_router(answers.page_router)
    app.include_router(room.page_router)
    app.include_router(reports.page_router)
    app.include_router(legal_holds.page_router)
    app.include_router(by_link.router)
    app.include_router(signing_in.router)
    app.include_router(acknowledge_links.router)
    app.include_router(callbacks.router)
    app.include_router(drills.page_router)
    app.include_router(observability_routes(surroundings.health))
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    for router in (exports, figures, responses, run_time_settings):
        app.include_router(router, responses=problems.RESPONSES)
    # From the inside to the outside: the last one added is the first that a request comes to.
    app.add_middleware(IdempotentRequests, database=database, clock=people_clock)
    app.add_middleware(EntityTags)
    app.add_middleware(Throttle, a_minute=configuration.api.requests_a_minute, monotonic=time.monotonic)
    app.add_middleware(
        Gate,
        verifier=KeyVerifier(database, people_clock, time.monotonic),
        sessions=sessions,
        public_url=configuration.api.public_url,
    )
    if configuration.api.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=configuration.api.cors_origins, **CROSS_ORIGIN)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(AnswersHead)
    app.add_middleware(AccessLog)
    return app


def _description() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/v1/openapi.json")
    def openapi(request: Request, _principal: Reader) -> JSONResponse:
        return JSONResponse(describe(request.app))

    return router


def _thresholds(classifier: str) -> Thresholds:
    try:
        card = read_network_card(classifier)
    except NetworkCardUnreadable as error:
        # People can look at what is there while classify says what is wrong with its network.
        _log.warning("figures use the usual thresholds: the network's card cannot be read", error=str(error))
        return Thresholds()
    return Thresholds(risk=card.risk_threshold, relevance=card.relevance_threshold)
