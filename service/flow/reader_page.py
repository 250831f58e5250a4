"""A whole page of ours for readers: no script runs in it, and its one style stands in it by its hash."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

from service.flow.markup import NOTHING, Markup, element, together
from service.flow.reader_words import Words
from service.store.types import Row

_STYLE: Final = files("service").joinpath("static/reading/style.css").read_text(encoding="utf-8")
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Only what cannot be mistaken for another source or directive.
_SOURCE: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")


def headers_of(site: Row) -> dict[str, str]:
    """Answer the headers of a page; its form may lead on to the site's articles."""
    origins = " ".join(["'self'", *(one for one in site.allowed_origins if _SOURCE.fullmatch(one))])
    return {
        "content-security-policy": (
            f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action {origins}; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        # Without it a browser would not say which page the form came from.
        "referrer-policy": "same-origin",
    }


def document(words: Words, title: str, *parts: Markup, head: Markup = NOTHING) -> Markup:
    """Answer a whole document."""
    inside = element(
        "head", None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", None, title),
        # Of ours, and as it is hashed: escaped it would be another text.
        element("style", None, Markup(_STYLE)),
        head,
    )  # fmt: skip
    body = element("body", None, element("main", None, *parts))
    whole = element("html", {"lang": words.language, "dir": words.direction}, inside, body)
    return together(Markup("<!doctype html>\n"), whole, "\n")


def heading(words: Words, title: str, article: str | None) -> Markup:
    """Answer what a page is about, and the way back to the article."""
    back = element("p", None, element("a", {"href": article}, words("to_article"))) if article else NOTHING
    return together(element("h1", {"dir": "auto"}, title), back)
