"""Against spam: form tickets and challenges for readers, settings for admins."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, put
from litestar.params import JSONBody

from service import schemas
from service.access import of_site, requires_admin
from service.flow import challenge, spam_settings
from service.routes import requests
from service.routes.requests import SiteSlug

_NO_STORE = {"cache-control": "no-store"}


@get("/v1/sites/{site:str}/ticket", guards=[of_site], tags=["readers"])
async def read_ticket(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.FormTicket]:
    """Get a ticket when the form opens; sent with the comment, it says how long the writing took."""
    context, found, _ = requests.visited(request)
    return Response(challenge.new_ticket(context, found), headers=_NO_STORE)


@get("/v1/sites/{site:str}/challenge", guards=[of_site], tags=["readers"])
async def read_challenge(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.ChallengeView]:
    """Get a puzzle (ALTCHA) for one comment, to solve before it is asked for."""
    context, found, _ = requests.visited(request)
    return Response(schemas.ChallengeView(challenge.new_challenge(context, found)), headers=_NO_STORE)


@get("/v1/admin/sites/{site:str}/spam", guards=[requires_admin], tags=["admin"])
async def read_spam(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.SpamView:
    """Read what the site does against spam."""
    context, found, _ = requests.visited(request)
    return await spam_settings.read_spam(context, found)


@put("/v1/admin/sites/{site:str}/spam", guards=[requires_admin], tags=["admin"])
async def set_spam(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.SpamInput],
) -> schemas.SpamView:
    """Put settings against spam in force as a whole: what is left out has its default."""
    context, found, visit = requests.visited(request)
    return await spam_settings.set_spam(context, found, requests.as_member(visit).actor, data)


HANDLERS = [read_ticket, read_challenge, read_spam, set_spam]
