"""The one place where what a reader wrote becomes HTML: a Markdown subset, escaped, then sanitised."""

from __future__ import annotations

import hashlib
import unicodedata

import mistune
import nh3

from service.errors import Problem

_TAGS = {"p", "br", "em", "strong", "a", "blockquote", "code", "pre", "ul", "ol", "li", "del"}
_render = mistune.create_markdown(escape=True, hard_wrap=True, plugins=["strikethrough", "url"])


def to_html(body: str) -> str:
    """Answer safe HTML: paragraphs, emphasis, links, quotes, lists and code; anything else is shown as text."""
    rendered = _render(body)
    assert isinstance(rendered, str)
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
    ).strip()


def check_body(body: str, *, minimum: int, maximum: int) -> None:
    """Raise request.invalid where the text is blank or outside the site's limits (in characters)."""
    length = len(body)
    if not any(is_ink(character) for character in body):
        message = "must not be blank"
    elif length < minimum:
        message = f"must have at least {minimum} characters"
    elif length > maximum:
        message = f"must have at most {maximum} characters; it has {length}"
    else:
        return
    raise Problem("request.invalid", f"body {message}.", fields=[("body", message)])


def is_ink(character: str) -> bool:
    """Answer whether a character shows anything: spaces, controls and invisible format characters do not."""
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn")


def hash_of(body: str) -> str:
    """Answer the hash by which the same text is found again; case and spacing do not matter."""
    return hashlib.sha256(" ".join(body.casefold().split()).encode()).hexdigest()
