"""Calibrations, append-only but for their retirement, and the decisions of moderators that one can be fitted on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import ActorKind
from service.store.tables import calibrations, decisions, scores, sites
from service.store.types import Row

_IN_FORCE = sa.select(calibrations.c.id, calibrations.c.site_id, calibrations.c.model_id, calibrations.c.version).where(
    calibrations.c.retired_at.is_(None),
    calibrations.c.model_id.in_(sa.bindparam("models", expanding=True)),
    sa.or_(calibrations.c.site_id.is_(None), calibrations.c.site_id.in_(sa.bindparam("of_sites", expanding=True))),
)


async def in_force(connection: AsyncConnection, site_ids: Iterable[str], model_ids: Iterable[str]) -> Sequence[Row]:
    """Answer id, site, model and version of what is in force for these models: on these sites, and everywhere.

    Crosses sites on purpose: a batch does. Each row names its site, or none.
    """
    found = await connection.execute(_IN_FORCE, {"of_sites": list(site_ids), "models": list(model_ids)})
    return found.all()


async def documents(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Any]:
    """Answer the maps of calibrations by id."""
    query = sa.select(calibrations.c.id, calibrations.c.document).where(calibrations.c.id.in_(list(ids)))
    return {row.id: row.document for row in await connection.execute(query)}


async def current(connection: AsyncConnection, site_id: str | None, model_id: str) -> Row | None:
    """Answer the calibration in force of exactly this site, or with None of the installation."""
    query = sa.select(calibrations).where(*_of(site_id, model_id))
    return (await connection.execute(query)).first()


def _of(site_id: str | None, model_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    of_site = calibrations.c.site_id.is_(None) if site_id is None else calibrations.c.site_id == site_id
    return of_site, calibrations.c.model_id == model_id, calibrations.c.retired_at.is_(None)


async def replace(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Put a calibration in force in place of the one that its site or the installation had for this model."""
    former = calibrations.update().where(*_of(values["site_id"], values["model_id"]))
    await connection.execute(former.values(retired_at=values["created_at"]))
    await connection.execute(calibrations.insert(), dict(values))


async def retire(connection: AsyncConnection, calibration_id: str, *, at: datetime) -> Row | None:
    """End a calibration; answer its row, or None when there is none in force with this id."""
    query = (
        calibrations.update()
        .where(calibrations.c.id == calibration_id, calibrations.c.retired_at.is_(None))
        .values(retired_at=at)
        .returning(calibrations.c.site_id, calibrations.c.version, calibrations.c.model_id)
    )
    return (await connection.execute(query)).first()


async def report(connection: AsyncConnection, calibration_id: str) -> Row | None:
    """Answer what a calibration stands on, in force or not."""
    query = sa.select(calibrations.c.model_id, calibrations.c.version, calibrations.c.report)
    return (await connection.execute(query.where(calibrations.c.id == calibration_id))).first()


async def every(connection: AsyncConnection) -> Sequence[Row]:
    """Answer all calibrations with the slug of their site, the oldest first, without their maps."""
    wanted = [column for column in calibrations.c if column.name != "document"]
    query = (
        sa.select(*wanted, sites.c.slug)
        .select_from(calibrations.outerjoin(sites, sites.c.id == calibrations.c.site_id))
        .order_by(calibrations.c.id)
    )
    return (await connection.execute(query)).all()


async def decided(connection: AsyncConnection, site_id: str, model_id: str, *, limit: int) -> Sequence[Row]:
    """Answer revisions that a moderator decided and this model scored, the latest decisions first.

    Each with the action and reasons of the last decision of a moderator, and the newest scores of the model.
    """
    last = _newest(
        decisions,
        [decisions.c.id, decisions.c.revision_id, decisions.c.action, decisions.c.reasons],
        [decisions.c.site_id == site_id, decisions.c.actor_kind == ActorKind.MODERATOR.value],
    )
    said = _newest(
        scores,
        [scores.c.id, scores.c.revision_id, scores.c.attributes, scores.c.raw],
        [scores.c.site_id == site_id, scores.c.model_id == model_id],
    )
    query = (
        sa.select(last.c.revision_id, last.c.action, last.c.reasons, said.c.attributes, said.c.raw)
        .select_from(last.join(said, said.c.revision_id == last.c.revision_id))
        .where(last.c.place == 1, said.c.place == 1)
        .order_by(last.c.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).all()


def _newest(table: sa.Table, columns: list[sa.Column[Any]], where: list[sa.ColumnElement[bool]]) -> sa.Subquery:
    """Answer rows with their place among those of their revision, the newest at 1."""
    place = sa.func.row_number().over(partition_by=table.c.revision_id, order_by=table.c.id.desc())
    return sa.select(*columns, place.label("place")).where(*where).subquery()
