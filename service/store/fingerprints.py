"""Texts that were removed for cause, as hashes and sketches; and how often a text or a network came lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import commenters, comments, fingerprint_bands, fingerprints, revisions, sites
from service.store.types import Row

_MOST_OF_A_BAND = 20


async def keep(connection: AsyncConnection, values: Mapping[str, Any], bands: Sequence[str]) -> None:
    """Add a fingerprint with its bands, by which near repeats find it."""
    await connection.execute(fingerprints.insert(), dict(values))
    if bands:
        rows = [{"site_id": values["site_id"], "band": band, "fingerprint_id": values["id"]} for band in bands]
        await connection.execute(fingerprint_bands.insert(), rows)


async def is_authors_gone(connection: AsyncConnection, site_id: str, comment_id: str) -> bool:
    """Answer whether the author of a comment was erased, of whom nothing more is to be kept."""
    query = (
        sa.select(commenters.c.erased_at)
        .join(comments, comments.c.commenter_id == commenters.c.id)
        .where(comments.c.site_id == site_id, comments.c.id == comment_id)
    )
    return (await connection.execute(query)).scalar() is not None


async def forget(connection: AsyncConnection, site_id: str, comment_id: str) -> None:
    """Let the text of a comment come again: somebody found it right after all."""
    await _delete(connection, fingerprints.c.site_id == site_id, fingerprints.c.comment_id == comment_id)


async def forget_all_of(connection: AsyncConnection, site_id: str, commenter_id: str) -> None:
    """Forget everything that was removed of a commenter's."""
    mine = sa.select(comments.c.id).where(comments.c.site_id == site_id, comments.c.commenter_id == commenter_id)
    await _delete(connection, fingerprints.c.site_id == site_id, fingerprints.c.comment_id.in_(mine))


async def _delete(connection: AsyncConnection, *about: sa.ColumnElement[bool]) -> None:
    found = list((await connection.execute(sa.select(fingerprints.c.id).where(*about))).scalars())
    if found:
        for column in (fingerprint_bands.c.fingerprint_id, fingerprints.c.id):
            await connection.execute(sa.delete(column.table).where(column.in_(found)))


# Those that every batch asks are built once: the building would cost as much as the asking.
_SAME = (
    sa.select(fingerprints.c.text_hash, fingerprints.c.reason)
    .where(
        fingerprints.c.site_id == sa.bindparam("of_site"),
        fingerprints.c.text_hash.in_(sa.bindparam("hashes", expanding=True)),
    )
    .order_by(fingerprints.c.id)
)
_PLACE = sa.func.row_number().over(
    partition_by=fingerprint_bands.c.band, order_by=fingerprint_bands.c.fingerprint_id.desc()
)
_HAVING = (
    sa.select(fingerprint_bands.c.band, fingerprint_bands.c.fingerprint_id, _PLACE.label("place"))
    .where(
        fingerprint_bands.c.site_id == sa.bindparam("of_site"),
        fingerprint_bands.c.band.in_(sa.bindparam("bands", expanding=True)),
    )
    .subquery()
)
_NEWEST_OF_BANDS = sa.select(_HAVING.c.band, _HAVING.c.fingerprint_id).where(_HAVING.c.place <= _MOST_OF_A_BAND)
_SKETCHES = sa.select(fingerprints.c.id, fingerprints.c.sketch, fingerprints.c.reason).where(
    fingerprints.c.site_id == sa.bindparam("of_site"), fingerprints.c.id.in_(sa.bindparam("ids", expanding=True))
)
_REPEATS = (
    sa.select(revisions.c.body_hash, sa.func.count(revisions.c.comment_id.distinct()))
    .where(
        revisions.c.body_hash.in_(sa.bindparam("hashes", expanding=True)),
        revisions.c.comment_id >= sa.bindparam("since_id"),
        revisions.c.site_id == sa.bindparam("of_site"),
    )
    .group_by(revisions.c.body_hash)
)
_BURSTS = (
    sa.select(revisions.c.network_hash, sa.func.count())
    .where(
        revisions.c.network_hash.in_(sa.bindparam("networks", expanding=True)),
        revisions.c.created_at > sa.bindparam("since", type_=revisions.c.created_at.type),
        revisions.c.site_id == sa.bindparam("of_site"),
    )
    .group_by(revisions.c.network_hash)
)


async def same(connection: AsyncConnection, site_id: str, hashes: Iterable[str]) -> dict[str, Row]:
    """Answer the newest fingerprint of each of these text hashes."""
    found = await connection.execute(_SAME, {"of_site": site_id, "hashes": list(hashes)})
    return {row.text_hash: row for row in found}


async def sharing(connection: AsyncConnection, site_id: str, bands: Iterable[str]) -> dict[str, list[Row]]:
    """Answer for each band the newest fingerprints that have it, with sketch and reason; 20 at the most.

    Of each band by itself, so that many who share one do not hide the few who share another.
    """
    pairs = (await connection.execute(_NEWEST_OF_BANDS, {"of_site": site_id, "bands": list(bands)})).all()
    if not pairs:
        return {}
    wanted = {"of_site": site_id, "ids": list({pair[1] for pair in pairs})}
    rows = {row.id: row for row in await connection.execute(_SKETCHES, wanted)}
    found: dict[str, list[Row]] = {}
    for band, fingerprint_id in pairs:
        # One may have been deleted between the two questions.
        if fingerprint_id in rows:
            found.setdefault(band, []).append(rows[fingerprint_id])
    return found


async def spam_settings(connection: AsyncConnection, site_id: str) -> Any:
    """Answer a site's settings against spam as they are stored, None for the defaults."""
    return (await connection.execute(sa.select(sites.c.spam).where(sites.c.id == site_id))).scalar_one()


async def repeats(connection: AsyncConnection, site_id: str, hashes: Iterable[str], *, since_id: str) -> dict[str, int]:
    """Answer how many comments since a time have each of these words, letter by letter."""
    values = {"of_site": site_id, "hashes": list(hashes), "since_id": since_id}
    return {row[0]: row[1] for row in await connection.execute(_REPEATS, values)}


async def bursts(
    connection: AsyncConnection, site_id: str, networks: Iterable[str], *, since: datetime
) -> dict[str, int]:
    """Answer how many texts came from each of these networks since a time."""
    values = {"of_site": site_id, "networks": list(networks), "since": since}
    return {row[0]: row[1] for row in await connection.execute(_BURSTS, values)}
