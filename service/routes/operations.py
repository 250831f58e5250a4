"""Health and metrics of the API process."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service import schemas, telemetry
from service.access import open_to_all
from service.flow import health
from service.siblings import Siblings
from service.visits import context_of

_NO_STORE = {"cache-control": "no-store"}
_NOT_READY = {503: ResponseSpec(schemas.Ready, description="Not ready, and why", generate_examples=False)}


@get("/health/live", guards=[open_to_all], tags=["operations"])
async def live() -> Response[dict[str, str]]:
    """Answer that the process runs."""
    return Response({"status": "live"}, headers=_NO_STORE)


@get("/health/ready", guards=[open_to_all], responses=_NOT_READY, tags=["operations"])
async def ready(request: Request[Any, Any, Any]) -> Response[schemas.Ready]:
    """Answer 200 while SQL answers, listing what is degraded; 503 otherwise."""
    found = await health.readiness(context_of(request))
    return Response(found, status_code=503 if found.status == "not_ready" else 200, headers=_NO_STORE)


@get("/health/workers", guards=[open_to_all], responses=_NOT_READY, tags=["operations"])
async def workers(request: Request[Any, Any, Any]) -> Response[schemas.Ready]:
    """Answer 200 while some worker scores, degraded where only by its fallback, else 503 and why."""
    found = await health.workers(context_of(request))
    return Response(found, status_code=503 if found.status == "not_ready" else 200, headers=_NO_STORE)


@get("/metrics", guards=[open_to_all], include_in_schema=False)
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer the metrics of the processes behind this port in Prometheus' text format; a worker has its own page."""
    siblings: Siblings | None = request.app.state.siblings
    page = await siblings.page() if siblings else generate_latest(telemetry.api_registry)
    media_type = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
    return Response(page, media_type=media_type, headers=_NO_STORE)


HANDLERS = [live, ready, workers, metrics]
