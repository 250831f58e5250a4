"""A calibration is fitted, stored in place of the former one, listed and retired; every act leaves an audit event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from moderation.calibration import Calibration, CalibrationMap
from moderation.decision import Action
from moderation.reliability import Report, fit_map
from moderation.scores import Attribute
from service.errors import Problem
from service.flow.audit import audit
from service.flow.calibrations import maps_of
from service.flow.context import Context
from service.store import calibrations, records
from service.store.types import Row

#: The latest decisions that are looked at.
MOST_DECISIONS = 100_000
_TAKEN_DOWN = {Action.REJECT.value, Action.REMOVE.value}
_LET_STAND = {Action.APPROVE.value, Action.RESTORE.value}


class Rows(msgspec.Struct, frozen=True):
    """What a model said of texts, before any stored calibration, and their labels."""

    values: list[float]
    labels: list[bool]
    source: str
    reasons: dict[str, int] = {}


class Fitted(msgspec.Struct, frozen=True):
    """A map for one attribute of one model, and what it stands on."""

    model_id: str
    attribute: Attribute
    source: str
    map: CalibrationMap
    report: Report


class Stored(msgspec.Struct, frozen=True):
    """The version now in force and the one that it replaced."""

    id: str
    version: str
    former: str | None


async def decided_rows(
    context: Context, site: Row, model_id: str, attribute: Attribute, reasons: Collection[str] = ()
) -> Rows:
    """Answer what moderators of a site decided: approved or restored is 0, rejected or removed is 1.

    With reasons, only what was taken down for one of them is 1, and what was for others is left out.
    """
    async with context.database.reading() as connection:
        found = await calibrations.decided(connection, site.id, model_id, limit=MOST_DECISIONS)
    values, labels, seen = [], [], Counter[str]()
    for row in found:
        value = (row.raw or {}).get(attribute.value, row.attributes.get(attribute.value))
        codes = {reason["code"] for reason in row.reasons}
        if row.action in _TAKEN_DOWN:
            seen.update(codes)
        elif row.action not in _LET_STAND:
            continue
        if value is None or (row.action in _TAKEN_DOWN and reasons and codes.isdisjoint(reasons)):
            continue
        values.append(value)
        labels.append(row.action in _TAKEN_DOWN)
    return Rows(values, labels, "decisions", dict(seen.most_common()))


def fit(model_id: str, attribute: Attribute, rows: Rows) -> Fitted:
    """Fit a map; raise CalibrationError when the rows do not allow one."""
    fitted, report = fit_map(rows.values, rows.labels)
    return Fitted(model_id, attribute, rows.source, fitted, report)


async def store(context: Context, actor: str, site: Row | None, fitted: Fitted) -> Stored:
    """Put a map in force for a site, or the installation; the maps of other attributes are carried over."""
    now, site_id = context.now(), None if site is None else site.id
    async with context.database.writing() as connection:
        await records.in_turn(connection, site_id or "installation", f"calibration:{fitted.model_id}")
        former = await calibrations.current(connection, site_id, fitted.model_id)
        maps = {} if former is None else _former_maps(former)
        made = Calibration(fitted.model_id, maps | {fitted.attribute: fitted.map})
        report = msgspec.to_builtins(fitted.report) | {"source": fitted.source, "fitted_at": now.isoformat()}
        values = {
            "id": context.new_id(),
            "site_id": site_id,
            "model_id": fitted.model_id,
            "version": made.version,
            "document": msgspec.to_builtins(made.maps),
            "report": ({} if former is None else former.report) | {fitted.attribute.value: report},
            # The table knows labels and decisions; the report keeps where labels came from.
            "source": "decisions" if fitted.source == "decisions" else "labels",
            "rows": fitted.report.rows,
            "created_at": now,
            "created_by": actor,
        }
        await calibrations.replace(connection, values)
        data: dict[str, Any] = {
            "model_id": fitted.model_id,
            "attribute": fitted.attribute.value,
            "rows": fitted.report.rows,
        }
        await audit(connection, context, site_id, actor, "calibration.stored", made.version, **data)
    return Stored(values["id"], made.version, None if former is None else former.version)


def _former_maps(former: Row) -> dict[Attribute, CalibrationMap]:
    try:
        return maps_of(former.document)
    except ValueError:
        detail = f"The calibration in force, {former.id}, cannot be read by this version; retire it first."
        raise Problem("request.invalid", detail) from None


async def retire(context: Context, actor: str, calibration_id: str) -> Row:
    """End a calibration, so that what the model says counts again as it is, or the installation's maps do."""
    async with context.database.writing() as connection:
        row = await calibrations.retire(connection, calibration_id, at=context.now())
        if row is None:
            raise Problem("request.invalid", "No calibration with this id is in force.")
        await audit(connection, context, row.site_id, actor, "calibration.retired", row.version, model_id=row.model_id)
    return row


async def shown(context: Context, calibration_id: str) -> tuple[Row, dict[str, Report]]:
    """Answer a calibration's model and version, and the report of each attribute."""
    async with context.database.reading() as connection:
        row = await calibrations.report(connection, calibration_id)
    if row is None:
        raise Problem("request.invalid", "There is no calibration with this id.")
    return row, {name: msgspec.convert(report, Report) for name, report in row.report.items()}


async def listed(context: Context) -> Sequence[dict[str, Any]]:
    """Answer every calibration, the oldest first: for what, from what, and what it changed on held-out rows."""
    async with context.database.reading() as connection:
        rows = await calibrations.every(connection)
    return [
        {
            "id": row.id,
            "site": row.slug,
            "model_id": row.model_id,
            "version": row.version,
            "source": row.source,
            "rows": row.rows,
            "created_at": row.created_at,
            "created_by": row.created_by,
            "retired_at": row.retired_at,
            "attributes": {name: _figures(report) for name, report in row.report.items()},
        }
        for row in rows
    ]


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    kept = {name: report[name] for name in ("kind", "source", "rows", "positive", "fitted_at")}
    return kept | {
        f"{figure}_{when}": report[when][figure] for figure in ("ece", "log_loss") for when in ("before", "after")
    }
