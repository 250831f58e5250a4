"""Moderators: restricting commenters and lifting that again."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody, PathParameter

from service import schemas
from service.access import requires_moderator
from service.flow import sanctions
from service.routes import requests
from service.routes.requests import SiteSlug

CommenterId = Annotated[str, PathParameter(description="A commenter id.")]
SanctionId = Annotated[str, PathParameter(description="A sanction id.")]
_NO_STORE = {"cache-control": "no-store"}


@get("/v1/review/{site:str}/commenters/{commenter_id:str}/sanctions", guards=[requires_moderator], tags=["review"])
async def list_sanctions(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
) -> Response[schemas.SanctionList]:
    """Read every sanction of a commenter, the newest first."""
    context, found, _ = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    return Response(await sanctions.listed(context, found, commenter_id), headers=_NO_STORE)


@post(
    "/v1/review/{site:str}/commenters/{commenter_id:str}/sanctions",
    guards=[requires_moderator],
    status_code=201,
    tags=["review"],
)
async def impose_sanction(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    data: JSONBody[schemas.SanctionInput],
) -> Response[schemas.SanctionView]:
    """Ban or suspend a commenter, or hold everything of theirs; `reject_hours` takes down what they wrote lately."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    answer = await sanctions.impose(context, found, requests.as_member(visit), commenter_id, data)
    return Response(answer, status_code=201, headers=_NO_STORE)


@post(
    "/v1/review/{site:str}/commenters/{commenter_id:str}/sanctions/{sanction_id:str}/lift",
    guards=[requires_moderator],
    status_code=200,
    tags=["review"],
)
async def lift_sanction(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    sanction_id: SanctionId,
    data: JSONBody[schemas.LiftInput],
) -> Response[schemas.SanctionView]:
    """Lift a sanction; `restore` brings back what its act took down, where nobody has decided since."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    sanction_id = requests.known_id(sanction_id, "sanction.unknown")
    member = requests.as_member(visit)
    answer = await sanctions.lift(context, found, member, commenter_id, sanction_id, restore=data.restore)
    return Response(answer, headers=_NO_STORE)


HANDLERS = [list_sanctions, impose_sanction, lift_sanction]
