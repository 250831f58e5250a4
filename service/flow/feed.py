"""The newest comments of a thread or of a site as an Atom feed (RFC 4287); what answers what as RFC 4685 says it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

from service.flow.context import Context
from service.flow.page_cache import Rendered
from service.flow.read import rendered_as
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import Words, stamp, words_of
from service.store import newest, threads
from service.store.types import Row

ENTRIES: Final = 30
MEDIA_TYPE: Final = "application/atom+xml"
_ATOM: Final = "http://www.w3.org/2005/Atom"
_ANSWERS: Final = "http://purl.org/syndication/thread/1.0"
#: What no document of XML 1.0 may hold, not even by number (section 2.2).
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ElementTree.register_namespace("", _ATOM)
ElementTree.register_namespace("thr", _ANSWERS)


async def thread_feed(context: Context, site: Row, page: str, language: str | None) -> Rendered:
    """Answer the feed of the thread of a page; an empty one where nobody wrote yet."""
    words, links = words_of(language), Links(context.settings, site.slug, page, language)
    async with context.database.reading() as connection:
        thread = await threads.by_page(connection, site.id, page)
        rows = await newest.of_thread(connection, site.id, thread.id, limit=ENTRIES) if thread is not None else []
    title = (thread.title if thread is not None else None) or (thread.prompt if thread is not None else None)
    feed = _Feed(context, site, words, language)
    # Not the id of the thread: the feed of a page is the same before its first comment and after a merge.
    feed.head(
        str(uuid.uuid5(uuid.UUID(site.id), page)), title or site.prompt, links.feed,
        article_of(site, thread.url if thread is not None else None) or links.whole(), rows,
        thread.created_at if thread is not None else site.created_at,
    )  # fmt: skip
    return feed.rendered(rows)


async def site_feed(context: Context, site: Row, language: str | None) -> Rendered:
    """Answer the feed of all threads of a site."""
    words, links = words_of(language), Links(context.settings, site.slug, "", language)
    async with context.database.reading() as connection:
        rows = await newest.of_site(connection, site.id, limit=ENTRIES)
    feed = _Feed(context, site, words, language)
    feed.head(site.id, site.name, links.site_feed, None, rows, site.created_at)
    return feed.rendered(rows)


class _Feed:
    """One feed that is being written."""

    def __init__(self, context: Context, site: Row, words: Words, language: str | None) -> None:
        self._context, self._site, self._words, self._language = context, site, words, language
        self._root = ElementTree.Element(
            f"{{{_ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": words.language}
        )

    def head(
        self, feed_id: str, title: str, address: str, alternate: str | None, rows: Sequence[Row], since: datetime
    ) -> None:
        """Write what the whole feed is about; it changed when its last entry did."""
        _add(self._root, "id", f"urn:uuid:{feed_id}")
        _add(self._root, "title", title)
        _add(self._root, "updated", stamp(max((_changed_at(row) for row in rows), default=since)))
        _add(self._root, "link", rel="self", type=MEDIA_TYPE, href=address)
        if alternate is not None:
            _add(self._root, "link", rel="alternate", type="text/html", href=alternate)
        _add(self._root, "generator", "Colloquy")

    def rendered(self, rows: Sequence[Row]) -> Rendered:
        """Write the entries and answer it all."""
        for row in rows:
            self._entry(row)
        return rendered_as(ElementTree.tostring(self._root, encoding="utf-8", xml_declaration=True))

    def _entry(self, row: Row) -> None:
        name = row.author_name or self._words("guest")
        links = Links(self._context.settings, self._site.slug, row.page, self._language)
        entry = _add(self._root, "entry")
        _add(entry, "id", f"urn:uuid:{row.id}")
        _add(entry, "title", self._words("by", name=name, title=row.title) if row.title else name)
        _add(entry, "published", stamp(row.created_at))
        _add(entry, "updated", stamp(_changed_at(row)))
        _add(_add(entry, "author"), "name", name)
        address = article_of(self._site, row.url, row.id) or f"{links.whole(under=row.id)}#c-{row.id}"
        _add(entry, "link", rel="alternate", type="text/html", href=address)
        if row.parent_id is not None:
            ElementTree.SubElement(entry, f"{{{_ANSWERS}}}in-reply-to", {"ref": f"urn:uuid:{row.parent_id}"})
        _add(entry, "content", row.html or "", type="html")


def _changed_at(row: Row) -> datetime:
    changed: datetime = row.edited_at or row.created_at
    return changed


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    """Add an element; what a reader wrote may hold characters that XML has no way to say."""
    kept = {key: _NO_XML.sub("\ufffd", value) for key, value in attributes.items()}
    child = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}", kept)
    child.text = None if text is None else _NO_XML.sub("\ufffd", text)
    return child
