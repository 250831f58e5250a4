"""How a Detoxify checkpoint becomes a model that can be trusted; torch is imported only when one is opened.

The package leaves much to its caller, all of which is done here: the checkpoint's digest is checked, it is read
without running code, every weight must be there, and no network is asked.
"""

import pickle
import re
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from moderation.scorers.detoxify_checkpoint import Recipe, check_weights, known_weights, read_recipe
from moderation.scorers.detoxify_files import (
    ENGLISH,
    OPTIONAL,
    PUBLISHED,
    SEVEN,
    check_digest,
    check_pulled,
    expected_digest,
    file_digest,
    folder_of,
    read_pulled,
)
from moderation.scorers.transformer import Framing
from moderation.scores import Attribute, ScorerError

_LEAST_KNOWN = 0.9
"""A tokenizer that knows a smaller part of the model's tokens lacks its vocabulary."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A checked checkpoint as the package's object, with what a caller must know to run or export its model."""

    name: str
    digest: str
    languages: frozenset[str]
    recipe: Recipe
    framing: Framing
    base: Path
    package: Any
    """An instance of `detoxify.Detoxify`; its `model` is in evaluation mode and on the device."""

    @property
    def model_id(self) -> str:
        """The model's name and the first eight digits of the checkpoint's sha256."""
        return f"detoxify-{self.name}@{self.digest[:8]}"

    @property
    def labels(self) -> tuple[Attribute, ...]:
        """The attributes in the order of the columns that are kept of the output."""
        return tuple(self.recipe.labels[column] for column in self.recipe.columns)


@dataclass(frozen=True)
class _Place:
    """Where the parts of a model lie, and with which digits the checkpoint's sha256 begins."""

    name: str
    checkpoint: Path
    digits: str
    base: Path | None
    languages: frozenset[str] | None


def open_model(
    name_or_path: str | Path, *, models_home: Path, device: str = "cpu", threads: int = 1, trusted_digest: str = ""
) -> Opened:
    """Read, check and build a model as DetoxifyScorer.load does, for a caller that needs the model itself."""
    import torch

    _check_device(device)
    torch.set_num_threads(threads)
    _be_offline_and_silent()
    place = _find(name_or_path, models_home)
    recipe, state, digest = _read(place, trusted_digest)
    base = place.base or _base_of(place.checkpoint, recipe, models_home)
    package = _build(recipe, state, base, device, place.checkpoint)
    return Opened(
        name=place.name,
        digest=digest,
        languages=place.languages or (SEVEN if recipe.architecture == "xlm-roberta" else ENGLISH),
        recipe=recipe,
        framing=_framing(package, base),
        base=base,
        package=package,
    )


def addresses_of(name: str) -> dict[str, str]:
    """Return where the files of a published model are, by file name, the checkpoint last: the package's own addresses.

    Those of its base model are the hub's; ModuleNotFoundError where the package is not installed.
    """
    from detoxify.detoxify import MODEL_URLS
    from huggingface_hub import hf_hub_url

    published = PUBLISHED[name]
    base = {file: hf_hub_url(published.base, file) for file in (*published.files, *OPTIONAL)}
    return {**base, MODEL_URLS[name].rpartition("/")[2]: MODEL_URLS[name]}


def _check_device(device: str) -> None:
    import torch

    if device == "cpu":
        return
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise ScorerError(f"the device {device!r} is neither cpu nor cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(device.partition(":")[2] or 0) >= count:
        raise ScorerError(
            f"the device {device} is not there: torch {torch.__version__} finds {count} CUDA devices; use cpu, or "
            "install torch with CUDA and the driver"
        )


def _be_offline_and_silent() -> None:
    """Let nothing be asked of a hub, whatever else is wrong, and keep progress bars out of a process's log."""
    import huggingface_hub.constants
    import transformers

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _find(name_or_path: str | Path, models_home: Path) -> _Place:
    name = str(name_or_path)
    if name in PUBLISHED:
        return _find_pulled(name, folder_of(models_home, name))
    path = Path(name_or_path)
    if not path.is_file():
        raise ScorerError(f"there is no checkpoint {path}; names are {', '.join(PUBLISHED)}, or the path of a file")
    digits = expected_digest(path)
    stem = re.sub(r"-[0-9a-f]{8}$", "", path.stem)
    return _Place(re.sub(r"[^A-Za-z0-9._-]", "_", stem), path, digits, None, None)


def _find_pulled(name: str, folder: Path) -> _Place:
    from detoxify.detoxify import MODEL_URLS

    pulled, published = read_pulled(folder, name), MODEL_URLS[name].rpartition("/")[2]
    if pulled.checkpoint != published:
        raise ScorerError(
            f"{folder} holds {pulled.checkpoint}, and the installed package's {name} is {published}: run "
            f"`python -m service model pull {name}` again"
        )
    check_pulled(folder, pulled)
    checkpoint, digest = folder / pulled.checkpoint, pulled.files[pulled.checkpoint]
    check_digest(checkpoint, digest, expected_digest(checkpoint))
    return _Place(name, checkpoint, digest, folder, PUBLISHED[name].languages)


def _read(place: _Place, trusted_digest: str) -> tuple[Recipe, dict[str, Any], str]:
    try:
        # One open file is measured and then read, so that it cannot be replaced between the two.
        with place.checkpoint.open("rb") as file:
            digest = file_digest(file)
            check_digest(place.checkpoint, digest, place.digits)
            content = _unpickled(file, place.checkpoint, may_run_code=digest == trusted_digest)
    except OSError as error:
        raise ScorerError(f"{place.checkpoint} cannot be read ({error.strerror})") from None
    recipe = read_recipe(content, str(place.checkpoint))
    return recipe, _tensors(content["state_dict"], place.checkpoint), digest


def _unpickled(file: BufferedReader, checkpoint: Path, *, may_run_code: bool) -> Any:
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # Nothing that lies beside the file or in its name may decide this: all of it can come with a download.
        if not may_run_code:
            raise ScorerError(
                f"{checkpoint} holds more than weights: loading it runs code from the file, with all rights of this "
                f"process. Nothing of it was run. Only if you made the file yourself, set SCORER_TRUSTED_DIGEST to "
                f"the 64 digits of its sha256, as `sha256sum` prints them where you made it"
            ) from None
    except Exception as error:
        raise _unreadable(checkpoint, error) from None
    file.seek(0)
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:
        raise _unreadable(checkpoint, error) from None


def _unreadable(checkpoint: Path, error: Exception) -> ScorerError:
    return ScorerError(f"{checkpoint} is not a checkpoint that torch can read ({type(error).__name__})")


def _tensors(state: object, checkpoint: Path) -> dict[str, Any]:
    import torch

    if not isinstance(state, dict) or not all(
        isinstance(one, torch.Tensor) and not one.is_complex() for one in state.values()
    ):
        raise ScorerError(f"{checkpoint}: the checkpoint's state_dict is not one of tensors")
    try:
        # The smallest and the largest of a tensor are no numbers where any of it is none; that takes one pass.
        ends = [end for one in state.values() if one.numel() for end in torch.aminmax(one.float())]
        finite = all(bool(torch.isfinite(end)) for end in ends)
    except RuntimeError as error:
        raise _unreadable(checkpoint, error) from None
    if not finite:
        raise ScorerError(f"{checkpoint}: the checkpoint holds weights that are not finite numbers")
    return dict(state)


def _base_of(checkpoint: Path, recipe: Recipe, models_home: Path) -> Path:
    """Find the config and tokenizer of a local checkpoint: beside it, where it says, or pulled with the same base."""
    named = Path(recipe.model_type)
    places = [checkpoint.parent, *([named] if named.is_absolute() else [])]
    places += [folder_of(models_home, name) for name, one in PUBLISHED.items() if one.base == recipe.model_type]
    for place in places:
        if (place / "config.json").is_file():
            return place
    raise ScorerError(
        f"{checkpoint}: there is no config.json with a tokenizer in {' or '.join(map(str, places))}; put those files "
        f"of {recipe.model_type} beside the checkpoint"
    )


def _build(recipe: Recipe, state: dict[str, Any], base: Path, device: str, checkpoint: Path) -> Any:
    import torch

    try:
        config = _model_class(recipe).config_class.from_pretrained(base, num_labels=recipe.outputs)
        with torch.device("meta"):
            expected = {name: tuple(one.shape) for name, one in _model_class(recipe)(config).state_dict().items()}
        check_weights(expected, {name: tuple(one.shape) for name, one in state.items()}, str(checkpoint))
        known = known_weights(state, expected)
        package = _package(recipe, known, base, device)
    except ScorerError:
        raise
    except Exception as error:
        raise ScorerError(
            f"{base}: no model can be built from its config.json and tokenizer ({type(error).__name__})"
        ) from None
    loaded = package.model.state_dict()
    if not all(torch.equal(loaded[name].float().cpu(), one.float()) for name, one in known.items()):
        raise ScorerError(f"{checkpoint}: the package did not take the weights as they are")
    return package


def _model_class(recipe: Recipe) -> Any:
    import transformers

    return getattr(transformers, recipe.model_name)


def _package(recipe: Recipe, state: dict[str, Any], base: Path, device: str) -> Any:
    from detoxify.detoxify import Detoxify, get_model_and_tokenizer

    class Checked(Detoxify):  # type: ignore[misc]
        """The package's class over a checkpoint that was read already: by itself it would unpickle anything."""

        def __init__(self) -> None:
            self.model, self.tokenizer = get_model_and_tokenizer(
                str(base), recipe.model_name, recipe.tokenizer_name, recipe.outputs, state
            )
            self.class_names = [str(label) for label in recipe.labels]
            self.device = device
            self.model.float().eval().to(device)

    return Checked()


def _framing(package: Any, base: Path) -> Framing:
    tokenizer, embeddings = package.tokenizer, package.model.base_model.embeddings
    known, rows = len(tokenizer), embeddings.word_embeddings.num_embeddings
    if not _LEAST_KNOWN * rows <= known <= rows:
        raise ScorerError(
            f"{base}: the tokenizer knows {known} tokens and the model {rows}: its files are not "
            "whole or of another model"
        )
    whole, bare = tokenizer("a").input_ids, tokenizer("a", add_special_tokens=False).input_ids
    start = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), None)
    if start is None or not bare:
        raise ScorerError(f"{base}: the tokenizer reads a text in another way than windows need")
    # The roberta family counts positions from after the number of the padding.
    padding = embeddings.position_embeddings.padding_idx
    positions = embeddings.position_embeddings.num_embeddings - (0 if padding is None else padding + 1)
    return Framing(
        before=tuple(whole[:start]),
        after=tuple(whole[start + len(bare) :]),
        pad_id=tokenizer.pad_token_id,
        longest=min(positions, int(tokenizer.model_max_length)),
        marks=frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id},
    )
