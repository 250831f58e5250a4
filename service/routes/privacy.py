"""What is kept of people and acts: the audit record, exports, erasure, retention."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Response, delete, get, put
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from service import schemas
from service.access import requires_admin, requires_author
from service.errors import Problem
from service.flow import erase, export_commenter, read_audit, retention
from service.routes import requests
from service.routes.requests import Limit, SiteSlug
from service.schemas.privacy import AuditChoices, NamedEvents

_NO_STORE = {"cache-control": "no-store"}
CommenterId = Annotated[str, PathParameter(description="A commenter id.")]
ActionIs = Annotated[
    str | None,
    QueryParameter(max_length=60, description="Only this action, as `policy.changed`, or all that begin so, `policy`."),
]
ActorIs = Annotated[
    str | None,
    QueryParameter(max_length=80, description="Only what this one did: an id, its beginning, or a part of a name."),
]
SubjectIs = Annotated[str | None, QueryParameter(max_length=600, description="Only what was done to this.")]
EventId = Annotated[str | None, QueryParameter(description="The cursor that the page before gave.")]


@get("/v1/admin/sites/{site:str}/audit", guards=[requires_admin], tags=["admin"])
async def read_events(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    after: EventId = None,
    limit: Limit = 50,
    action: ActionIs = None,
    actor: ActorIs = None,
    subject: SubjectIs = None,
) -> Response[NamedEvents]:
    """Read who did what on the site, the newest first; each event is chained to the one before it."""
    context, found, _ = requests.visited(request)
    given = {"action": action, "actor": actor, "subject": subject}
    only = {name: requests.plain(name, value) for name, value in given.items()}
    answer = await read_audit.listed(context, found, after=_event_id(after), limit=limit, only=only)
    return Response(answer, headers=_NO_STORE)


@get("/v1/admin/sites/{site:str}/audit/choices", guards=[requires_admin], tags=["admin"])
async def read_audit_choices(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[AuditChoices]:
    """Read to what the record can be narrowed: who acted lately or may act, by name, and which acts there were."""
    context, found, _ = requests.visited(request)
    return Response(await read_audit.choices(context, found), headers=_NO_STORE)


@get("/v1/sites/{site:str}/mine/export", guards=[requires_author], tags=["readers"], opt={"kind": "change"})
async def export_mine(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Stream:
    """Get everything kept on the author as JSON; it is whole when it ends with `complete`."""
    context, found, visit = requests.visited(request)
    me = requests.as_author(visit).commenter_id
    return _download(await export_commenter.begin(context, found, me, me, kind="author"))


@get("/v1/admin/sites/{site:str}/commenters/{commenter_id:str}/export", guards=[requires_admin], tags=["admin"])
async def export_of_commenter(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
) -> Stream:
    """Get everything kept on a commenter as JSON; it is whole when it ends with `complete`."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    actor = requests.as_member(visit).actor
    return _download(await export_commenter.begin(context, found, commenter_id, actor))


def _download(pieces: AsyncIterator[bytes]) -> Stream:
    headers = {**_NO_STORE, "content-disposition": 'attachment; filename="commenter.json"'}
    return Stream(pieces, media_type="application/json", headers=headers)


@delete("/v1/sites/{site:str}/me", guards=[requires_author], status_code=200, tags=["readers"])
async def erase_me(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.EraseMe],
) -> Response[schemas.Erasure]:
    """Erase the author: name, tokens and what readers do not see at once; what they see as the mode says."""
    context, found, visit = requests.visited(request)
    me = requests.as_author(visit).commenter_id
    return Response(await erase.erase(context, found, me, me, mode=data.mode, kind="author"), headers=_NO_STORE)


@delete(
    "/v1/admin/sites/{site:str}/commenters/{commenter_id:str}",
    guards=[requires_admin],
    status_code=200,
    tags=["admin"],
)
async def erase_commenter(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    data: JSONBody[schemas.EraseCommenter],
) -> Response[schemas.Erasure]:
    """Erase a commenter who asked for it; asking again does what is left, and is no error."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    actor = requests.as_member(visit).actor
    return Response(await erase.erase(context, found, commenter_id, actor, mode=data.mode), headers=_NO_STORE)


@get("/v1/admin/sites/{site:str}/retention", guards=[requires_admin], tags=["admin"])
async def read_retention(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.RetentionView]:
    """Read for how long the site keeps things, and when that was last applied."""
    context, found, _ = requests.visited(request)
    return Response(await retention.read_retention(context, found), headers=_NO_STORE)


@put("/v1/admin/sites/{site:str}/retention", guards=[requires_admin], tags=["admin"])
async def set_retention(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.Retention],
) -> Response[schemas.RetentionView]:
    """Put a retention in force as a whole: what is left out has its default."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return Response(await retention.set_retention(context, found, actor, data), headers=_NO_STORE)


def _event_id(after: str | None) -> str | None:
    if after is None:
        return None
    try:
        return requests.known_id(after, "request.invalid")
    except Problem:
        detail = "The cursor is not one of this list's."
        raise Problem("request.invalid", detail, fields=[("after", "not a cursor of this list")]) from None


HANDLERS = [
    read_events,
    read_audit_choices,
    export_mine,
    export_of_commenter,
    erase_me,
    erase_commenter,
    read_retention,
    set_retention,
]
