"""The form that needs no scripts, and the pages that say what became of what was sent with it."""

from __future__ import annotations

from typing import NamedTuple

from service import schemas
from service.flow import reader_page
from service.flow.markup import NOTHING, Markup, element, together
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import Words
from service.schemas.base import NAME_CHARACTERS
from service.store.types import Row


class Filled(NamedTuple):
    """What stands in a form: what a reader wrote before, and what tells one sending from another."""

    name: str = ""
    body: str = ""
    parent_id: str | None = None
    ticket: str | None = None
    key: str | None = None


_EMPTY = Filled()


def form(site: Row, thread: schemas.ThreadView, words: Words, links: Links, filled: Filled = _EMPTY) -> Markup:
    """Answer the form of a thread, or why there is none."""
    if thread.state == "closed":
        return element("p", {"class": "closed"}, words("closed"))
    if not site.guests_allowed:
        return element("p", {"class": "closed"}, words("sign_in"))
    kept = {"parent_id": filled.parent_id, "ticket": filled.ticket, "key": filled.key, "lang": words.language}
    hidden = (
        element("input", {"type": "hidden", "name": name, "value": value}) for name, value in kept.items() if value
    )
    return element(
        "form", {"class": "write", "method": "post", "action": links.send, "accept-charset": "utf-8"},
        element("p", {"class": "prompt", "dir": "auto"}, thread.prompt),
        _field(words("name"), element("input", {
            "name": "name", "maxlength": NAME_CHARACTERS, "autocomplete": "nickname", "dir": "auto",
            "value": filled.name or None,
        })),
        _field(words("body"), element("textarea", {
            "name": "body", "required": True, "maxlength": site.body_max_characters, "rows": 6, "dir": "auto",
        # A line end at the beginning would be lost: HTML takes the first one for its own.
        }, "\n", filled.body)),
        element("p", {"hidden": True}, _field(words("leave_empty"), element("input", {
            "name": "website", "tabindex": -1, "autocomplete": "off",
        }), kind="span")),
        *hidden,
        element("p", None, element("button", None, words("send"))),
    )  # fmt: skip


def _field(label: str, field: Markup, *, kind: str = "p") -> Markup:
    return element(kind, None, element("label", None, label, " ", field))


def form_page(
    site: Row, thread: schemas.ThreadView, words: Words, links: Links, filled: Filled, answered: schemas.Comment | None
) -> Markup:
    """Answer the form as a page of its own, under the comment that it answers if it answers one."""
    quoted = NOTHING
    if answered is not None:
        name = answered.author.name or words("guest")
        quoted = together(
            element("h2", {"dir": "auto"}, words("reply_to", name=name)),
            element("blockquote", {"class": "body", "dir": "auto"}, Markup(answered.html or "")),
        )
    return _page(site, thread, words, links, quoted, form(site, thread, words, links, filled))


def refusal_page(site: Row, thread: schemas.ThreadView, words: Words, links: Links, filled: Filled, why: str) -> Markup:
    """Answer the form once more with what was written, and what was wrong."""
    said = element(
        "div", {"class": "problem", "role": "alert"},
        element("p", None, element("strong", None, words("not_sent"))), element("p", {"dir": "auto"}, why),
    )  # fmt: skip
    return _page(site, thread, words, links, said, form(site, thread, words, links, filled))


def receipt_page(
    site: Row, thread: schemas.ThreadView, words: Words, links: Links, comment: schemas.Comment, again: str
) -> Markup:
    """Answer what became of a comment."""
    status = comment.status.value
    reasons = comment.reasons or []
    why = NOTHING
    if reasons:
        listed = element("ul", None, *(element("li", {"dir": "auto"}, reason.text) for reason in reasons))
        why = together(element("p", None, words("reasons")), listed)
    look = (
        element("p", None, element("a", {"href": again}, words("look_again")))
        if status in ("pending", "held")
        else NOTHING
    )
    said = element("div", {"class": "said", "role": "status"}, element("p", None, words(status)), why)
    return _page(site, thread, words, links, element("h2", None, words("sent")), said, look, title=words("sent"))


def _page(
    site: Row, thread: schemas.ThreadView, words: Words, links: Links, *parts: Markup, title: str | None = None
) -> Markup:
    about = thread.title or thread.prompt
    back = element("p", None, element("a", {"href": links.whole()}, words("all")))
    heading = reader_page.heading(words, about, article_of(site, thread.url))
    robots = element("meta", {"name": "robots", "content": "noindex"})
    return reader_page.document(words, title or about, heading, back, *parts, head=robots)
