"""Readers: pages of a thread, and counts."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import MediaType
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from service import schemas
from service.access import of_site
from service.flow import read
from service.flow.page_cache import PageCache
from service.routes import requests
from service.routes.lasting import answered
from service.routes.requests import After, Limit, PagePath, SiteSlug

#: 500 page keys of 512 characters in UTF-8, with their quotes and commas, are more than other bodies may have.
COUNTS_BODY_BYTES = 1_100_000
Replies = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=50,
        description="Descendants shown under each root; at most 500 / `limit`, so that a page holds 500 at most.",
    ),
]


@get(
    "/v1/sites/{site:str}/threads/{page:str}",
    guards=[of_site],
    responses={
        200: ResponseSpec(schemas.ThreadPage, description="A page of the thread", generate_examples=False),
        304: ResponseSpec(None, description="The page did not change", generate_examples=False),
    },
    tags=["readers"],
)
async def read_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    sort: Annotated[schemas.Sort, QueryParameter(description="Order of the roots.")] = "newest",
    limit: Limit = 20,
    replies: Replies = 3,
    after: After = None,
) -> Response[bytes | None]:
    """Read a page of a thread: roots in the order asked for, each with its first replies. Creates nothing."""
    context, found, _ = requests.visited(request)
    cache: PageCache = request.app.state.page_cache
    wanted = read.PageWanted(requests.page_key(page), sort, limit, replies, after)
    return answered(request, await read.thread_page(context, cache, found, wanted), MediaType.JSON)


@get(
    "/v1/sites/{site:str}/counts",
    guards=[of_site],
    responses={
        200: ResponseSpec(schemas.Counts, description="The counts", generate_examples=False),
        304: ResponseSpec(None, description="No count changed", generate_examples=False),
    },
    tags=["readers"],
)
async def read_counts(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: Annotated[list[str] | None, QueryParameter(description="A page key; repeat it for more.")] = None,
) -> Response[bytes | None]:
    """Count the published comments of up to 500 pages."""
    context, found, _ = requests.visited(request)
    return answered(request, await read.counts(context, found, requests.check_pages(page or [])), MediaType.JSON)


@post(
    "/v1/sites/{site:str}/counts",
    guards=[of_site],
    status_code=200,
    responses={200: ResponseSpec(schemas.Counts, description="The counts", generate_examples=False)},
    request_max_body_size=COUNTS_BODY_BYTES,
    opt={"kind": "read"},
    tags=["readers"],
)
async def read_many_counts(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.CountsInput],
) -> Response[bytes]:
    """Count the published comments of up to 500 pages whose keys are too long for a query."""
    context, found, _ = requests.visited(request)
    return Response((await read.counts(context, found, data.pages)).page.body, media_type=MediaType.JSON)


HANDLERS = [read_thread, read_counts, read_many_counts]
