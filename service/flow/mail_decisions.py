"""What a letter about decisions says: the statement of reasons of each that still stands, and how to appeal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from moderation.decision import Status
from service import schemas
from service.errors import Problem
from service.flow import statement
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.mail_body import Block, excerpt
from service.flow.mail_replies import place_of
from service.flow.owe_mails import key_of
from service.flow.reader_words import Words
from service.store import comments, mails, pages, review_items, threads
from service.store.types import Row

_RESTRICTED: Final = frozenset({"rejected", "removed", "edit_rejected"})


class _Found(NamedTuple):
    decision: Row
    comment: Row
    thread: Row
    revision: Row | None


class _Outcome(NamedTuple):
    code: str
    statement: schemas.Statement | None


async def about_decisions(
    context: Context, site: Row, rows: Sequence[Row], words: Words
) -> tuple[str, list[Block], list[str]] | None:
    """Answer subject, blocks and the mails that are told of; None where none of the decisions stands any more."""
    blocks: list[Block] = []
    told: list[str] = []
    subject = ""
    for row in rows:
        found = await _find(context, site, row)
        outcome = await _outcome(context, site, row, found) if found is not None else None
        if found is None or outcome is None:
            continue
        told.append(row.id)
        title = found.thread.title or site.name
        subject = words("decision_subject", title=title, what=words(f"outcome_{outcome.code}"))
        blocks += _blocks(context, site, found, outcome, words)
    if not told:
        return None
    return (subject if len(told) == 1 else words("decisions_subject", n=len(told), site=site.name)), blocks, told


async def _find(context: Context, site: Row, row: Row) -> _Found | None:
    async with context.database.reading() as connection:
        decided = await review_items.decisions_by_ids(connection, site.id, [row.decision_id])
        found = await pages.by_ids(connection, site.id, [row.comment_id])
        if not decided or not found or found[0].commenter_id != row.commenter_id:
            return None
        decision = decided[0]
        undone = decision.undoes_id
        if undone and not await mails.was_told(connection, site.id, row.commenter_id, key_of("decision", undone)):
            # Nobody heard of what is taken back.
            return None
        thread = (await threads.by_ids(connection, site.id, [found[0].thread_id]))[found[0].thread_id]
        revisions = await comments.revisions_by_ids(connection, site.id, [decision.revision_id])
    return _Found(decision, found[0], thread, revisions.get(decision.revision_id))


async def _outcome(context: Context, site: Row, row: Row, found: _Found) -> _Outcome | None:
    """Answer what became of the comment if that is still so; what was decided anew has a mail of its own."""
    try:
        said = await statement.statement(context, site, Commenter(row.commenter_id, "", None, 0), row.comment_id)
    except Problem as problem:
        if problem.code not in ("statement.none", "comment.unknown"):
            raise
        said = None
    if said is not None and said.decision_id == row.decision_id:
        code = said.restriction.code
        return _Outcome(code, said) if code in _RESTRICTED else None
    published = Status.PUBLISHED.value
    if found.comment.status != published or found.decision.to_status != published:
        return None
    if found.decision.action in ("restore", "remove", "reject") or found.decision.undoes_id:
        # An edit that was refused, and is no more, is nothing new to who sent another.
        return _Outcome("restored", None) if found.decision.from_status != published else None
    if found.revision is None or found.revision.number != found.comment.shown_revision:
        return None
    return _Outcome("published" if found.revision.number == 1 else "edit_published", None)


def _blocks(context: Context, site: Row, found: _Found, outcome: _Outcome, words: Words) -> list[Block]:
    body = outcome.statement.body if outcome.statement is not None else found.comment.body
    blocks = [
        Block("title", words(f"outcome_{outcome.code}")),
        Block("quote", excerpt(body)) if body else Block("small", words("text_gone")),
    ]
    place = place_of(context, site, found.thread, found.comment.id, words)
    if outcome.statement is None:
        return [*blocks, Block("link", words("open"), place)]
    blocks += [Block("text", words("statement")), Block("foreign", outcome.statement.text)]
    appeal = outcome.statement.appeal
    if appeal.possible and appeal.until is not None:
        blocks.append(Block("text", words("appeal", day=f"{appeal.until:%Y-%m-%d}")))
    return [*blocks, Block("link", words("open"), place)]
