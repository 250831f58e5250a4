"""Coral's external moderation phases: a receiver of their questions, and its settings for admins."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import JSONBody

from service import schemas
from service.access import of_coral, requires_admin
from service.errors import Problem
from service.flow import coral, manage_coral
from service.routes import problems, requests
from service.routes.answered_by import headers_of
from service.routes.problems import Outages
from service.routes.requests import SiteSlug

_SETTINGS: Final = "/v1/admin/sites/{site:str}/coral"
_NO_STORE: Final = {"cache-control": "no-store"}
#: Only these tell an admin at once that something is wrong with the URL; everything else must not publish a comment.
_TOLD: Final = frozenset({"site.unknown", "coral.off"})
_COUNTED: Final = {"auth.invalid": "unsigned", "request.too_large": "too_large"}

logger = logging.getLogger(__name__)


@dataclass
class CoralOperation(Operation):
    """An operation whose body is read by our hand, since a signature is of its very bytes."""

    def __post_init__(self) -> None:
        """Say what is in it."""
        schema = Reference(ref="#/components/schemas/CoralRequest")
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


def on_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer that the comment is held, whatever went wrong: Coral publishes what gets no answer of its kind."""
    if isinstance(error, Problem) and error.code in _TOLD:
        return problems.on_problem(request, error)
    code = _code_of(request, error)
    outages: Outages = request.app.state.setdefault("coral_outages", Outages())
    if outages.begins(code, time.monotonic()):
        logger.warning("a comment of Coral's is held unread", extra={"code": code})
    return _answered(coral.hold(_COUNTED.get(code, "failed")))


def _code_of(request: Request[Any, Any, Any], error: Exception) -> str:
    if isinstance(error, Problem):
        return error.code
    if isinstance(error, HTTPException):
        return "request.too_large" if error.status_code == 413 else "request.invalid"
    problems.on_unforeseen(request, error)
    return "internal"


def _answered(advice: coral.Advice) -> Response[schemas.CoralAnswer]:
    headers = dict(_NO_STORE)
    if (analysed := advice.analysed) is not None:
        headers |= headers_of([analysed])
    return Response(advice.answer, status_code=200, headers=headers)


@post(
    "/v1/sites/{site:str}/coral",
    guards=[of_coral],
    status_code=200,
    exception_handlers={Problem: on_problem, HTTPException: on_problem, Exception: on_problem},
    operation_class=CoralOperation,
    tags=["coral"],
)
async def moderate_for_coral(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.CoralAnswer]:
    """Answer a Coral what the site's policy makes of a comment; held whenever it cannot be told, nothing is kept."""
    context, found, _ = requests.visited(request)
    return _answered(await coral.advise(context, found, await request.body()))


@get(_SETTINGS, guards=[requires_admin], tags=["admin"])
async def read_coral(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.CoralView:
    """Read how a Coral asks this site; its secrets are never shown."""
    context, found, _ = requests.visited(request)
    return await manage_coral.read_coral(context, found)


@put(_SETTINGS, guards=[requires_admin], tags=["admin"])
async def set_coral(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.CoralInput],
) -> schemas.CoralView:
    """Say how a Coral asks this site; without `signing_secrets` those that are there stay."""
    context, found, visit = requests.visited(request)
    return await manage_coral.set_coral(context, found, requests.as_member(visit).actor, data)


@delete(_SETTINGS, guards=[requires_admin], tags=["admin"])
async def drop_coral(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> None:
    """Answer no Coral any more."""
    context, found, visit = requests.visited(request)
    await manage_coral.drop_coral(context, found, requests.as_member(visit).actor)


HANDLERS = [moderate_for_coral, read_coral, set_coral, drop_coral]
