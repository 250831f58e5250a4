"""The maps onto Perspective's scale belong to the shipped models, rise strictly, and change no order."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from moderation.calibration import Calibration, PiecewiseMap
from moderation.scale import SHIPPED, is_scaled, on_perspective_scale, read_maps
from moderation.scorers.hashed import HashedScorer
from moderation.scorers.onnx_folder import read_manifest
from moderation.scores import Attribute
from service.scorers import COMPACT

HASHED = HashedScorer.load()
MODELS = {HASHED.model_id: HASHED.attributes, read_manifest(COMPACT).model_id: read_manifest(COMPACT).labels}
STEPS = [step / 1000 for step in range(1001)]


def test_the_shipped_models_have_a_map_for_each_harm() -> None:
    """Whoever trains or calibrates a shipped model anew fits its maps again: another id has none."""
    assert {one.model_id: set(one.maps) for one in read_maps(SHIPPED)} == {
        model_id: set(attributes) for model_id, attributes in MODELS.items()
    }


@pytest.mark.parametrize("model_id", MODELS)
@pytest.mark.parametrize("attribute", HASHED.attributes)
def test_a_map_keeps_the_order_of_any_two_texts(model_id: str, attribute: Attribute) -> None:
    """From 0 to 1 the value rises at every step, from 0 itself to 1 itself."""
    mapped = [on_perspective_scale(model_id, attribute, value) for value in STEPS]
    assert all(low < high for low, high in pairwise(mapped))
    assert (mapped[0], mapped[-1]) == (0.0, 1.0)
    assert is_scaled(model_id, attribute)


def test_what_has_no_map_stays_as_it_is() -> None:
    """Another model's value, and a harm without a map, are the model's own."""
    assert [on_perspective_scale("another@1", Attribute.TOXICITY, value) for value in STEPS] == STEPS
    assert [on_perspective_scale(HASHED.model_id, Attribute.SEXUAL_EXPLICIT, value) for value in STEPS] == STEPS
    assert not is_scaled("another@1", Attribute.TOXICITY)
    assert not is_scaled(HASHED.model_id, Attribute.SEXUAL_EXPLICIT)


def test_many_threads_read_one_scale() -> None:
    """A server that answers on many threads gets one answer from all."""

    def every(_: int) -> list[float]:
        return [on_perspective_scale(HASHED.model_id, Attribute.INSULT, value) for value in STEPS]

    with ThreadPoolExecutor(8) as threads:
        assert len({tuple(values) for values in threads.map(every, range(32))}) == 1


def test_a_file_that_is_none_of_maps_is_refused(tmp_path: Path) -> None:
    """A map that falls, or another document, is no scale."""
    file = tmp_path / "maps.json"
    for text in ("{}", "[1]", '[{"model_id": "a@1"}]', "not JSON"):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"JSON|Expected|missing"):
            read_maps(file)
    with pytest.raises(ValueError, match="rising"):
        Calibration("a@1", {Attribute.TOXICITY: PiecewiseMap(raw=(0.0, 1.0), probability=(0.5, 0.4))})
