"""Our own pages: the demo article. Strict content policy, no third party."""

from __future__ import annotations

from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from service.access import open_to_all
from service.errors import Problem

STATIC = Path(__file__).parent.parent / "static"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}


def _file(name: str) -> Response[bytes]:
    path = STATIC / name
    media_type = _MEDIA_TYPES.get(path.suffix)
    # Names come from a closed set of segments, so that no name can climb out of the folder.
    if media_type is None or not path.is_file() or path.resolve().parent.parent != STATIC.resolve():
        raise Problem("route.unknown", "There is no such page.")
    return Response(path.read_bytes(), media_type=media_type, headers=_HEADERS)


@get("/", guards=[open_to_all], include_in_schema=False)
async def home() -> Redirect:
    """Lead a newcomer to the demo."""
    return Redirect("/demo", status_code=302)


@get("/demo", guards=[open_to_all], include_in_schema=False, sync_to_thread=False)
def demo() -> Response[bytes]:
    """The demo article with its thread and form."""
    return _file("demo/index.html")


@get("/demo/{name:str}", guards=[open_to_all], include_in_schema=False, sync_to_thread=False)
def demo_file(name: FromPath[str]) -> Response[bytes]:
    """A style or script of the demo."""
    return _file(f"demo/{name}")


HANDLERS = [home, demo, demo_file]
