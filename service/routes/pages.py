"""Our own pages: the demo article where there is one. Strict content policy, no third party."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from service.access import open_to_all
from service.errors import Problem
from service.visits import Connection, context_of

DEMO_SITE = "demo"
STATIC = Path(__file__).parent.parent / "static"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}


def _file(name: str) -> Response[bytes]:
    path = STATIC / name
    media_type = _MEDIA_TYPES.get(path.suffix)
    # Names come from a closed set of segments, so that no name can climb out of the folder.
    if media_type is None or not path.is_file() or path.resolve().parent.parent != STATIC.resolve():
        raise Problem("route.unknown", "There is no such page.")
    return Response(path.read_bytes(), media_type=media_type, headers=PAGE_HEADERS)


async def _has_demo(request: Connection) -> bool:
    try:
        await context_of(request).directory.find(DEMO_SITE)
    except Problem as problem:
        if problem.code != "site.unknown":
            raise
        return False
    return True


async def _demo_file(request: Connection, name: str) -> Response[bytes]:
    if not await _has_demo(request):
        raise Problem("route.unknown", "This installation has no demo; `python -m service demo` makes one.")
    return _file(f"demo/{name}")


@get("/", guards=[open_to_all], include_in_schema=False)
async def home(request: Request[Any, Any, Any]) -> Response[Any]:
    """Lead a newcomer to the demo, or say what runs here where there is none."""
    if await _has_demo(request):
        return Redirect("/demo", status_code=302)
    return _file("home/index.html")


@get("/demo", guards=[open_to_all], include_in_schema=False)
async def demo(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The demo article with its thread and form."""
    return await _demo_file(request, "index.html")


@get("/demo/{name:str}", guards=[open_to_all], include_in_schema=False)
async def demo_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A style or script of the demo."""
    return await _demo_file(request, name)


HANDLERS = [home, demo, demo_file]
