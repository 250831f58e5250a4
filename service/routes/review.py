"""Moderators: the queue, claims, leases, decisions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post, put
from litestar.params import JSONBody, PathParameter

from service import schemas
from service.access import requires_admin, requires_moderator
from service.flow import decide, decide_many, decided, queue_depths, review, review_settings, reviewer, undo
from service.flow.reviewer import is_admin
from service.routes import requests
from service.routes.requests import CommentId, SiteSlug

ItemId = Annotated[str, PathParameter(description="A review item id.")]


@get("/v1/review/{site:str}/queue", guards=[requires_moderator], tags=["review"])
async def read_queue(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.QueueView:
    """Read how much waits, how much is claimed, and how old the oldest is."""
    context, found, visit = requests.visited(request)
    return await queue_depths.queue_of(context, found, is_admin=is_admin(requests.as_member(visit), found))


@post("/v1/review/{site:str}/claims", guards=[requires_moderator], status_code=200, tags=["review"])
async def claim_items(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.ClaimInput],
) -> schemas.Claimed:
    """Take items under a lease, with everything needed to decide them."""
    context, found, visit = requests.visited(request)
    return schemas.Claimed(await review.claim(context, found, requests.as_member(visit), data))


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


@post("/v1/review/{site:str}/items/{item_id:str}/skip", guards=[requires_moderator], status_code=204, tags=["review"])
async def skip_item(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    item_id: ItemId,
    data: JSONBody[schemas.LeaseInput],
) -> None:
    """Pass an item on: it is not offered to the caller again."""
    context, found, visit = requests.visited(request)
    item_id = requests.known_id(item_id, "item.unknown")
    await review.skip(context, found, requests.as_member(visit), item_id, lease=data.lease)


@post(
    "/v1/review/{site:str}/items/{item_id:str}/escalate", guards=[requires_moderator], status_code=204, tags=["review"]
)
async def escalate_item(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    item_id: ItemId,
    data: JSONBody[schemas.EscalateInput],
) -> None:
    """Hand an item to the site's admins."""
    context, found, visit = requests.visited(request)
    item_id = requests.known_id(item_id, "item.unknown")
    await review.escalate(context, found, requests.as_member(visit), item_id, lease=data.lease, note=data.note)


@post("/v1/review/{site:str}/decisions", guards=[requires_moderator], status_code=200, tags=["review"])
async def decide_items(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.DecideManyInput],
) -> schemas.DecidedMany:
    """Decide several claimed items alike, in one act; those that cannot be decided any more say why."""
    context, found, visit = requests.visited(request)
    return await decide_many.decide_many(context, found, requests.as_member(visit), data)


@post("/v1/review/{site:str}/acts/{act_id:str}/undo", guards=[requires_moderator], status_code=200, tags=["review"])
async def undo_act(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    act_id: Annotated[str, PathParameter(description="The act_id of a decision.")],
) -> schemas.Undone:
    """Take one's own act back while there is time: its comments stand where they stood, and wait again."""
    context, found, visit = requests.visited(request)
    act_id = requests.known_id(act_id, "undo.unknown")
    return await undo.undo(context, found, requests.as_member(visit), act_id)


@get("/v1/review/{site:str}/me", guards=[requires_moderator], tags=["review"])
async def read_reviewer(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.Reviewer:
    """Read who the caller is here, and as whom they write on the site."""
    context, found, visit = requests.visited(request)
    return await reviewer.me(context, found, requests.as_member(visit))


@put("/v1/review/{site:str}/me", guards=[requires_moderator], tags=["review"])
async def set_reviewer(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.ReviewerInput],
) -> schemas.Reviewer:
    """Say as whom one writes on the site: these comments are never offered, and not to be decided."""
    context, found, visit = requests.visited(request)
    return await reviewer.write_as(context, found, requests.as_member(visit), data.commenter_id)


@get("/v1/admin/sites/{site:str}/review", guards=[requires_admin], tags=["admin"])
async def read_review_settings(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.ReviewSettings:
    """Read how the site's comments are reviewed."""
    context, found, _ = requests.visited(request)
    return await review_settings.read_review_settings(context, found)


@put("/v1/admin/sites/{site:str}/review", guards=[requires_admin], tags=["admin"])
async def set_review_settings(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.ReviewSettings],
) -> schemas.ReviewSettings:
    """Put settings of review in force as a whole: what is left out has its default."""
    context, found, visit = requests.visited(request)
    return await review_settings.set_review_settings(context, found, requests.as_member(visit).actor, data)


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
    """Remove a published comment, approve it to answer its reports, or restore a removed or rejected one."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    return await decide.act_on(context, found, requests.as_member(visit), comment_id, data)


@get("/v1/review/{site:str}/comments/{comment_id:str}/decisions", guards=[requires_moderator], tags=["review"])
async def read_decisions(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> schemas.DecisionList:
    """Read every decision on a comment, with causes, and what was thought of it by who was asked blind."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    return await decided.history(context, found, requests.as_member(visit), comment_id)


HANDLERS = [
    read_queue,
    claim_items,
    renew_lease,
    release_item,
    skip_item,
    escalate_item,
    decide_item,
    decide_items,
    undo_act,
    act_on_comment,
    read_decisions,
    read_reviewer,
    set_reviewer,
    read_review_settings,
    set_review_settings,
]
