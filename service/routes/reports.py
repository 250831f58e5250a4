"""Reports by readers, appeals by authors, and the statement of reasons."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter

from service import schemas
from service.access import may_be_author, requires_author, requires_moderator
from service.errors import Problem
from service.flow import appeal, read_reports, report, statement
from service.routes import requests
from service.routes.requests import CommentId, Limit, SiteSlug
from service.visits import network_of_client

ReportId = Annotated[str, PathParameter(description="A report id.")]
AppealId = Annotated[str, PathParameter(description="An appeal id.")]
Token = Annotated[str | None, HeaderParameter(name="X-Report-Token", description="The token that the report gave.")]
OfState = Annotated[schemas.State | None, QueryParameter(name="state", description="Only the open, or closed, ones.")]
IsAsked = Annotated[
    bool | None, QueryParameter(description="Only open ones that a review item asks about, or, false, that none does.")
]
AfterId = Annotated[str | None, QueryParameter(description="`next` of the page before.")]
_NO_STORE = {"cache-control": "no-store"}


@post(
    "/v1/sites/{site:str}/comments/{comment_id:str}/reports",
    guards=[may_be_author],
    opt={"kind": "report"},
    responses={
        200: ResponseSpec(schemas.Reported, description="Reported before", generate_examples=False),
        201: ResponseSpec(schemas.Reported, description="Reported", generate_examples=False),
    },
    tags=["readers"],
)
async def report_comment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
    data: JSONBody[schemas.ReportInput],
) -> Response[schemas.Reported]:
    """Say what is wrong with a published comment; who says it again is answered the first report, with 200."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    by = report.Reporter(visit.commenter, network_of_client(request))
    answer, is_new = await report.report(context, found, by, comment_id, data)
    headers = {**_NO_STORE, "location": f"/v1/sites/{found.slug}/reports/{answer.id}"}
    return Response(answer, status_code=201 if is_new else 200, headers=headers)


@get("/v1/sites/{site:str}/reports/{report_id:str}", guards=[may_be_author], tags=["readers"])
async def read_report(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    report_id: ReportId,
    token: Token = None,
) -> Response[schemas.ReportView]:
    """Read what came of the own report."""
    context, found, visit = requests.visited(request)
    report_id = requests.known_id(report_id, "report.unknown")
    answer = await read_reports.read_own(context, found, visit.commenter, report_id, token)
    return Response(answer, headers=_NO_STORE)


@post(
    "/v1/sites/{site:str}/comments/{comment_id:str}/appeals",
    guards=[requires_author],
    status_code=201,
    tags=["readers"],
)
async def appeal_decision(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
    data: JSONBody[schemas.AppealInput],
) -> Response[schemas.AppealView]:
    """Ask that somebody looks again at the decision that restricts the own comment, or refused its edit."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    answer = await appeal.open_(context, found, requests.as_author(visit), comment_id, data)
    headers = {**_NO_STORE, "location": f"/v1/sites/{found.slug}/appeals/{answer.id}"}
    return Response(answer, status_code=201, headers=headers)


@get("/v1/sites/{site:str}/appeals/{appeal_id:str}", guards=[requires_author], tags=["readers"])
async def read_appeal(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    appeal_id: AppealId,
) -> Response[schemas.AppealView]:
    """Read the own appeal and its answer."""
    context, found, visit = requests.visited(request)
    appeal_id = requests.known_id(appeal_id, "appeal.unknown")
    return Response(await appeal.read_own(context, found, requests.as_author(visit), appeal_id), headers=_NO_STORE)


@get("/v1/sites/{site:str}/comments/{comment_id:str}/statement", guards=[requires_author], tags=["readers"])
async def read_statement(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> Response[schemas.Statement]:
    """Read why the own comment, or its edit, is not shown: what, why, by machine or person, and how to appeal."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    answer = await statement.statement(context, found, requests.as_author(visit), comment_id)
    return Response(answer, headers=_NO_STORE)


@get("/v1/review/{site:str}/reports", guards=[requires_moderator], tags=["review"])
async def list_reports(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    of_state: OfState = None,
    asked: IsAsked = None,
    after: AfterId = None,
    limit: Limit = 50,
) -> Response[schemas.ReportList]:
    """Read what readers reported, the newest first, with the comments that it is about."""
    context, found, _ = requests.visited(request)
    answer = await read_reports.listed(context, found, state=of_state, asked=asked, after=_cursor(after), limit=limit)
    return Response(answer, headers=_NO_STORE)


@get("/v1/review/{site:str}/appeals", guards=[requires_moderator], tags=["review"])
async def list_appeals(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    of_state: OfState = None,
    after: AfterId = None,
    limit: Limit = 50,
) -> Response[schemas.AppealList]:
    """Read the appeals of authors, the newest first."""
    context, found, _ = requests.visited(request)
    answer = await appeal.listed(context, found, state=of_state, after=_cursor(after), limit=limit)
    return Response(answer, headers=_NO_STORE)


def _cursor(after: str | None) -> str | None:
    if after is None:
        return None
    try:
        return requests.known_id(after, "request.invalid")
    except Problem:
        detail = "The cursor is not one of this list's."
        raise Problem("request.invalid", detail, fields=[("after", "not a cursor of this list")]) from None


HANDLERS = [
    report_comment,
    read_report,
    appeal_decision,
    read_appeal,
    read_statement,
    list_reports,
    list_appeals,
]
