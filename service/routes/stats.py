"""The figures of the dashboard, and what another policy would have decided."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter

from service import schemas
from service.access import requires_admin, requires_moderator
from service.flow import preview
from service.flow.stats import Figures
from service.routes import requests
from service.routes.requests import SiteSlug

From = Annotated[
    date | None, QueryParameter(name="from", description="The first day, in UTC; 30 days in all if absent.")
]
To = Annotated[date | None, QueryParameter(name="to", description="The last day; today if absent. At most 366 days.")]
_NO_STORE = {"cache-control": "no-store"}


@get("/v1/review/{site:str}/stats", guards=[requires_moderator], tags=["review"])
async def read_stats(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    first: From = None,
    last: To = None,
) -> Response[schemas.Stats]:
    """Read the site's figures from a day to a day; they may be half a minute old."""
    context, found, _ = requests.visited(request)
    figures: Figures = request.app.state.figures
    return Response(await figures.of(context, found, first, last), headers=_NO_STORE)


@post("/v1/admin/sites/{site:str}/policy/preview", guards=[requires_admin], status_code=200, tags=["admin"])
async def preview_policy(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[dict[str, Any]],
) -> Response[schemas.PolicyPreview]:
    """See what a policy would have made of the newest 1,000 comments; nothing is changed."""
    context, found, _ = requests.visited(request)
    return Response(await preview.preview(context, found, data), headers=_NO_STORE)


HANDLERS = [read_stats, preview_policy]
