"""The two forms of a letter, plain and HTML, made of the same few blocks: what somebody wrote is escaped in both."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from service.flow.markup import Markup, element, together
from service.flow.reader_words import Words

_MOST_CHARACTERS: Final = 600
_MOST_LINES: Final = 20
_QUOTED: Final = "padding-inline-start:1em;border-inline-start:3px solid #ccc;color:#444;white-space:pre-wrap"
_SMALL: Final = "font-size:.875em;color:#666"
_BODY: Final = "font:16px/1.5 sans-serif;max-width:40em;color:#222"
_SPACES: Final = re.compile(r"\s+")


class Block(NamedTuple):
    """A part of a letter; `quote` is in somebody's words, `foreign` in English whatever the letter's language is."""

    kind: Literal["text", "title", "quote", "link", "foreign", "small"]
    text: str
    href: str = ""


def excerpt(text: str) -> str:
    """Answer the beginning of a text as it is quoted."""
    lines = text.splitlines()
    cut = "\n".join(lines[:_MOST_LINES])[:_MOST_CHARACTERS]
    return cut if len(cut) >= len("\n".join(lines)) else cut.rstrip() + " …"


def as_plain(blocks: Sequence[Block]) -> str:
    """Answer the plain text: every line of a quote is marked as one, whatever ends a line for somebody."""
    return "\n\n".join(_plain(block) for block in blocks) + "\n"


def _plain(block: Block) -> str:
    if block.kind == "quote":
        return "\n".join(f"> {line}" for line in block.text.splitlines())
    # Names and titles stand in our sentences: they begin no line of their own.
    line = _SPACES.sub(" ", block.text).strip()
    return f"{line}\n{block.href}" if block.kind in ("link", "small") and block.href else line


def as_html(words: Words, title: str, blocks: Sequence[Block]) -> str:
    """Answer the HTML: nothing is loaded, and nothing in it is a link but ours."""
    head = element("head", None, element("meta", {"charset": "utf-8"}), element("title", None, title))
    body = element("body", {"style": _BODY}, *(_html(block) for block in blocks))
    whole = element("html", {"lang": words.language, "dir": words.direction}, head, body)
    return together(Markup("<!doctype html>\n"), whole, "\n")


def _html(block: Block) -> Markup:
    match block.kind:
        case "quote":
            lines = Markup("<br>").join(html.escape(line) for line in block.text.splitlines())
            return element("blockquote", {"dir": "auto", "style": _QUOTED}, Markup(lines))
        case "link":
            return element("p", None, element("a", {"href": block.href}, block.text))
        case "small":
            inside = element("a", {"href": block.href}, block.text) if block.href else block.text
            return element("p", {"style": _SMALL}, inside)
        case "foreign":
            return element("p", {"lang": "en", "dir": "auto"}, block.text)
        case "title":
            return element("p", {"dir": "auto"}, element("strong", None, block.text))
        case "text":
            return element("p", None, block.text)
