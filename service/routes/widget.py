"""The widget that publishers embed: a small module, and its parts under the name of their build, kept for good."""

from __future__ import annotations

import hashlib
import zlib
from functools import lru_cache
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromPath

from service.access import open_to_all
from service.errors import Problem
from service.routes.pages import STATIC
from service.routes.squeeze import joined, shortened_script
from service.routes.threads import matches

FOLDER: Final = STATIC / "widget"
ENTRY: Final = "widget.js"
LANGUAGES: Final = ("en", "de", "fr", "es", "ar")
#: What is served: joined from the modules of the folder, which are not served one by one.
NAMES: Final = (ENTRY, "thread.js", *(f"{language}.js" for language in LANGUAGES))
#: Properties of the widget's own objects, which neither a browser nor the API knows; served under short names.
INNER: Final = frozenset((
    "takeAway", "setThread", "errorText", "fetchOne", "keepAll", "memory", "whoAmI", "readOwn", "isMine", "likeWord",
    "nameOf", "linkTo", "identify", "bearer", "outcome", "settle", "nodes", "flushing", "retrying", "asking", "ending",
    "redraw", "tries", "mine",
))  # fmt: skip
_BUILD: Final = "BUILD"
_HEADERS: Final = {
    # The widget runs on publishers' pages; there is nothing of a person in it.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "vary": "Accept-Encoding",
}
_AN_HOUR: Final = "public, max-age=3600, stale-while-revalidate=86400"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class _File(NamedTuple):
    body: bytes
    packed: bytes
    etag: str


def _gzipped(body: bytes, memory: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, memory)
    return packer.compress(body) + packer.flush()


def _packed(text: str) -> _File:
    body = text.encode()
    # How much of it makes a block decides the size, one way or the other.
    packed = min((_gzipped(body, memory) for memory in range(5, 10)), key=len)
    return _File(body, packed, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


@lru_cache(maxsize=8)
def _built(_changed_ns: int) -> tuple[str, dict[str, _File]]:
    texts = {name: shortened_script(joined(FOLDER / name), INNER) for name in NAMES}
    build = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:10]
    texts[ENTRY] = texts[ENTRY].replace(_BUILD, build)
    return build, {name: _packed(text) for name, text in texts.items()}


def built() -> tuple[str, dict[str, _File]]:
    """Answer the name of the build and its files as they are served; made anew when a source changed."""
    return _built(max(path.stat().st_mtime_ns for path in FOLDER.iterdir()))


def _answer(request: Request[Any, Any, Any], file: _File, kept: str) -> Response[bytes | None]:
    headers = {**_HEADERS, "etag": file.etag, "cache-control": kept}
    if matches(request.headers.get("if-none-match"), file.etag):
        return Response(None, status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type="text/javascript", headers={**headers, "content-encoding": "gzip"})
    return Response(file.body, media_type="text/javascript", headers=headers)


@get("/widget.js", guards=[open_to_all], include_in_schema=False)
async def widget(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The module that a publisher's page names; it defines the elements and fetches the rest when it is needed."""
    return _answer(request, built()[1][ENTRY], _AN_HOUR)


@get("/widget/{name:path}", guards=[open_to_all], include_in_schema=False)
async def widget_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes | None]:
    """A part of the widget; under the name of another build the present one, so that all parts are of one."""
    build, files = built()
    asked, _, name = name.lstrip("/").rpartition("/")
    if name not in files or name == ENTRY or "/" in asked:
        raise Problem("route.unknown", "There is no such part of the widget.")
    return _answer(request, files[name], _FOR_GOOD if asked == build else "no-cache")


HANDLERS = [widget, widget_file]
