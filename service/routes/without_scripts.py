"""Readers without scripts, and search engines: a thread as HTML, feeds."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from litestar import Request, Response, get
from litestar.enums import MediaType
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from service import schemas
from service.access import of_site
from service.coded import matches
from service.flow import feed, fragment, reader_page
from service.flow.page_cache import Rendered
from service.flow.reader_words import Language
from service.routes import requests
from service.routes.lasting import answered
from service.routes.requests import After, PagePath, SiteSlug

Lang = Annotated[
    Language | None, QueryParameter(description="The language of our own words on the page; English without.")
]
_NOT_MODIFIED: Final = ResponseSpec(None, description="The page did not change", generate_examples=False)
_DEPENDS: Final = "Accept, Sec-Fetch-Dest"
_HTML: Final = {
    200: ResponseSpec(str, description="HTML", media_type=MediaType.HTML, generate_examples=False),
    304: _NOT_MODIFIED,
}
_ATOM: Final = {
    200: ResponseSpec(str, description="Atom", media_type=feed.MEDIA_TYPE, generate_examples=False),
    304: _NOT_MODIFIED,
}


@get(
    "/v1/sites/{site:str}/threads/{page:str}/fragment",
    guards=[of_site],
    responses=_HTML,
    media_type=MediaType.HTML,
    tags=["readers"],
)
async def read_fragment(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    sort: Annotated[schemas.Sort, QueryParameter(description="Order of the roots.")] = "newest",
    after: After = None,
    lang: Lang = None,
    under: Annotated[str | None, QueryParameter(description="Only this comment and what hangs under it.")] = None,
    whole: Annotated[
        Literal["1"] | None, QueryParameter(name="page", description="`1`: as a page of its own, with a style.")
    ] = None,
) -> Response[bytes | None] | Response[bytes]:
    """Read a thread as HTML: to be put into an article's page, or, where a browser goes to it, as a page of its own."""
    context, found, _ = requests.visited(request)
    key, is_whole = requests.page_key(page), whole is not None or under is not None or _is_gone_to(request)
    look = fragment.Look(is_whole, sort, after, lang)
    if under is not None:
        comment_id = requests.known_id(under, "comment.unknown")
        rendered = await fragment.read_under(context, found, key, comment_id, look)
        return _answered(request, rendered, MediaType.HTML, {"vary": _DEPENDS, **reader_page.headers_of(found)})
    shown = await fragment.read_fragment(context, request.app.state.page_cache, found, key, look)
    more = reader_page.headers_of(found) if is_whole else {}
    varies = ("Accept", "Sec-Fetch-Dest")
    return answered(
        request, shown, MediaType.HTML, more,
        varies=varies, apart=frozenset({b"sec-fetch-dest"}), for_caches=False,
    )  # fmt: skip


def _is_gone_to(request: Request[Any, Any, Any]) -> bool:
    """Answer whether a browser shows this as a page, rather than a script or another server asking for a part."""
    wants = "text/html" in request.headers.get("accept", "")
    return wants and request.headers.get("sec-fetch-dest") == "document"


@get(
    "/v1/sites/{site:str}/threads/{page:str}/feed",
    guards=[of_site],
    responses=_ATOM,
    media_type=feed.MEDIA_TYPE,
    tags=["readers"],
)
async def read_thread_feed(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    lang: Lang = None,
) -> Response[bytes]:
    """Read the newest comments of a thread as an Atom feed."""
    context, found, _ = requests.visited(request)
    return _answered(request, await feed.thread_feed(context, found, requests.page_key(page), lang), feed.MEDIA_TYPE)


@get("/v1/sites/{site:str}/feed", guards=[of_site], responses=_ATOM, media_type=feed.MEDIA_TYPE, tags=["readers"])
async def read_site_feed(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    lang: Lang = None,
) -> Response[bytes]:
    """Read the newest comments of all threads of a site as an Atom feed."""
    context, found, _ = requests.visited(request)
    return _answered(request, await feed.site_feed(context, found, lang), feed.MEDIA_TYPE)


def _answered(
    request: Request[Any, Any, Any], rendered: Rendered, media_type: str, more: dict[str, str] | None = None
) -> Response[bytes]:
    headers = {"etag": rendered.etag, "cache-control": "no-cache", **(more or {})}
    if matches(request.headers.get("if-none-match"), rendered.etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(rendered.body, media_type=media_type, headers=headers)


HANDLERS = [read_fragment, read_thread_feed, read_site_feed]
