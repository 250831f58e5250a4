"""Texts that were removed for cause, as hashes and sketches; and how often a text or a network came lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import fingerprint_bands, fingerprints, revisions, sites
from service.store.types import Row

_MOST_CANDIDATES = 500


async def keep(connection: AsyncConnection, values: Mapping[str, Any], bands: Sequence[str]) -> None:
    """Add a fingerprint with its bands, by which near repeats find it."""
    await connection.execute(fingerprints.insert(), dict(values))
    if bands:
        rows = [{"site_id": values["site_id"], "band": band, "fingerprint_id": values["id"]} for band in bands]
        await connection.execute(fingerprint_bands.insert(), rows)


async def lift(connection: AsyncConnection, site_id: str, comment_id: str, *, at: datetime) -> None:
    """Let the text of a comment come again: somebody found it right after all."""
    await connection.execute(
        fingerprints.update()
        .where(
            fingerprints.c.site_id == site_id,
            fingerprints.c.comment_id == comment_id,
            fingerprints.c.lifted_at.is_(None),
        )
        .values(lifted_at=at)
    )


async def same(connection: AsyncConnection, site_id: str, hashes: Iterable[str]) -> dict[str, Row]:
    """Answer the newest fingerprint of each of these text hashes."""
    query = (
        sa.select(fingerprints.c.text_hash, fingerprints.c.reason)
        .where(
            fingerprints.c.site_id == site_id,
            fingerprints.c.text_hash.in_(sa.bindparam("hashes", expanding=True)),
            fingerprints.c.lifted_at.is_(None),
        )
        .order_by(fingerprints.c.id)
    )
    return {row.text_hash: row for row in await connection.execute(query, {"hashes": list(hashes)})}


async def sharing(connection: AsyncConnection, site_id: str, bands: Iterable[str]) -> Sequence[Row]:
    """Answer the newest fingerprints that share a band, with the band, the sketch and the reason; 500 at the most."""
    query = (
        sa.select(fingerprint_bands.c.band, fingerprints.c.id, fingerprints.c.sketch, fingerprints.c.reason)
        .select_from(fingerprint_bands.join(fingerprints, fingerprints.c.id == fingerprint_bands.c.fingerprint_id))
        .where(
            fingerprint_bands.c.site_id == site_id,
            fingerprint_bands.c.band.in_(sa.bindparam("bands", expanding=True)),
            fingerprints.c.lifted_at.is_(None),
        )
        .order_by(fingerprint_bands.c.fingerprint_id.desc())
        .limit(_MOST_CANDIDATES)
    )
    return (await connection.execute(query, {"bands": list(bands)})).all()


async def spam_settings(connection: AsyncConnection, site_id: str) -> Any:
    """Answer a site's settings against spam as they are stored, None for the defaults."""
    return (await connection.execute(sa.select(sites.c.spam).where(sites.c.id == site_id))).scalar_one()


async def repeats(connection: AsyncConnection, site_id: str, hashes: Iterable[str], *, since_id: str) -> dict[str, int]:
    """Answer how many comments since a time have each of these words, letter by letter."""
    query = (
        sa.select(revisions.c.body_hash, sa.func.count(revisions.c.comment_id.distinct()))
        .where(
            revisions.c.body_hash.in_(sa.bindparam("hashes", expanding=True)),
            revisions.c.comment_id >= since_id,
            revisions.c.site_id == site_id,
        )
        .group_by(revisions.c.body_hash)
    )
    return {row[0]: row[1] for row in await connection.execute(query, {"hashes": list(hashes)})}


async def bursts(
    connection: AsyncConnection, site_id: str, networks: Iterable[str], *, since: datetime
) -> dict[str, int]:
    """Answer how many texts came from each of these networks since a time."""
    query = (
        sa.select(revisions.c.network_hash, sa.func.count())
        .where(
            revisions.c.network_hash.in_(sa.bindparam("networks", expanding=True)),
            revisions.c.created_at > since,
            revisions.c.site_id == site_id,
        )
        .group_by(revisions.c.network_hash)
    )
    return {row[0]: row[1] for row in await connection.execute(query, {"networks": list(networks)})}
