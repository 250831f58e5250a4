"""Moderators: the queue, claims, leases, decisions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.params import JSONBody, PathParameter

from service import schemas
from service.access import requires_moderator
from service.flow import decide, review
from service.routes import requests
from service.routes.requests import CommentId, SiteSlug

ItemId = Annotated[str, PathParameter(description="A review item id.")]


@get("/v1/review/{site:str}/queue", guards=[requires_moderator], tags=["review"])
async def read_queue(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.QueueView:
    """Read how much waits, how much is claimed, and how old the oldest is."""
    context, found, _ = requests.visited(request)
    return await review.queue_of(context, found)


@post("/v1/review/{site:str}/claims", guards=[requires_moderator], status_code=200, tags=["review"])
async def claim_items(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.ClaimInput],
) -> schemas.Claimed:
    """Take items under a lease, with everything needed to decide them."""
    context, found, visit = requests.visited(request)
    items = await review.claim(
        context, found, requests.as_member(visit), limit=data.limit, lease_seconds=data.lease_seconds
    )
    return schemas.Claimed(items)


@post("/v1/review/{site:str}/items/{item_id:str}/renew", guards=[requires_moderator], status_code=200, tags=["review"])
async def renew_lease(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    item_id: ItemId,
    data: JSONBody[schemas.RenewInput],
) -> schemas.Lease:
    """Prolong a lease that is still valid."""
    context, found, _ = requests.visited(request)
    item_id = requests.known_id(item_id, "item.unknown")
    return await review.renew(context, found, item_id, lease=data.lease, lease_seconds=data.lease_seconds)


@post(
    "/v1/review/{site:str}/items/{item_id:str}/release", guards=[requires_moderator], status_code=204, tags=["review"]
)
async def release_item(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    item_id: ItemId,
    data: JSONBody[schemas.LeaseInput],
) -> None:
    """Give an item back; it returns to its place in the queue."""
    context, found, _ = requests.visited(request)
    await review.release(context, found, requests.known_id(item_id, "item.unknown"), lease=data.lease)


@post(
    "/v1/review/{site:str}/items/{item_id:str}/decision", guards=[requires_moderator], status_code=200, tags=["review"]
)
async def decide_item(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    item_id: ItemId,
    data: JSONBody[schemas.DecideInput],
) -> schemas.Decided:
    """Approve or reject; a late or second decision is a 409, never an overwrite."""
    context, found, visit = requests.visited(request)
    item_id = requests.known_id(item_id, "item.unknown")
    return await decide.decide(context, found, requests.as_member(visit), item_id, data)


@post(
    "/v1/review/{site:str}/comments/{comment_id:str}/decision",
    guards=[requires_moderator],
    status_code=200,
    tags=["review"],
)
async def act_on_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
    data: JSONBody[schemas.ActInput],
) -> schemas.Decided:
    """Remove a published comment, or restore a removed or rejected one."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    return await decide.act(context, found, requests.as_member(visit), comment_id, data)


@get("/v1/review/{site:str}/comments/{comment_id:str}/decisions", guards=[requires_moderator], tags=["review"])
async def read_decisions(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> schemas.DecisionList:
    """Read every decision on a comment, with causes."""
    context, found, _ = requests.visited(request)
    return await decide.history(context, found, requests.known_id(comment_id, "comment.unknown"))


HANDLERS = [read_queue, claim_items, renew_lease, release_item, decide_item, act_on_comment, read_decisions]
