"""A thread as HTML that works without scripts: what the widget takes over, and a page of its own."""

from __future__ import annotations

from typing import Final, NamedTuple, get_args

from moderation.decision import Status
from service import schemas
from service.flow import linked_data, reader_page
from service.flow.context import Context
from service.flow.markup import NOTHING, Markup, data_script, element, together
from service.flow.page_cache import PageCache, Rendered, Shown
from service.flow.read import Form, PageWanted, comment, rendered_as, replies, thread_page
from service.flow.reader_form import form
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import Words, stamp, words_of
from service.store.types import Row

ROOTS: Final = 20
REPLIES: Final = 10
UNDER: Final = 50
ATOM: Final = "application/atom+xml"


class Look(NamedTuple):
    """How a thread is shown: as a page of its own or as a part of the article's, in which order and language."""

    whole: bool
    sort: schemas.Sort
    after: str | None
    language: str | None


class _Scene(NamedTuple):
    """What every part of one page needs."""

    look: Look
    words: Words
    links: Links

    def beside_scripts(self, *parts: str) -> Markup:
        """Answer what the widget does by itself: on the article's page only who has no scripts sees it."""
        return together(*parts) if self.look.whole else element("noscript", None, *parts)


async def read_fragment(context: Context, cache: PageCache, site: Row, page: str, look: Look) -> Shown:
    """Answer a page of a thread as HTML with its ETag, from the same memory as the pages of the API."""
    scene = _scene(context, site, page, look)

    def write(found: schemas.ThreadPage, thread: Row | None) -> bytes:
        return _written(site, thread, found, scene).encode()

    shown_of_site = (site.name, site.guests_allowed, site.body_max_characters, tuple(site.allowed_origins))
    wanted = PageWanted(page, look.sort, ROOTS, REPLIES, look.after)
    return await thread_page(context, cache, site, wanted, Form(("html", look, shown_of_site), write))


async def read_under(context: Context, site: Row, page: str, comment_id: str, look: Look) -> Rendered:
    """Answer one comment with what it answers and what answers it, as a page of its own."""
    scene = _scene(context, site, page, look)
    found = await comment(context, site, comment_id, commenter_id=None, is_moderator=False)
    under = await replies(context, site, comment_id, after=look.after, limit=UNDER)
    words, links = scene.words, scene.links
    more = _more(scene, links.whole(under=comment_id, after=under.next), "more_replies") if under.next else NOTHING
    shown = [*found.ancestors, found.comment] if look.after is None else [found.comment]
    section = element(
        "section", {"class": "colloquy", "lang": words.language, "dir": words.direction},
        element("p", None, element("a", {"href": links.whole()}, words("all"))),
        element("div", {"class": "list"}, *(_article(one, scene) for one in [*shown, *under.comments])),
        more,
    )  # fmt: skip
    return rendered_as(reader_page.document(words, site.name, section).encode())


def _scene(context: Context, site: Row, page: str, look: Look) -> _Scene:
    return _Scene(look, words_of(look.language), Links(context.settings, site.slug, page, look.language))


def _written(site: Row, thread: Row | None, page: schemas.ThreadPage, scene: _Scene) -> str:
    words, links, view = scene.words, scene.links, page.thread
    article = article_of(site, view.url)
    here = {one.id for one in page.comments}
    # What is pinned stands at its place too, where that is on this page.
    shown = [*(one for one in page.pinned if one.id not in here), *page.comments]
    data = linked_data.of_page(site, thread, page, words, article=article, whole=links.whole())
    section = element(
        "section",
        {
            "class": "colloquy", "part": "thread", "lang": words.language, "dir": words.direction,
            "data-version": view.version, "data-count": view.count, "data-next": page.next or "",
            "data-state": view.state,
        },
        element("h2", {"class": "title", "part": "title"}, words.comments(view.count)),
        scene.beside_scripts(_sorts(scene)) if view.count else NOTHING,
        element("div", {"class": "list", "part": "list"}, *(_article(one, scene) for one in shown)),
        _more(scene, links.whole(sort=scene.look.sort, after=page.next), "more") if page.next else NOTHING,
        scene.beside_scripts(form(site, view, words, links), _feed(scene)),
        data_script("application/ld+json", data),
    )  # fmt: skip
    if not scene.look.whole:
        return section
    title = view.title or view.prompt
    feed = element("link", {"rel": "alternate", "type": ATOM, "href": links.feed, "title": title})
    return reader_page.document(words, title, reader_page.heading(words, title, article), section, head=feed)


def _sorts(scene: _Scene) -> Markup:
    words, sorts = scene.words, get_args(schemas.Sort)
    links = [
        element("a", {"href": scene.links.whole(sort=one), "aria-current": "true" if one == scene.look.sort else None},
                words(one))
        for one in sorts
    ]  # fmt: skip
    items = (element("li", None, link) for link in links)
    return element("nav", {"class": "sorts", "aria-label": words("sort")}, element("ul", None, *items))


def _more(scene: _Scene, address: str, word: str) -> Markup:
    return element("nav", {"class": "more", "part": "more"}, element("a", {"href": address}, scene.words(word)))


def _feed(scene: _Scene) -> Markup:
    said = {"rel": "alternate", "type": ATOM, "href": scene.links.feed}
    return element("p", {"class": "feed"}, element("a", said, scene.words("feed")))


def _article(comment: schemas.Comment, scene: _Scene) -> Markup:
    """Answer one comment, in the markup that the widget makes too."""
    gone = comment.body is None
    kinds = ["c", *(name for name in ("featured", "pinned") if getattr(comment, name)), *(["gone"] if gone else [])]
    words = scene.words
    return element(
        "article",
        {
            "class": " ".join(kinds), "id": f"c-{comment.id}", "data-id": comment.id,
            "data-parent": comment.parent_id or "", "data-author": comment.author.key or "",
        },
        NOTHING if gone else _header(comment, words),
        element("div", {"class": "body", "part": "body", "dir": None if gone else "auto"},
                words("gone") if gone else Markup(comment.html or "")),
        element("footer", {"class": "acts", "part": "acts"}, _reply(comment, scene)),
        element("div", {"class": "replies", "part": "replies"}, *(_article(one, scene) for one in comment.replies)),
        _more_replies(comment, scene),
    )  # fmt: skip


def _header(comment: schemas.Comment, words: Words) -> Markup:
    badges = [words.texts.get(f"badge.{badge}", badge) for badge in comment.author.badges]
    marks = [words(name) for name in ("pinned", "featured") if getattr(comment, name)]
    when = element("time", {"datetime": stamp(comment.created_at)}, words.moment(comment.created_at))
    edited = [element("span", {"class": "edited"}, words("edited"))] if comment.edited_at else []
    parts = [
        element("bdi", {"class": "name"}, comment.author.name or words("guest")),
        *(element("span", {"class": "badge"}, badge) for badge in [*badges, *marks]),
        element("a", {"class": "when", "href": f"#c-{comment.id}"}, when),
        *edited,
    ]
    return element("header", {"class": "by", "part": "by"}, *(together(part, " ") for part in parts))


def _reply(comment: schemas.Comment, scene: _Scene) -> Markup:
    """On a page of our own a link stands where the widget has its buttons."""
    if not scene.look.whole or comment.status is not Status.PUBLISHED:
        return NOTHING
    name = comment.author.name or scene.words("guest")
    said = {"href": scene.links.form(reply_to=comment.id), "aria-label": scene.words("reply_to", name=name)}
    return element("a", said, scene.words("reply"))


def _more_replies(comment: schemas.Comment, scene: _Scene) -> Markup:
    if comment.replies_next is None:
        return NOTHING
    said = {"class": "rest", "href": scene.links.whole(under=comment.id)}
    return scene.beside_scripts(element("a", said, scene.words("more_replies")))
