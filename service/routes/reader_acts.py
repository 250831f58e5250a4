"""Beside reading and writing: what a widget asks of a site, likes, previews, and what moderators feature and pin."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from service import schemas
from service.access import may_be_author, of_site, requires_author, requires_moderator
from service.flow import embed, pick, react, sanitise, second_thoughts
from service.routes import requests
from service.routes.requests import CommentId, PagePath, SiteSlug

_NO_STORE = {"cache-control": "no-store"}
_FOR_A_MINUTE = {"cache-control": "public, max-age=60"}
_REACTION = "/v1/sites/{site:str}/comments/{comment_id:str}/reaction"
_REVIEWED = "/v1/review/{site:str}/comments/{comment_id:str}"


@get("/v1/sites/{site:str}/embed", guards=[of_site], tags=["readers"])
async def read_embed(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.EmbedView]:
    """Read what a widget must know of the site before anybody writes."""
    context, found, _ = requests.visited(request)
    return Response(embed.embed(context, found), headers=_FOR_A_MINUTE)


@post("/v1/sites/{site:str}/preview", guards=[of_site], status_code=200, opt={"kind": "read"}, tags=["readers"])
async def preview_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.PreviewInput],
) -> Response[schemas.Previewed]:
    """See what would be shown of a text; nothing of it is kept."""
    requests.visited(request)
    return Response(schemas.Previewed(sanitise.to_html(data.body)), headers=_NO_STORE)


@post(
    "/v1/sites/{site:str}/second-thoughts",
    guards=[may_be_author],
    status_code=200,
    opt={"kind": "second_thoughts"},
    tags=["readers"],
)
async def think_again(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.UnsentText],
) -> Response[schemas.SecondThoughts]:
    """Ask before sending whether a text would not be published for its words; answered within 1.5 s, nothing kept."""
    context, found, visit = requests.visited(request)
    if data.page is not None:
        requests.check_pages([data.page])
    return Response(await second_thoughts.second_thoughts(context, found, visit.commenter, data), headers=_NO_STORE)


@get("/v1/sites/{site:str}/threads/{page:str}/own", guards=[requires_author], tags=["readers"])
async def read_own(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
) -> Response[schemas.OwnView]:
    """Read what others do not see of the own comments in a thread, and which comments one likes."""
    context, found, visit = requests.visited(request)
    answer = await embed.own(context, found, requests.as_author(visit), requests.page_key(page))
    return Response(answer, headers=_NO_STORE)


@put(
    _REACTION,
    guards=[may_be_author],
    status_code=201,
    responses={201: ResponseSpec(schemas.Liked, description="Liked", generate_examples=False)},
    opt={"kind": "reaction"},
    tags=["readers"],
)
async def like_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> Response[schemas.Liked]:
    """Like a comment; once more is the same and counted once."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    return Response(await react.like(context, found, visit.commenter, comment_id), headers=_NO_STORE)


@delete(_REACTION, guards=[requires_author], opt={"kind": "reaction"}, tags=["readers"])
async def unlike_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Like a comment no more."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await react.take_back(context, found, requests.as_author(visit), comment_id)


@put(f"{_REVIEWED}/featured", guards=[requires_moderator], status_code=204, tags=["review"])
async def feature_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Feature a published comment: readers see that it was picked."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await pick.pick(context, found, requests.as_member(visit), comment_id, "featured")


@delete(f"{_REVIEWED}/featured", guards=[requires_moderator], tags=["review"])
async def unfeature_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Feature a comment no more."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await pick.unpick(context, found, requests.as_member(visit), comment_id, "featured")


@put(f"{_REVIEWED}/pinned", guards=[requires_moderator], status_code=204, tags=["review"])
async def pin_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Pin a published root above its thread, where there is room."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await pick.pick(context, found, requests.as_member(visit), comment_id, "pinned")


@delete(f"{_REVIEWED}/pinned", guards=[requires_moderator], tags=["review"])
async def unpin_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> None:
    """Pin a comment no more."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    await pick.unpick(context, found, requests.as_member(visit), comment_id, "pinned")


HANDLERS = [
    read_embed,
    preview_comment,
    think_again,
    read_own,
    like_comment,
    unlike_comment,
    feature_comment,
    unfeature_comment,
    pin_comment,
    unpin_comment,
]
