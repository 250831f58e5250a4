"""Thousands of comments that wait for a person, in a moment, for tests and benches of the queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from service.store import threads
from service.store.commenters import insert_commenter
from service.store.database import Database
from service.store.paths import child_path
from service.store.tables import comments, review_items, revisions
from tests.seeding import id_at

_CHUNK = 2_000
_IN_THREAD = 500


async def seed_queue(database: Database, site_id: str, number: int, *, opened_at: datetime, seed: int = 1) -> list[str]:
    """Make so many held comments with an open item each, a millisecond apart; answer the items' ids in order."""
    random, item_ids = Random(f"{seed} {site_id}"), []
    for first in range(0, number, _IN_THREAD):
        page = f"queue-{seed}-{first}"
        thread_id, person = id_at(opened_at, random), id_at(opened_at, random)
        rows: list[dict[str, object]] = []
        texts: list[dict[str, object]] = []
        items: list[dict[str, object]] = []
        for index in range(first, min(first + _IN_THREAD, number)):
            at = opened_at + timedelta(milliseconds=index)
            comment_id, revision_id, item_id = (id_at(at, random) for _ in range(3))
            own = {"site_id": site_id, "thread_id": thread_id, "created_at": at}
            rows.append({
                "id": comment_id, **own, "parent_id": None, "commenter_id": person, "path": child_path("", comment_id),
                "author_name": "Reader", "author_kind": "guest", "status": "held", "status_by_person": False,
                "shown_revision": None, "latest_revision": 1, "visible": False, "visible_replies": 0,
                "reply_count": 0, "likes": 0,
            })  # fmt: skip
            texts.append({
                "id": revision_id, "site_id": site_id, "comment_id": comment_id, "number": 1,
                "body": f"A rude opinion, number {index}.", "html": "<p>A rude opinion.</p>", "body_hash": None,
                "language": "en", "status": "held", "created_at": at, "scored_at": at,
            })  # fmt: skip
            items.append({
                "id": item_id, "site_id": site_id, "thread_id": thread_id, "comment_id": comment_id,
                "revision_id": revision_id, "kind": "held", "state": "open", "causes": [], "spans": [],
                "order_key": at.timestamp(), "opened_at": at, "due_at": at + timedelta(hours=1),
            })  # fmt: skip
            item_ids.append(item_id)
        async with database.writing(heavy=True) as connection:
            values = {"id": thread_id, "site_id": site_id, "page": page, "state": "open", "created_at": opened_at}
            assert await threads.create(connection, values)
            author = {"id": person, "site_id": site_id, "kind": "guest", "name": None, "first_seen_at": opened_at}
            await insert_commenter(connection, author)
            for table, written in ((comments, rows), (revisions, texts), (review_items, items)):
                for start in range(0, len(written), _CHUNK):
                    await connection.execute(table.insert(), written[start : start + _CHUNK])
    return item_ids
