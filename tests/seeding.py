"""Big threads in a moment: coherent rows by bulk insert, for tests of plans and for benches."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.policy import default_policy
from service.flow.sanitise import hash_of
from service.store import sites, threads
from service.store.commenters import insert_commenter
from service.store.database import Database
from service.store.paths import child_path
from service.store.tables import comments, reactions, revisions, thread_pages
from service.store.tables import threads as thread_table

START = datetime(2026, 1, 1, tzinfo=UTC)
_CHUNK = 2_000


class Seeded(NamedTuple):
    """A thread that was made: its ids in the order of writing, and who wrote them."""

    site_id: str
    thread_id: str
    page: str
    comment_ids: list[str]
    commenter_ids: list[str]


def id_at(moment: datetime, random: Random) -> str:
    """Answer a UUIDv7 of a time."""
    milliseconds = int(moment.timestamp() * 1000)
    return str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | random.getrandbits(62)))


async def seed_site(database: Database, slug: str) -> str:
    """Make a site with the default policy and answer its id."""
    policy, site_id = default_policy(), id_at(START, Random(slug))
    async with database.writing() as connection:
        values: dict[str, Any] = {
            "id": site_id, "slug": slug, "name": slug, "allowed_origins": [], "prompt": "", "guests_allowed": True,
            "body_min_characters": 1, "body_max_characters": 5_000, "max_depth": 6, "edit_window_seconds": 300,
            "duplicate_window_seconds": 600, "policy_version": policy.version, "created_at": START,
        }  # fmt: skip
        await sites.insert(connection, values)
    return site_id


async def seed_thread(
    database: Database,
    site_id: str,
    *,
    comments: int,
    page: str = "page",
    commenters: int = 50,
    hidden_share: float = 0.05,
    reply_share: float = 0.5,
    max_depth: int = 6,
    start: datetime = START,
    spacing_seconds: float = 1.0,
    seed: int = 1,
    bodies: Sequence[str] = (),
) -> Seeded:
    """Make a thread with so many comments, each a second after the other, replies and hidden ones among them.

    Every revision is scored, so that nothing is owed; counters are those that a recount gives. With `bodies` the
    comments have these texts in turn.
    """
    random = Random(f"{seed} {site_id} {page}")
    thread_id = id_at(start, random)
    people_ids = [id_at(start, random) for _ in range(commenters)]
    rows = _tree(random, site_id, thread_id, people_ids, comments, hidden_share, reply_share, max_depth, start,
                 timedelta(seconds=spacing_seconds))  # fmt: skip
    texts = _revisions(random, rows, bodies)
    count = _count(rows)
    async with database.writing() as connection:
        values = {"id": thread_id, "site_id": site_id, "page": page, "state": "open", "created_at": start}
        assert await threads.create(connection, values)
        for person in people_ids:
            row = {"id": person, "site_id": site_id, "kind": "guest", "name": None, "first_seen_at": start}
            row |= {"author_key": _key_of(person)}
            await insert_commenter(connection, row)
        await _insert(connection, rows, texts, _likes(rows, people_ids))
        await connection.execute(
            thread_table.update()
            .where(thread_table.c.site_id == site_id, thread_table.c.id == thread_id)
            .values(published_count=count, version=comments)
        )
    return Seeded(site_id, thread_id, page, [row["id"] for row in rows], people_ids)


async def seed_threads(
    database: Database, site_id: str, *, pages: Sequence[str], comments: int, bodies: Sequence[str] = (), seed: int = 1
) -> None:
    """Make many small threads in one transaction, all by the same few people, without hidden comments."""
    random = Random(f"{seed} {site_id} many")
    people_ids = [id_at(START, random) for _ in range(5)]
    made: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for page in pages:
        thread_id = id_at(START, random)
        grown = _tree(random, site_id, thread_id, people_ids, comments, 0.0, 0.5, 1, START, timedelta(seconds=1))
        made.append({
            "id": thread_id, "site_id": site_id, "page": page, "state": "open", "created_at": START,
            "published_count": _count(grown), "version": comments,
        })  # fmt: skip
        rows += grown
    async with database.writing(heavy=True) as connection:
        for person in people_ids:
            row = {"id": person, "site_id": site_id, "kind": "guest", "name": None, "first_seen_at": START}
            await insert_commenter(connection, row | {"author_key": _key_of(person)})
        for first in range(0, len(made), _CHUNK):
            some = made[first : first + _CHUNK]
            keys = [{"site_id": site_id, "page": one["page"], "thread_id": one["id"]} for one in some]
            await connection.execute(thread_table.insert(), some)
            await connection.execute(thread_pages.insert(), keys)
        await _insert(connection, rows, _revisions(random, rows, bodies), _likes(rows, people_ids))


def _tree(
    random: Random,
    site_id: str,
    thread_id: str,
    commenter_ids: list[str],
    number: int,
    hidden_share: float,
    reply_share: float,
    max_depth: int,
    start: datetime,
    spacing: timedelta,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    answerable: list[tuple[str, str, int]] = []
    for index in range(number):
        at = start + index * spacing
        comment_id = id_at(at, random)
        parent_id, above, depth = None, "", 0
        if answerable and random.random() < reply_share:
            parent_id, above, depth = answerable[random.randrange(len(answerable))]
        hidden = random.random() < hidden_share
        path = child_path(above, comment_id)
        rows.append({
            "id": comment_id, "site_id": site_id, "thread_id": thread_id, "parent_id": parent_id,
            "commenter_id": random.choice(commenter_ids), "path": path, "author_name": f"Reader {index % 97}",
            "author_kind": "guest", "status": "rejected" if hidden else "published", "status_by_person": False,
            "shown_revision": None if hidden else 1, "latest_revision": 1, "visible": not hidden,
            "visible_replies": 0, "reply_count": 0, "likes": min(max(0, random.randrange(50) - 40), len(commenter_ids)),
            "created_at": at,
        })  # fmt: skip
        if not hidden and depth < max_depth:
            answerable.append((comment_id, path, depth + 1))
    for row in rows:
        row["author_key"] = _key_of(row["commenter_id"])
    return rows


def _key_of(commenter_id: str) -> str:
    return commenter_id.replace("-", "")[-16:]


def _likes(comments: list[dict[str, Any]], commenter_ids: list[str]) -> list[dict[str, Any]]:
    """Answer who likes the comments, so many of the commenters as each counts."""
    random, rows = Random(f"likes {comments[0]['id'] if comments else ''}"), []
    for comment in comments:
        rows += [
            {
                "id": id_at(comment["created_at"], random), "site_id": comment["site_id"],
                "thread_id": comment["thread_id"], "comment_id": comment["id"], "commenter_id": commenter_id,
                "created_at": comment["created_at"],
            }
            for commenter_id in random.sample(commenter_ids, comment["likes"])
        ]  # fmt: skip
    return rows


def _revisions(random: Random, rows: list[dict[str, Any]], bodies: Sequence[str]) -> list[dict[str, Any]]:
    return [_revision(random, row, bodies[index % len(bodies)] if bodies else "") for index, row in enumerate(rows)]


def _revision(random: Random, comment: dict[str, Any], given: str) -> dict[str, Any]:
    body = given or f"An opinion of {comment['author_name']}, the {random.getrandbits(40):x}th of its kind."
    return {
        "id": id_at(comment["created_at"], random), "site_id": comment["site_id"], "comment_id": comment["id"],
        "number": 1, "body": body, "html": f"<p>{body}</p>", "body_hash": hash_of(body), "language": "en",
        "status": comment["status"], "created_at": comment["created_at"], "scored_at": comment["created_at"],
    }  # fmt: skip


def _count(rows: list[dict[str, Any]]) -> int:
    """Write the counters of each comment and answer the thread's; hidden comments have no replies here."""
    replies: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row["visible"] and row["parent_id"]:
            replies[row["parent_id"]] += 1
    for row in rows:
        row["reply_count"] = row["visible_replies"] = replies[row["id"]]
    return sum(row["visible"] for row in rows)


async def _insert(
    connection: AsyncConnection,
    rows: list[dict[str, Any]],
    texts: list[dict[str, Any]],
    likes: list[dict[str, Any]],
) -> None:
    for table, values in ((comments, rows), (revisions, texts), (reactions, likes)):
        for first in range(0, len(values), _CHUNK):
            await connection.execute(table.insert(), values[first : first + _CHUNK])
