"""The one place where what a reader wrote becomes HTML: a Markdown subset, escaped, then sanitised."""

from __future__ import annotations

import hashlib
import unicodedata

import mistune
import nh3

from service.errors import Problem

_TAGS = {"p", "br", "em", "strong", "a", "blockquote", "code", "pre", "ul", "ol", "li", "del"}
#: What a comment has no use for stays as it was written: a line that begins with `#` or four spaces is a line.
_LEFT_AS_TEXT = ("atx_heading", "setex_heading", "thematic_break", "indent_code", "ref_link", "raw_html")


class _Renderer(mistune.HTMLRenderer):
    """HTML without pictures: a picture becomes a link to it, so that no reader's page fetches what a stranger chose."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return self.link(text or url, url, title)


def _markdown() -> mistune.Markdown:
    markdown = mistune.create_markdown(
        renderer=_Renderer(escape=True), hard_wrap=True, plugins=["strikethrough", "url"]
    )
    for rule in _LEFT_AS_TEXT:
        markdown.block.rules.remove(rule)
    markdown.inline.rules.remove("inline_html")
    return markdown


_render = _markdown()


def to_html(body: str) -> str:
    """Answer safe HTML: paragraphs, emphasis, links, quotes, lists and code; anything else is shown as text."""
    rendered = _render(body)
    assert isinstance(rendered, str)
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "*": set()},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
        # A relative address would lead to an action of the publisher's own site, in the reader's name.
        url_relative="deny",
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


def shown_name(name: str) -> str:
    """Answer a name without spaces around it, or raise request.invalid where nothing of it would be seen."""
    if not any(is_ink(character) for character in name):
        message = "must not be blank"
        raise Problem("request.invalid", f"The name {message}.", fields=[("author.name", message)])
    return name.strip()


def is_ink(character: str) -> bool:
    """Answer whether a character shows anything: spaces, controls and invisible format characters do not."""
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn")


def hash_of(body: str) -> str:
    """Answer the hash by which the same text is found again; case and spacing do not matter."""
    return hashlib.sha256(" ".join(body.casefold().split()).encode()).hexdigest()
