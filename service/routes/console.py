"""The moderators' console: files of a closed list, compressed once, asked for again only when they changed."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromPath

from service import schemas
from service.access import open_to_all, requires_moderator
from service.errors import Problem
from service.flow import desk
from service.routes import requests
from service.routes.pages import PAGE_HEADERS, STATIC
from service.routes.requests import SiteSlug

FOLDER = STATIC / "console"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# Comments that fill whole lines; one that stands behind code stays where it is.
_LINE_COMMENT = re.compile(r"^//.*$", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^/\*(?:(?!\*/)[\s\S])*\*/$", re.MULTILINE)
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
# Around plus and minus a space may tell `a - -b` from `a--b`, before the colon of a style `a :is(b)` from `a:is(b)`.
_BESIDE_SIGNS = {".js": re.compile(r" ?([=<>(){}\[\],;:?!&|*%]) ?"), ".css": re.compile(r" ?([{},;]) ?|(:) ")}
# What these begin in a script, which a look at one line cannot tell apart: templates, expressions, comments.
_UNSURE = frozenset("`'/")


class _File(NamedTuple):
    body: bytes
    packed: bytes
    etag: str
    media_type: str


def squeezed(path: Path) -> str:
    """Answer a file without indentation, whole-line comments and needless spaces; every line keeps its number."""
    text = "\n".join(line.strip() for line in path.read_text().split("\n"))
    text = _BLOCK_COMMENT.sub(lambda found: "\n" * found.group().count("\n"), text)
    text = _LINE_COMMENT.sub("", text)
    signs = _BESIDE_SIGNS.get(path.suffix)
    return text if signs is None else "\n".join(_tightened(line, signs, path.suffix) for line in text.split("\n"))


def _tightened(line: str, signs: re.Pattern[str], suffix: str) -> str:
    # Every other part is a string, which stays as it is.
    parts = _STRING.split(line)
    if suffix == ".js" and any(_UNSURE & {*part} for part in parts[::2]):
        return line
    parts[::2] = [signs.sub(lambda found: found.group().strip(), part) for part in parts[::2]]
    return "".join(parts)


@lru_cache(maxsize=256)
def _packed(path: Path, _changed_ns: int) -> _File:
    body = squeezed(path).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return _File(body, gzip.compress(body, 9, mtime=0), etag, _MEDIA_TYPES[path.suffix])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    # A closed list, so that no name can climb out of the folder.
    files = (path for path in FOLDER.rglob("*") if path.suffix in _MEDIA_TYPES)
    return frozenset(path.relative_to(FOLDER).as_posix() for path in files)


def _answer(request: Request[Any, Any, Any], name: str) -> Response[bytes | None]:
    if name not in _names():
        raise Problem("route.unknown", "There is no such page.")
    path = FOLDER / name
    file = _packed(path, path.stat().st_mtime_ns)
    headers = {**PAGE_HEADERS, "etag": file.etag, "vary": "Accept-Encoding"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if file.etag in known:
        return Response(None, status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)


@get("/console", guards=[open_to_all], include_in_schema=False)
async def console(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The page in which moderators work."""
    return _answer(request, "index.html")


@get("/console/{name:path}", guards=[open_to_all], include_in_schema=False)
async def console_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes | None]:
    """A style, script or message file of the console."""
    return _answer(request, name.lstrip("/"))


@get("/v1/review/{site:str}/desk", guards=[requires_moderator], tags=["review"])
async def read_desk(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> schemas.DeskView:
    """Read what a moderator needs on the desk: the site's name, its reasons, the words that it looks at first."""
    context, found, _ = requests.visited(request)
    return await desk.desk_of(context, found)


HANDLERS = [console, console_file, read_desk]
