"""A comment comes in: checked, committed as pending, put on the scoring stream, and waited for if asked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service import schemas, telemetry, tracing
from service.errors import Problem
from service.flow import challenge, live_news, sanitise, views
from service.flow.await_decision import enqueue_and_wait
from service.flow.context import Context
from service.flow.find_thread import find_or_create
from service.flow.identify import Commenter, add_guest, new_guest
from service.flow.ids import first_id_at
from service.flow.new_comment import NOTHING_NOTICED, Sent, new_comment, pending_view
from service.flow.sanctions import refuse_restricted
from service.flow.transition import event_row
from service.store import comments, outbox, records, threads
from service.store.paths import child_path, depth
from service.store.types import Row

logger = logging.getLogger(__name__)
_NEW_GUEST = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One submit, as the route understood it."""

    page: str
    input: schemas.SubmitComment
    commenter: Commenter | None
    from_allowed_origin: bool
    idempotency_key: str | None
    wait_seconds: float
    sent: Sent = NOTHING_NOTICED


class Submitted(NamedTuple):
    """The comment as its author sees it, and the token of a new guest."""

    comment: schemas.Comment
    author_token: str | None


class _Written(NamedTuple):
    comment_id: str
    revision_id: str | None
    view: schemas.Comment | None
    opens: bool = False


async def submit(context: Context, site: Row, request: Request) -> Submitted:
    """Commit the comment and answer it, decided if that happened in time (promise 2: never before the commit)."""
    sanitise.check_body(request.input.body, minimum=site.body_min_characters, maximum=site.body_max_characters)
    if request.commenter is None and not site.guests_allowed:
        raise Problem("guests.refused", "Sign in to comment here.")
    hash_of_network, input_ = request.sent.network_hash, request.input
    await challenge.check(context, site, request.commenter, hash_of_network, input_.challenge, request.idempotency_key)
    request = replace(request, sent=Sent(hash_of_network, _noticed(context, site, request)))
    author = _author(context, request)
    # Made before the transaction: after it nothing that can fail may stand between the commit and the answer.
    token = None
    if request.commenter is None:
        token = await context.author_tokens.issue(site.id, author.commenter_id, author.generation, now=context.now())
    html = sanitise.to_html(request.input.body)
    with tracing.span("commit comment", site_id=site.id) as span:
        written = await _write_once(context, site, request, author, html)
        span.note(comment_id=written.comment_id, revision_id=written.revision_id)
    if written.revision_id is None or written.view is None:
        return Submitted(await _as_it_is_now(context, site.id, written.comment_id), None)
    telemetry.submitted_total.inc()
    if written.opens:
        await live_news.tell_pages(context, site.id, [request.page])
    if await enqueue_and_wait(context, written.revision_id, request.wait_seconds):
        with suppress(Problem):
            return Submitted(await _as_it_is_now(context, site.id, written.comment_id), token)
    return Submitted(written.view, token)


def _noticed(context: Context, site: Row, request: Request) -> dict[str, object]:
    """Answer what the form tells of how the text was written."""
    facts: dict[str, object] = {}
    if request.input.website:
        facts["honeypot"] = True
    seconds = challenge.seconds_since(context, site, request.input.ticket)
    if seconds is not None:
        facts["seconds_to_write"] = round(seconds, 1)
    return facts


async def _write_once(context: Context, site: Row, request: Request, author: Commenter, html: str) -> _Written:
    # What is pending is on no page yet, and a thread that it opens is told.
    try:
        async with context.database.writing(pages_stay=True) as connection:
            return await _write(connection, context, site, request, author, html)
    except IntegrityError:
        # Another request kept the same key, or merged the thread away, between our reading and writing.
        async with context.database.writing(pages_stay=True) as connection:
            return await _write(connection, context, site, request, author, html)


async def _write(
    connection: AsyncConnection, context: Context, site: Row, request: Request, author: Commenter, html: str
) -> _Written:
    who = request.commenter.commenter_id if request.commenter else _NEW_GUEST
    request_hash = _hash_request(request, who) if request.idempotency_key else ""
    if request.idempotency_key:
        # Who was new when it was sent may have a token by now: the answer that gave it, or one to another act, came.
        told = {request_hash, _hash_request(request, _NEW_GUEST)}
        replayed = await _replayed(connection, site.id, request.idempotency_key, told)
        if replayed is not None:
            return _Written(replayed, None, None)
    now, comment_id, revision_id = context.now(), context.new_id(), context.new_id()
    if request.commenter is not None:
        await refuse_restricted(connection, site, request.commenter.commenter_id, now=now)
    thread = await find_or_create(
        connection,
        context,
        site,
        request.page,
        title=request.input.title if request.from_allowed_origin else None,
        url=request.input.url if request.from_allowed_origin else None,
    )
    if threads.state_at(thread, now) == "closed":
        raise Problem("thread.closed", "This thread takes no more comments.")
    path = child_path(await _parent_path(connection, site, thread.id, request.input.parent_id), comment_id)
    if request.commenter is None:
        await add_guest(connection, site.id, author, now)
    body_hash = sanitise.hash_of(request.input.body)
    await _refuse_twin(connection, site, thread.id, request, author, body_hash, now)
    comment, revision = new_comment(
        site.id,
        thread.id,
        request.input.body,
        html,
        request.input.parent_id,
        author,
        path,
        comment_id,
        revision_id,
        body_hash,
        now,
        request.sent,
    )
    await comments.insert(connection, comment, revision)
    await _keep_key(connection, site.id, request, request_hash, comment_id, now)
    event = event_row(
        context, "comment.submitted", site_id=site.id, thread_id=thread.id, comment_id=comment_id,
        revision_id=revision_id, at=now, comment_status=Status.PENDING.value,
    )  # fmt: skip
    await outbox.append(connection, [event])
    return _Written(comment_id, revision_id, pending_view(comment, revision), thread.version == 0)


def _hash_request(request: Request, who: str) -> str:
    # A puzzle is solved anew for each try, and a form may have got another ticket meanwhile.
    said = msgspec.structs.replace(request.input, challenge=None, ticket=None, website=None)
    return hashlib.sha256(msgspec.json.encode([request.page, said, who], order="sorted")).hexdigest()


async def _replayed(connection: AsyncConnection, site_id: str, key: str, hashes: Set[str]) -> str | None:
    """Answer the comment that this very request made before."""
    # Of two requests under one key the second must see what the first has made, not race it.
    await records.in_turn(connection, site_id, f"key:{key}")
    kept = await records.idempotency(connection, site_id, key)
    if kept is None:
        return None
    if kept.request_hash not in hashes:
        raise Problem("idempotency.reused", "This Idempotency-Key belongs to a request with another body.")
    return str(kept.comment_id)


async def _parent_path(connection: AsyncConnection, site: Row, thread_id: str, parent_id: str | None) -> str:
    if parent_id is None:
        return ""
    parent = await comments.by_id(connection, site.id, parent_id)
    if parent is None or parent.thread_id != thread_id or parent.status != Status.PUBLISHED.value:
        raise Problem(
            "parent.unknown", "Replies go to published comments of the same thread.", fields=[("parent_id", "unknown")]
        )
    if depth(parent.path) >= site.max_depth:
        raise Problem(
            "parent.too_deep", f"Replies go {site.max_depth} levels deep here.", fields=[("parent_id", "too deep")]
        )
    return str(parent.path)


def _author(context: Context, request: Request) -> Commenter:
    """Answer who writes, a new guest where no token was sent; a name may differ from comment to comment."""
    name = sanitise.shown_name(request.input.author.name) if request.input.author else None
    if request.commenter is None:
        return new_guest(context, name)
    known = request.commenter
    # An account is called what its publisher calls it.
    return known if known.kind == "signed" else replace(known, name=name or known.name)


async def _refuse_twin(
    connection: AsyncConnection,
    site: Row,
    thread_id: str,
    request: Request,
    author: Commenter,
    body_hash: str,
    now: datetime,
) -> None:
    """Refuse a second click: the holder of a token is known, a guest without one only by a name and the same words."""
    window = site.duplicate_window_seconds
    is_guest = request.commenter is None
    if not window or (is_guest and author.name is None):
        return
    await records.in_turn(connection, site.id, f"twin:{thread_id}:{body_hash}")
    if await comments.has_recent_twin(
        connection,
        site.id,
        thread_id,
        since_id=first_id_at(now - timedelta(seconds=window)),
        parent_id=request.input.parent_id,
        body_hash=body_hash,
        commenter_id=None if is_guest else author.commenter_id,
        author_name=author.name if is_guest else None,
    ):
        raise Problem("comment.duplicate", "You said exactly this here a moment ago.")


async def _keep_key(
    connection: AsyncConnection, site_id: str, request: Request, request_hash: str, comment_id: str, now: datetime
) -> None:
    if request.idempotency_key:
        await records.keep_idempotency(
            connection,
            {
                "site_id": site_id,
                "key": request.idempotency_key,
                "request_hash": request_hash,
                "comment_id": comment_id,
                "created_at": now,
            },
        )


async def _as_it_is_now(context: Context, site_id: str, comment_id: str) -> schemas.Comment:
    async with context.database.reading() as connection:
        return (await views.full_views(connection, site_id, [comment_id]))[comment_id]
