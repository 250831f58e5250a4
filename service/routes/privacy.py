"""What is kept of people and acts: the audit record, exports, erasure, retention."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from service import schemas
from service.access import requires_admin
from service.errors import Problem
from service.flow import audit
from service.routes import requests
from service.routes.requests import Limit, SiteSlug

_NO_STORE = {"cache-control": "no-store"}
EventId = Annotated[str | None, QueryParameter(description="The cursor that the page before gave.")]


@get("/v1/admin/sites/{site:str}/audit", guards=[requires_admin], tags=["admin"])
async def read_audit(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    after: EventId = None,
    limit: Limit = 50,
) -> Response[schemas.AuditList]:
    """Read who did what on the site, the newest first; each event is chained to the one before it."""
    context, found, _ = requests.visited(request)
    answer = await audit.list_events(context, found, after=_event_id(after), limit=limit)
    return Response(answer, headers=_NO_STORE)


def _event_id(after: str | None) -> str | None:
    if after is None:
        return None
    try:
        return requests.known_id(after, "request.invalid")
    except Problem:
        detail = "The cursor is not one of this list's."
        raise Problem("request.invalid", detail, fields=[("after", "not a cursor of this list")]) from None


HANDLERS = [read_audit]
