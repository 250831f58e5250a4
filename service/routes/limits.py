"""Admins: how often requests may come on their site."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, put
from litestar.params import JSONBody

from service import schemas
from service.access import requires_admin
from service.flow import manage_limits
from service.routes import requests
from service.routes.requests import SiteSlug


@get("/v1/admin/sites/{site:str}/limits", guards=[requires_admin], tags=["admin"])
async def read_limits(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.Rates:
    """Read the site's limits."""
    context, found, _ = requests.visited(request)
    return await manage_limits.read_limits(context, found)


@put("/v1/admin/sites/{site:str}/limits", guards=[requires_admin], tags=["admin"])
async def set_limits(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.Rates],
) -> schemas.Rates:
    """Put limits in force as a whole: what is left out has its default."""
    context, found, visit = requests.visited(request)
    return await manage_limits.set_limits(context, found, requests.as_member(visit).actor, data)


HANDLERS = [read_limits, set_limits]
