"""What moderators see of one commenter: everything written, in every status, and what they tell each other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.search import PATIENCE_SECONDS, found_page
from service.store import commenters, notes, sanctions
from service.store.search import Wanted
from service.store.types import Row

#: Beyond this nobody reads them any more; the oldest has to go for a new one.
MOST_NOTES = 200


async def comments_of(
    context: Context, site: Row, commenter_id: str, *, status: str | None, after: str | None, limit: int
) -> schemas.FoundComments:
    """Answer a commenter's comments in every status, or in one, the newest first."""
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        await _known(connection, site, commenter_id)
        wanted = Wanted(commenter_id=commenter_id, status=status)
        return await found_page(connection, context, site, wanted, after=after, limit=limit)


async def list_notes(context: Context, site: Row, commenter_id: str) -> schemas.NoteList:
    """Answer what moderators noted about a commenter, the newest first."""
    async with context.database.reading() as connection:
        await _known(connection, site, commenter_id)
        rows = await notes.of_commenter(connection, site.id, commenter_id, limit=MOST_NOTES)
    return schemas.NoteList([schemas.NoteView(row.id, row.actor, row.name, row.text, row.created_at) for row in rows])


async def add_note(
    context: Context, site: Row, principal: Principal, commenter_id: str, wanted: schemas.NoteInput
) -> schemas.NoteView:
    """Note something about a commenter; the audit names the note, never its text."""
    now, note_id = context.now(), context.new_id()
    note = {
        "id": note_id,
        "commenter_id": commenter_id,
        "actor": principal.actor,
        "text": wanted.text,
        "created_at": now,
    }
    async with context.database.writing() as connection:
        # An erasure waits for this, or this for the erasure: no note outlives the commenter.
        await sanctions.lock_commenter(connection, site.id, commenter_id)
        await _known(connection, site, commenter_id)
        if await notes.count(connection, site.id, commenter_id) >= MOST_NOTES:
            message = f"would be more than {MOST_NOTES} notes; delete one first"
            raise Problem("request.invalid", f"text: {message}.", fields=[("text", message)])
        await notes.insert(connection, site.id, note)
        await audit(
            connection, context, site.id, principal.actor, "commenter.noted", commenter_id,
            kind="moderator", note_id=note_id,
        )  # fmt: skip
    return schemas.NoteView(note_id, principal.actor, principal.name, wanted.text, now)


async def delete_note(context: Context, site: Row, principal: Principal, commenter_id: str, note_id: str) -> None:
    """Delete a note: who wrote it may, and any admin."""
    async with context.database.writing() as connection:
        note = await notes.by_id(connection, site.id, commenter_id, note_id)
        if note is None:
            raise Problem("note.unknown", "No note about this commenter has this id.")
        if note.actor != principal.actor and not principal.may("admin", site.id):
            raise Problem("auth.forbidden", "A note is deleted by who wrote it, or by an admin.")
        await notes.delete(connection, site.id, note_id)
        await audit(
            connection, context, site.id, principal.actor, "commenter.note_deleted", commenter_id,
            kind="moderator", note_id=note_id,
        )  # fmt: skip


async def _known(connection: AsyncConnection, site: Row, commenter_id: str) -> Row:
    row = await commenters.commenter(connection, site.id, commenter_id)
    if row is None or row.erased_at is not None:
        raise Problem("commenter.unknown", "The site has no such commenter.")
    return row
