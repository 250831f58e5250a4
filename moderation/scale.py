"""Put what a model of ours says on Perspective's scale, by rising maps that come with the code.

They are fitted by `python -m training.perspective`. A map belongs to one model id, as thresholds and calibrations do,
and takes what the model itself gave: a site's calibration says how often a score is right on that site, which is no
step on the way to what Perspective would have said.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from moderation.calibration import Calibration, CalibrationMap, log_odds
from moderation.scores import Attribute

SHIPPED = Path(__file__).parent / "models" / "perspective.json"
"""The maps that come with the code, one entry for each model that has some."""


def on_perspective_scale(model_id: str, attribute: Attribute, value: float) -> float:
    """Return the value in [0, 1] that Perspective gives to texts like this one; the same where there is no map."""
    found = _map(model_id, attribute)
    return value if found is None else found.apply(log_odds(value))


def is_scaled(model_id: str, attribute: Attribute) -> bool:
    """Return whether there is a map for an attribute of a model."""
    return _map(model_id, attribute) is not None


def maps_version(model_id: str) -> str:
    """Return the name of exactly the maps that a model has; KeyError where it has none."""
    return _calibrations()[model_id].version


def read_maps(path: Path) -> tuple[Calibration, ...]:
    """Return the maps that a file holds; ValueError where it is not one of maps."""
    return msgspec.json.decode(path.read_bytes(), type=tuple[Calibration, ...])


@cache
def _calibrations() -> Mapping[str, Calibration]:
    return {one.model_id: one for one in read_maps(SHIPPED)}


def _map(model_id: str, attribute: Attribute) -> CalibrationMap | None:
    found = _calibrations().get(model_id)
    return None if found is None else found.maps.get(attribute)
