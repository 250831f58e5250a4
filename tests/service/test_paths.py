"""A path is read in one way only: what could name another page than it says is refused."""

from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from service.app import create_litestar
from service.routes.edge import Edge
from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
THREADS = b"/v1/sites/test/threads/"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


async def get(service: Service, raw: bytes) -> httpx.Response:
    """Ask for a path as it is, byte by byte, which no client would send."""
    app = create_litestar(service.context.settings, service.context)
    edge = Edge(app, lambda: service.context, service.context.settings)

    async def as_sent(scope: Any, receive: Any, send: Any) -> None:
        scope |= {"raw_path": raw, "path": unquote(raw.decode("utf-8", "replace"))}
        await edge(scope, receive, send)

    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app=as_sent)) as client:
        return await client.get("http://test/")


@pytest.mark.parametrize(
    "raw",
    [
        b"/v1/sites/test/thr%65ads/%2541",
        b"/v1/sites/test%2Fthreads/%2541",
        b"/%761/sites/test/threads/%2541",
        b"//v1/sites/test/threads/%2541",
        THREADS + b"/counts",
        THREADS + b"page//",
        b"/v1/sites//test/threads/page",
        b"/v1//sites/test/counts",
        b"/v1/sites/test%2F/threads/page",
        b"/v1/admin/sites/test/thr%65ads/%2541",
    ],
)
async def test_a_page_that_can_be_read_twice_is_refused(service: Service, raw: bytes) -> None:
    """Encoded letters of the route, and empty segments, lead to no page."""
    problem(await get(service, raw), "route.unknown")


async def test_raw_bytes_are_no_path(service: Service) -> None:
    """Bytes that are not ASCII would all become one replacement character, so they must be percent-encoded."""
    for page in (b"caf\xe9", "café".encode(), b"\xff", b"page/\xe9"):
        assert fields(await get(service, THREADS + page)) == {"path"}


@pytest.mark.parametrize(
    ("raw", "page"),
    [
        (b"https%3A%2F%2Fnews.example%2Fa%2F%2Fb", "https://news.example/a//b"),
        (b"caf%C3%A9", "café"),
        (b"%2541", "%41"),
        (b"%2E%2E", ".."),
        (b"%2Fcounts", "/counts"),
        (b"page", "page"),
    ],
)
async def test_a_page_is_decoded_once(service: Service, raw: bytes, page: str) -> None:
    """Whole URLs, other scripts, percent signs and dots name the page that they spell."""
    answer = await get(service, THREADS + raw)
    assert answer.json()["thread"]["page"] == page
