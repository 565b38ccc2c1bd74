"""`/metrics`, `/healthz` and `/readyz`, the same on every process; open to all, so they tell no text, name or secret."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from tocsin.observability.health import Health, HealthReport

OPEN_PATHS = frozenset({"/metrics", "/healthz", "/readyz"})
"""The paths of these routes, which answer without a key."""


def observability_routes(health: Health, registry: CollectorRegistry = REGISTRY) -> APIRouter:
    """A router with the metrics of the process in Prometheus' text format and its health as JSON.

    `/healthz` answers 200 while every loop makes progress, `/readyz` while everything that the process needs is there;
    503 otherwise, with the name of each part and what is wrong with it.
    """
    router = APIRouter(tags=["health"])

    @router.get("/metrics", summary="Metrics in Prometheus' text format", response_class=Response)
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/healthz", summary="Does every loop make progress?", responses={503: {"description": "A loop hangs"}})
    def healthz() -> JSONResponse:
        return _answer(health.liveness())

    @router.get("/readyz", summary="Is everything there that it needs?", responses={503: {"description": "Not ready"}})
    def readyz() -> JSONResponse:
        return _answer(health.readiness())

    return router


def _answer(report: HealthReport) -> JSONResponse:
    return JSONResponse(
        {"status": "ok" if report.ok else "failing", "parts": report.parts},
        status_code=200 if report.ok else 503,
        headers={"Cache-Control": "no-store"},
    )
