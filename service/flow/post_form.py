"""A form without scripts is opened, sent and answered: the comment goes the way of all, the answers are pages."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec

from moderation.decision import Status
from service import schemas
from service.errors import Problem
from service.flow import challenge, reader_form, views
from service.flow.context import Context
from service.flow.markup import Markup
from service.flow.new_comment import Sent
from service.flow.reader_form import Filled
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import Words, words_of
from service.flow.submit import Request, submit
from service.store import pages, threads
from service.store.types import Row

#: Most comments are decided within it, so that most readers are told how it ended.
WAIT_SECONDS: Final = 3.0
RECEIPT_HOURS: Final = 24
_NO_THREAD_YET: Final = schemas.ThreadView("", None, "", None, "open", 0, 0)


class Scene(NamedTuple):
    """The page that a form is on, in a language."""

    site: Row
    page: str
    links: Links
    words: Words


def scene_of(context: Context, site: Row, page: str, language: str | None) -> Scene:
    """Answer the scene of a form."""
    return Scene(site, page, Links(context.settings, site.slug, page, language), words_of(language))


async def open_form(context: Context, scene: Scene, reply_to: str | None) -> Markup:
    """Answer the form of a page, under the comment that is answered, or raise comment.unknown."""
    site, answered = scene.site, None
    async with context.database.reading() as connection:
        thread = await threads.by_page(connection, site.id, scene.page)
        if reply_to is not None:
            found = await pages.by_ids(connection, site.id, [reply_to])
            if not found or found[0].status != Status.PUBLISHED.value or (thread and found[0].thread_id != thread.id):
                raise Problem("comment.unknown", "No comment that can be answered here has this id.")
            answered = views.reader_view(found[0])
    view = views.thread_view(site, thread, scene.page, now=context.now())
    filled = Filled(parent_id=reply_to, ticket=challenge.new_ticket(context, site).ticket, key=str(uuid.uuid4()))
    return reader_form.form_page(site, view, scene.words, scene.links, filled, answered)


async def send_form(
    context: Context, scene: Scene, form: schemas.FormComment, *, network_hash: str, from_allowed_origin: bool
) -> str:
    """Submit what a form holds and answer the address to go on to: the article, once readers see the comment there."""
    author = schemas.AuthorInput(name=form.name) if form.name else None
    wanted = schemas.SubmitComment(
        body=form.body, parent_id=form.parent_id, author=author, website=form.website, ticket=form.ticket
    )
    request = Request(
        page=scene.page,
        input=wanted,
        commenter=None,
        from_allowed_origin=from_allowed_origin,
        idempotency_key=_key(scene, form, network_hash),
        wait_seconds=WAIT_SECONDS,
        sent=Sent(network_hash, {}),
    )
    comment, _ = await submit(context, scene.site, request)
    if comment.status is Status.PUBLISHED:
        async with context.database.reading() as connection:
            thread = await threads.by_page(connection, scene.site.id, scene.page)
        if thread is not None and (article := article_of(scene.site, thread.url, comment.id)):
            return article
    return scene.links.form(receipt=_receipt(context, scene.site, comment.id))


async def read_receipt(context: Context, scene: Scene, receipt: str) -> Markup:
    """Answer what became of a comment by now, to whom has the receipt for it; or raise comment.unknown."""
    comment_id = _comment_of(context, scene.site, receipt)
    async with context.database.reading() as connection:
        found = await views.full_views(connection, scene.site.id, [comment_id] if comment_id else [])
        thread = await threads.by_page(connection, scene.site.id, scene.page)
    comment = found.get(comment_id or "")
    if comment is None:
        raise Problem("comment.unknown", "This receipt is none of ours, or its day is over.")
    view = views.thread_view(scene.site, thread, scene.page, now=context.now())
    again = scene.links.form(receipt=receipt)
    return reader_form.receipt_page(scene.site, view, scene.words, scene.links, comment, again)


def refused(scene: Scene, filled: Filled, problem: Problem) -> Markup:
    """Answer the form once more, with what was written and what was wrong with it; nothing is read for it."""
    why = scene.words.problem(problem.code, problem.detail)
    view = msgspec.structs.replace(_NO_THREAD_YET, page=scene.page, prompt=scene.site.prompt)
    return reader_form.refusal_page(scene.site, view, scene.words, scene.links, filled, why)


def _key(scene: Scene, form: schemas.FormComment, network_hash: str) -> str:
    """Answer one key for one text from one form: a second click changes nothing, another text is another comment.

    A form on an article's page may be the same for all who read it, so there the network stands for the form.
    """
    whose = form.key or network_hash
    said = msgspec.json.encode([whose, scene.page, form.parent_id, form.name, form.body])
    return str(uuid.uuid5(uuid.UUID(scene.site.id), hashlib.sha256(said).hexdigest()))


def _receipt(context: Context, site: Row, comment_id: str) -> str:
    until = str(int((context.now() + timedelta(hours=RECEIPT_HOURS)).timestamp()))
    return f"{comment_id}.{until}.{_seal(context, site, comment_id, until)}"


def _comment_of(context: Context, site: Row, receipt: str) -> str | None:
    comment_id, _, rest = receipt.partition(".")
    until, _, seal = rest.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(context, site, comment_id, until).encode()):
        return None
    return comment_id if int(until) > context.now().timestamp() else None


def _seal(context: Context, site: Row, comment_id: str, until: str) -> str:
    key = context.box.key_for("form-receipts")
    return hmac.new(key, f"{site.id}:{comment_id}:{until}".encode(), hashlib.sha256).hexdigest()[:32]
