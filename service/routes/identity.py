"""Who a commenter is: their own profile and tokens, what moderators see of them, and how the publisher signs."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post, put
from litestar.params import JSONBody, PathParameter

from service import schemas
from service.access import requires_admin, requires_author, requires_moderator
from service.flow import commenters, manage_identity
from service.routes import requests
from service.routes.requests import SiteSlug

CommenterId = Annotated[str, PathParameter(description="A commenter id.")]
_NO_STORE = {"cache-control": "no-store"}


@get("/v1/sites/{site:str}/me", guards=[requires_author], tags=["readers"])
async def read_me(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.Me]:
    """Read who one is here: name, badges, since when, and what became of the own comments."""
    context, found, visit = requests.visited(request)
    return Response(await commenters.me(context, found, requests.as_author(visit).commenter_id), headers=_NO_STORE)


@post("/v1/sites/{site:str}/mine/tokens", guards=[requires_author], status_code=201, tags=["readers"])
async def fresh_token(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.NewToken],
) -> Response[schemas.AuthorToken]:
    """Get a fresh author token as a guest, and end all others where that is wished."""
    context, found, visit = requests.visited(request)
    author = requests.as_author(visit)
    token = await commenters.fresh_token(context, found, author, end_others=data.end_others)
    return Response(token, headers=_NO_STORE)


@get("/v1/review/{site:str}/commenters/{commenter_id:str}", guards=[requires_moderator], tags=["review"])
async def read_commenter(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
) -> Response[schemas.CommenterProfile]:
    """Read a commenter's profile."""
    context, found, _ = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    return Response(await commenters.profile(context, found, commenter_id), headers=_NO_STORE)


@patch("/v1/review/{site:str}/commenters/{commenter_id:str}", guards=[requires_moderator], tags=["review"])
async def change_commenter(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    data: JSONBody[schemas.CommenterChange],
) -> Response[schemas.CommenterProfile]:
    """Mark a commenter as trusted, or no more."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    actor = requests.as_member(visit).actor
    return Response(await commenters.change(context, found, actor, commenter_id, data), headers=_NO_STORE)


@get("/v1/admin/sites/{site:str}/identity", guards=[requires_admin], tags=["admin"])
async def read_identity(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.IdentityView:
    """Read how the publisher signs its accounts' tokens; a secret is never shown."""
    context, found, _ = requests.visited(request)
    return await manage_identity.read_identity(context, found)


@put("/v1/admin/sites/{site:str}/identity", guards=[requires_admin], tags=["admin"])
async def set_identity(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.IdentityInput],
) -> schemas.IdentityView:
    """Put a publisher's signing in force; without a new secret the one that is there stays."""
    context, found, visit = requests.visited(request)
    return await manage_identity.set_identity(context, found, requests.as_member(visit).actor, data)


@delete("/v1/admin/sites/{site:str}/identity", guards=[requires_admin], tags=["admin"])
async def drop_identity(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> None:
    """Take no publisher's tokens any more."""
    context, found, visit = requests.visited(request)
    await manage_identity.drop_identity(context, found, requests.as_member(visit).actor)


HANDLERS = [read_me, fresh_token, read_commenter, change_commenter, read_identity, set_identity, drop_identity]
