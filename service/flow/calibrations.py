"""The calibration in force, applied to what a model said before a policy judges it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.calibration import Calibration, CalibrationMap
from moderation.scores import Attribute, Scores
from service.store import calibrations
from service.store.types import Row

_KEPT = 256

logger = logging.getLogger(__name__)


class Calibrated(msgspec.Struct, frozen=True):
    """What a policy judges, and what of it the model had said otherwise; no scores when they cannot be calibrated."""

    scores: Scores | None
    raw: dict[Attribute, float] | None = None
    version: str | None = None


class Known(NamedTuple):
    """A stored version with its maps, which are None when they cannot be read."""

    version: str
    calibration: Calibration | None


class Calibrations:
    """The calibrations of one batch's sites and models: a site's own, else the installation's."""

    def __init__(self, found: Mapping[tuple[str | None, str], Known]) -> None:
        self._found = found

    def apply(self, site_id: str, scores: Scores | None) -> Calibrated:
        """Calibrate the scores of a comment on a site; those of a model without a calibration stay as they are."""
        if scores is None:
            return Calibrated(None)
        keys = [key for key in ((site_id, scores.model_id), (None, scores.model_id)) if key in self._found]
        if not keys:
            return Calibrated(scores)
        version, calibration = self._found[keys[0]]
        if calibration is None:
            return Calibrated(None)
        raw = {name: scores.values[name] for name in calibration.maps if name in scores.values}
        return Calibrated(calibration.apply(scores), raw, version)


#: A version never changes, so what is parsed stays right.
_parsed: dict[tuple[str, str], Known] = {}


async def in_force(connection: AsyncConnection, wanted: Iterable[tuple[str, Scores | None]]) -> Calibrations:
    """Answer what is in force now for (site_id, scores) pairs: one query, and another for maps not seen before."""
    pairs = [(site_id, scores.model_id) for site_id, scores in wanted if scores is not None]
    if not pairs:
        return Calibrations({})
    rows = await calibrations.in_force(connection, {site for site, _ in pairs}, {model for _, model in pairs})
    # Held here, for keeping a new one may let go of another that is wanted.
    found = {row.id: _parsed[_key(row)] for row in rows if _key(row) in _parsed}
    missing = {row.id: row for row in rows if row.id not in found}
    if missing:
        for id_, document in (await calibrations.documents(connection, missing)).items():
            if len(_parsed) >= _KEPT:
                _parsed.pop(next(iter(_parsed)))
            row = missing[id_]
            found[id_] = _parsed[_key(row)] = Known(row.version, _readable(row, document))
    return Calibrations({(row.site_id, row.model_id): found[row.id] for row in rows})


def _key(row: Row) -> tuple[str, str]:
    return row.model_id, row.version


def _readable(row: Row, document: Any) -> Calibration | None:
    """Answer a stored calibration; with one that this version cannot read, a person looks at every comment."""
    try:
        return Calibration(row.model_id, maps_of(document))
    except (msgspec.ValidationError, ValueError):
        extra = {"site_id": row.site_id, "version": row.version, "model_id": row.model_id}
        logger.error("a stored calibration cannot be read; every comment under it is held", extra=extra)
        return None


def maps_of(document: Any) -> dict[Attribute, CalibrationMap]:
    """Answer the maps of a stored document; raise ValueError when they are not maps."""
    return msgspec.convert(document, dict[Attribute, CalibrationMap])
