"""Readers and commenters: submit, read one, edit, delete, the author's own."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, QueryParameter

from moderation.decision import Status
from service import schemas
from service.access import may_be_author, requires_author
from service.flow import edit, read, submit
from service.flow.manage_people import revoke_author_tokens
from service.flow.new_comment import Sent
from service.routes import requests
from service.routes.requests import After, CommentId, Limit, PagePath, Prefer, SiteSlug
from service.visits import network_hash_of

IdempotencyKey = Annotated[
    str | None, HeaderParameter(name="Idempotency-Key", description="A UUID; a retry under it changes nothing.")
]
_NO_STORE = {"cache-control": "no-store"}


@post(
    "/v1/sites/{site:str}/threads/{page:str}/comments",
    guards=[may_be_author],
    responses={
        201: ResponseSpec(schemas.SubmittedComment, description="Decided", generate_examples=False),
        202: ResponseSpec(schemas.SubmittedComment, description="Pending", generate_examples=False),
    },
    opt={"kind": "submit"},
    tags=["readers"],
)
async def submit_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    data: JSONBody[schemas.SubmitComment],
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[schemas.SubmittedComment]:
    """Submit a comment or a reply: 201 with its final status, or 202 while it is pending."""
    context, found, visit = requests.visited(request)
    wanted = submit.Request(
        page=requests.page_key(page),
        input=data,
        commenter=visit.commenter,
        from_allowed_origin=visit.cors_origin is not None,
        idempotency_key=requests.idempotency_key(idempotency_key),
        wait_seconds=requests.wait_seconds(prefer),
        sent=Sent(await network_hash_of(request), {}),
    )
    comment, token = await submit.submit(context, found, wanted)
    status = 202 if comment.status is Status.PENDING else 201
    headers = {**_NO_STORE, "location": f"/v1/sites/{found.slug}/comments/{comment.id}"}
    return Response(schemas.SubmittedComment(comment, token), status_code=status, headers=headers)


@get("/v1/sites/{site:str}/comments/{comment_id:str}", guards=[may_be_author], tags=["readers"])
async def read_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> Response[schemas.CommentWithAncestors]:
    """Read one comment with its ancestors; what readers may not see, only as its author or a moderator."""
    context, found, visit = requests.visited(request)
    answer = await read.comment(
        context,
        found,
        requests.known_id(comment_id, "comment.unknown"),
        commenter_id=visit.commenter.commenter_id if visit.commenter else None,
        is_moderator=visit.principal is not None and visit.principal.may("review", found.id),
    )
    return Response(answer, headers=_NO_STORE if visit.commenter or visit.principal else {"cache-control": "no-cache"})


@get("/v1/sites/{site:str}/comments/{comment_id:str}/replies", guards=[may_be_author], tags=["readers"])
async def read_replies(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
    after: After = None,
    limit: Limit = 20,
) -> schemas.CommentList:
    """Read on under a comment, in pre-order; a reply whose parent is not on this page stands at its top."""
    context, found, _ = requests.visited(request)
    return await read.replies(
        context, found, requests.known_id(comment_id, "comment.unknown"), after=after, limit=limit
    )


@patch("/v1/sites/{site:str}/comments/{comment_id:str}", guards=[requires_author], tags=["readers"])
async def edit_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
    data: JSONBody[schemas.EditComment],
    prefer: Prefer = None,
) -> Response[schemas.Comment]:
    """Change the own comment within the site's window; the new text is scored like the first."""
    context, found, visit = requests.visited(request)
    answer = await edit.edit(
        context,
        found,
        requests.as_author(visit),
        requests.known_id(comment_id, "comment.unknown"),
        data.body,
        wait_seconds=requests.wait_seconds(prefer),
        sent=Sent(await network_hash_of(request), {}),
        solution=data.challenge,
    )
    return Response(answer, headers=_NO_STORE)


@delete("/v1/sites/{site:str}/comments/{comment_id:str}", guards=[requires_author], tags=["readers"])
async def delete_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Delete the own comment; a tombstone stays where others answered."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await edit.delete(context, found, requests.as_author(visit), comment_id)


@get("/v1/sites/{site:str}/mine", guards=[requires_author], tags=["readers"])
async def read_mine(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: Annotated[str | None, QueryParameter(description="Only under this page key.")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response[schemas.CommentList]:
    """Read the own comments in every status, newest first, with the reasons."""
    context, found, visit = requests.visited(request)
    if page is not None:
        requests.check_pages([page])
    commenter_id = requests.as_author(visit).commenter_id
    answer = await read.mine(context, found, commenter_id, page=page, after=after, limit=limit)
    return Response(answer, headers=_NO_STORE)


@delete("/v1/sites/{site:str}/mine/tokens", guards=[requires_author], tags=["readers"])
async def sign_out_everywhere(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> None:
    """Make every token of the author useless, this one too."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.as_author(visit).commenter_id
    await revoke_author_tokens(context, found, commenter_id, commenter_id, kind="author")


HANDLERS = [
    submit_comment,
    read_comment,
    read_replies,
    edit_comment,
    delete_comment,
    read_mine,
    sign_out_everywhere,
]
