"""The pages that links in letters lead to: what the button would do, and what it did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final, cast

from service.flow import reader_page
from service.flow.confirm_mail import Asked
from service.flow.mail_words import mail_words
from service.flow.markup import Markup, element, together
from service.flow.reader_words import Words
from service.schemas import MailTopic
from service.store.types import Row

#: Of no site's, so that nothing but ourselves is sent to.
_NOBODYS: Final = cast(Row, SimpleNamespace(allowed_origins=()))
_OURSELVES: Final = "Colloquy"


def headers() -> dict[str, str]:
    """Answer the headers of these pages: the token in their address is told to nobody, and nothing is kept."""
    own = {"referrer-policy": "no-referrer", "cache-control": "no-store", "x-robots-tag": "noindex"}
    return {**reader_page.headers_of(_NOBODYS), **own}


def ask_to_confirm(asked: Asked, action: str) -> Markup:
    """Answer the page with the button that confirms."""
    words, site = _words(asked), asked.site.name
    wants = [topic for topic in ("replies", "decisions") if getattr(asked.address, topic)]
    return _page(
        words,
        words("confirm_title", site=site),
        element("p", None, words("confirm_ask", site=site)),
        element("ul", None, *(element("li", None, words(f"topic_{topic}")) for topic in wants)),
        element("form", {"method": "post", "action": action}, element("button", None, words("confirm_button"))),
    )


def confirmed(asked: Asked) -> Markup:
    """Answer that an address counts."""
    words = _words(asked)
    return _page(words, words("confirm_title", site=asked.site.name), _said(words("confirmed")))


def ask_to_unsubscribe(asked: Asked | None, topic: MailTopic, action: str) -> Markup:
    """Answer the page with a button for each kind of mail that comes, that of the link first."""
    if asked is None:
        return unsubscribed(None, "all")
    words = _words(asked)
    both = asked.address.replies and asked.address.decisions
    others: list[MailTopic] = ["replies", "decisions", "all"] if both else ["all"]
    topics = sorted(others, key=lambda one: one != topic)
    buttons = [
        element("p", None, element("button", {"name": "what", "value": one}, words(f"away_{one}"))) for one in topics
    ]
    form = element("form", {"method": "post", "action": action}, element("p", None, words("away_ask")), *buttons)
    return _page(words, words("away_title", site=asked.site.name), form)


def unsubscribed(asked: Asked | None, topic: MailTopic) -> Markup:
    """Answer that no more mail comes."""
    words = _words(asked)
    site = asked.site.name if asked is not None else _OURSELVES
    return _page(words, words("away_title", site=site), _said(words(f"gone_{topic}")))


def over(language: str | None) -> Markup:
    """Answer that a link does nothing any more."""
    words = mail_words(language)
    return _page(words, words("link_over_title"), _said(words("link_over")))


def _words(asked: Asked | None) -> Words:
    return mail_words(asked.address.locale if asked is not None else None)


def _said(text: str) -> Markup:
    return element("p", {"role": "status"}, text)


def _page(words: Words, title: str, *parts: Markup) -> Markup:
    return reader_page.document(words, title, element("h1", {"dir": "auto"}, title), together(*parts))
