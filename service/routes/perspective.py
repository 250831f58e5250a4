"""The Perspective API's methods at their own paths: a client changes one URL and goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from litestar import Request, Response, delete, get, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import QueryParameter

from service.access import open_to_all, requires_admin, requires_analyze, take_more
from service.errors import Problem
from service.flow import perspective
from service.flow.analyse import WITHIN_SECONDS
from service.flow.perspective_discovery import VERSION, discovery
from service.flow.perspective_request import read
from service.routes import requests
from service.routes.answered_by import headers_of
from service.routes.requests import SiteSlug, decode_json
from service.schemas.perspective import (
    TOKEN_CHARACTERS,
    AnalyzeAnswer,
    AnalyzeRequest,
    Forgotten,
    SuggestAnswer,
    SuggestRequest,
)
from service.visits import context_of, seconds_since

#: A text of the longest size with every character escaped, and as much again around it.
MOST_BODY_BYTES: Final = 262_144
_NO_STORE: Final = {"cache-control": "no-store"}
_FOR_AN_HOUR: Final = {"cache-control": "public, max-age=3600"}

ScaleName = Annotated[
    str | None, QueryParameter(name="scale", description="`perspective` or `probability`; else the key's own.")
]
Version = Annotated[str | None, QueryParameter(name="version", description="`v1alpha1`, which is all there is.")]
ClientToken = Annotated[
    str,
    QueryParameter(
        name="client_token", min_length=1, max_length=TOKEN_CHARACTERS, description="The client's own id of a text."
    ),
]


@dataclass
class AnalyzeOperation(Operation):
    """A body that is read by our own hand, since both styles of names are taken."""

    struct = AnalyzeRequest

    def __post_init__(self) -> None:
        """Say what is in it."""
        schema = Reference(ref=f"#/components/schemas/{self.struct.__name__}")
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


@dataclass
class SuggestOperation(AnalyzeOperation):
    """The same of a suggestion."""

    struct = SuggestRequest  # type: ignore[assignment]


@post(
    "/v1alpha1/comments:analyze",
    guards=[requires_analyze],
    status_code=200,
    operation_class=AnalyzeOperation,
    request_max_body_size=MOST_BODY_BYTES,
    tags=["perspective"],
)
async def analyze_comment(request: Request[Any, Any, Any], scale: ScaleName = None) -> Response[AnalyzeAnswer]:
    """Score a text; nothing of it is kept. Errors are in Google's shape."""
    context, site, visit = requests.visited(request)
    on = perspective.scale_of(scale, requests.as_member(visit))
    # How long a body is on its way is the client's time, not ours: one with a slow line would be refused for ever.
    left = WITHIN_SECONDS - seconds_since(visit)
    body = await request.body()
    deadline = time.monotonic() + left
    wanted = read(decode_json(body), AnalyzeRequest)
    answered = await perspective.analyze(
        context, site, wanted, on,
        within_seconds=deadline - time.monotonic(), take_more=partial(take_more, request),
    )  # fmt: skip
    return Response(answered.answer, headers=_NO_STORE | headers_of([answered.by] if answered.by else []))


@post(
    "/v1alpha1/comments:suggestscore",
    guards=[requires_analyze],
    status_code=200,
    operation_class=SuggestOperation,
    request_max_body_size=MOST_BODY_BYTES,
    tags=["perspective"],
)
async def suggest_score(request: Request[Any, Any, Any]) -> Response[SuggestAnswer]:
    """Say what a text should have scored: a label, by which scores are calibrated. Errors are in Google's shape."""
    context, site, visit = requests.visited(request)
    wanted = read(decode_json(await request.body()), SuggestRequest)
    return Response(await perspective.suggest(context, site, requests.as_member(visit), wanted), headers=_NO_STORE)


@get("/$discovery/rest", guards=[open_to_all], tags=["perspective"])
async def read_discovery(request: Request[Any, Any, Any], version: Version = None) -> Response[dict[str, Any]]:
    """Read the methods as Google's clients discover them; the addresses in it are ours."""
    if version not in (None, VERSION):
        raise Problem("route.unknown", f"Only the version {VERSION} is here.")
    return Response(discovery(context_of(request).settings.url), headers=_FOR_AN_HOUR)


@delete("/v1/admin/sites/{site:str}/suggested-scores", guards=[requires_admin], status_code=200, tags=["admin"])
async def forget_suggestions(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    client_token: ClientToken,
) -> Forgotten:
    """Delete the labels of one text, by the id that the client sent with them."""
    context, found, _ = requests.visited(request)
    token = requests.plain("client_token", client_token) or ""
    return Forgotten(await perspective.forget(context, found, token))


HANDLERS = [analyze_comment, suggest_score, read_discovery, forget_suggestions]
