"""The widget that publishers embed: a small module, and its parts under the name of their build, kept for good."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath

from service.access import open_to_all
from service.errors import Problem
from service.routes.packed import Built, Packed, answer_packed, pack
from service.routes.pages import STATIC
from service.routes.squeeze import joined, shortened_script

FOLDER: Final = STATIC / "widget"
ENTRY: Final = "widget.js"
LANGUAGES: Final = ("en", "de", "fr", "es", "ar")
#: What is served: joined from the modules of the folder, which are not served one by one.
NAMES: Final = (ENTRY, "thread.js", *(f"{language}.js" for language in LANGUAGES))
#: Properties of the widget's own objects, which neither a browser nor the API knows; served under short names.
INNER: Final = frozenset((
    "takeAway", "setThread", "errorText", "fetchOne", "keepAll", "memory", "whoAmI", "readOwn", "isMine", "likeWord",
    "nameOf", "linkTo", "identify", "bearer", "outcome", "settle", "nodes", "flushing", "retrying", "asking", "ending",
    "redraw", "tries", "mine", "config", "drawn",
))  # fmt: skip
_BUILD: Final = "BUILD"
_HEADERS: Final = {
    # The widget runs on publishers' pages; there is nothing of a person in it.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}
_AN_HOUR: Final = "public, max-age=3600, stale-while-revalidate=86400"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


def _make() -> tuple[str, dict[str, Packed]]:
    texts = {name: shortened_script(joined(FOLDER / name), INNER) for name in NAMES}
    build = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:10]
    texts[ENTRY] = texts[ENTRY].replace(_BUILD, build)
    return build, {name: pack(text, "text/javascript") for name, text in texts.items()}


#: The name of the build, and its files as they are served.
built: Final = Built(FOLDER, _make)


def _answer(request: Request[Any, Any, Any], file: Packed, kept: str) -> Response[bytes | None]:
    return answer_packed(request, file, {**_HEADERS, "cache-control": kept})


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
