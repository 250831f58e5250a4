"""The moderators' console: files of a closed list, joined and compressed once, asked for again when they changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath

from service import schemas
from service.access import open_to_all, requires_moderator
from service.errors import Problem
from service.flow import desk
from service.routes import requests
from service.routes.packed import Built, Packed, answer_packed, pack
from service.routes.pages import PAGE_HEADERS, STATIC
from service.routes.requests import SiteSlug
from service.routes.squeeze import joined, squeezed_script, squeezed_style

FOLDER: Final = STATIC / "console"
ENTRY: Final = "app.js"
#: What is served: the modules are joined in one, and not served one by one.
NAMES: Final = ("index.html", "theme.js", "css/frame.css", "css/work.css", ENTRY, "i18n/en.js", "i18n/de.js")
_MEDIA_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def _text(path: Path) -> str:
    if path.suffix == ".js":
        return squeezed_script(joined(path))
    return squeezed_style(path.read_text()) if path.suffix == ".css" else path.read_text()


def _make() -> dict[str, Packed]:
    return {name: pack(_text(FOLDER / name), _MEDIA_TYPES[Path(name).suffix]) for name in NAMES}


#: Its files as they are served.
built: Final = Built(FOLDER, _make)


def _answer(request: Request[Any, Any, Any], name: str) -> Response[bytes | None]:
    file = built().get(name)
    if file is None:
        raise Problem("route.unknown", "There is no such page.")
    return answer_packed(request, file, PAGE_HEADERS)


@get("/console", guards=[open_to_all], include_in_schema=False)
async def console(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The page in which moderators work."""
    return _answer(request, "index.html")


@get("/console/{name:path}", guards=[open_to_all], include_in_schema=False)
async def console_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes | None]:
    """A style, a script, or the messages of a language."""
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
