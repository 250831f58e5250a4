"""The folder of an exported model: what its manifest says, and that no byte of its files is another one."""

import hashlib
import math
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from moderation.calibration import CalibrationMap
from moderation.parts import Weighing
from moderation.scores import Attribute, ScorerError, is_sound

MANIFEST, MODEL, TOKENIZER = "model.json", "model.onnx", "tokenizer.json"
FILES = (MODEL, TOKENIZER)
"""What a folder holds beside its manifest."""
_SHORTEST = 8
"""A model that reads fewer tokens at once could not be given windows that overlap."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the numbers of the model mean and how a text becomes its input; `longest` counts special tokens too.

    A calibration maps the raw logit of an attribute to a probability; without one a score is the logit's sigmoid.
    Where activations are measured as the model runs, over all rows of a batch at once, `rows_alone` says that each row
    must go alone: a comment's score would else depend on the comments beside it.

    Where `parts` says how they are weighed, the parts of a text are scored by themselves too, and the worst counts.
    `highest` says what the worst texts reach in each attribute, where it was measured. Neither is written for a model
    that has none, so that the ids of models without them stay.
    """

    name: str
    architecture: str
    languages: tuple[str, ...]
    labels: tuple[Attribute, ...]
    longest: int
    pad_id: int
    inputs: tuple[str, ...]
    normalise: bool
    calibration: dict[Attribute, CalibrationMap] | None = None
    files: dict[str, str] = {}
    rows_alone: bool = False
    parts: Weighing | UnsetType = UNSET
    highest: dict[Attribute, float] | UnsetType = UNSET

    @property
    def weighing(self) -> Weighing | None:
        """How parts are weighed, or None where they are not scored."""
        return None if self.parts is UNSET else self.parts

    @property
    def highest_values(self) -> dict[Attribute, float]:
        """The highest value that a text was seen to reach in each attribute, 1 where nobody measured it."""
        measured = {} if self.highest is UNSET else self.highest
        return {label: measured.get(label, 1.0) for label in self.labels}

    @property
    def digest(self) -> str:
        """The sha256 of all that is said here, the hashes of the files among it."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def model_id(self) -> str:
        """The name and the first digits of the digest."""
        return f"{self.name}@{self.digest[:8]}"


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest and check it and its files; ScorerError says what is wrong and what to do."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise ScorerError(
            f"{folder / MANIFEST} cannot be read ({error.strerror}); a model's folder is made by "
            "`python -m service model export`"
        ) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ScorerError(f"{folder / MANIFEST} is not a model's manifest ({error}); export the model again") from None
    check_manifest(manifest, folder)
    for name in FILES:
        _check_file(folder / name, manifest.files[name])
    return manifest


def check_manifest(manifest: Manifest, folder: Path) -> None:
    """Raise ScorerError for a manifest that contradicts itself."""
    problems = {
        "it names no labels, or one twice": not manifest.labels or len(set(manifest.labels)) < len(manifest.labels),
        f"`longest` is less than {_SHORTEST}": manifest.longest < _SHORTEST,
        "`pad_id` is negative": manifest.pad_id < 0,
        "`inputs` lacks input_ids or attention_mask": not {"input_ids", "attention_mask"} <= set(manifest.inputs),
        f"`files` does not name exactly {' and '.join(FILES)}": set(manifest.files) != set(FILES),
        "`calibration` is not for exactly its labels": manifest.calibration is not None
        and set(manifest.calibration) != set(manifest.labels),
        "`parts` has a negative margin, or a number that is none": not _is_sound(manifest.weighing),
        "`highest` names another label": not set(manifest.highest or {}) <= set(manifest.labels),
        "`highest` has a value outside 0 to 1": bool(manifest.labels) and not is_sound(manifest.highest_values),
    }
    for problem, found in problems.items():
        if found:
            raise ScorerError(f"{folder / MANIFEST}: {problem}; export the model again")


def _is_sound(weighing: Weighing | None) -> bool:
    return weighing is None or (0 <= weighing.margin < math.inf and math.isfinite(weighing.most))


def _check_file(path: Path, digest: str) -> None:
    try:
        found = digest_of(path)
    except OSError as error:
        raise ScorerError(f"{path} cannot be read ({error.strerror}); copy the whole folder again") from None
    if found != digest:
        raise ScorerError(
            f"{path} is not the file that {MANIFEST} names (sha256 {found[:8]}..., not {digest[:8]}...): it is damaged "
            "or of another model; copy the whole folder again"
        )


def digest_of(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal digits, without holding the file in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write a folder's manifest with the hashes of the files that lie in it; return it as written."""
    whole = msgspec.structs.replace(manifest, files={name: digest_of(folder / name) for name in FILES})
    check_manifest(whole, folder)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    return whole
