"""The files of a Detoxify model: which belong together, where they lie, and that no byte of them is another one.

Nothing here imports torch.
"""

import hashlib
import re
from io import BufferedReader
from pathlib import Path

import msgspec

from moderation.scores import ScorerError

PULLED = "pulled.json"
"""Written last into a pulled folder: a folder without it is not whole."""
SIDECAR = ".sha256"
"""Ends the name of a file beside a checkpoint with its digest, as `sha256sum` prints it: that finds damage alone."""
CHECKPOINT_SUFFIX = ".ckpt"
_DIGITS_IN_NAME = re.compile(r"-([0-9a-f]{8})\.ckpt$")
_WHOLE_DIGEST = re.compile(r"[0-9a-f]{64}")

ENGLISH = frozenset({"en"})
SEVEN = frozenset({"en", "fr", "es", "it", "pt", "tr", "ru"})


class Published(msgspec.Struct, frozen=True):
    """A model of the package: the base model whose config and tokenizer it needs, and what it was trained on."""

    base: str
    files: tuple[str, ...]
    languages: frozenset[str]


PUBLISHED = {
    "original": Published("bert-base-uncased", ("config.json", "tokenizer.json", "vocab.txt"), ENGLISH),
    "unbiased": Published("roberta-base", ("config.json", "tokenizer.json", "vocab.json", "merges.txt"), ENGLISH),
    "multilingual": Published("xlm-roberta-base", ("config.json", "tokenizer.json", "sentencepiece.bpe.model"), SEVEN),
}
"""The package's models that a name stands for, with the files of the base model that must be there."""
OPTIONAL = ("tokenizer_config.json",)
"""Files of a base model that are taken where they exist."""


class Pulled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pulled folder holds: the checkpoint's file name, and the sha256 of every file."""

    name: str
    checkpoint: str
    files: dict[str, str]


def folder_of(models_home: Path, name: str) -> Path:
    """Return the folder in which a pulled model lies."""
    return models_home / f"detoxify-{name}"


def digits_of(file_name: str) -> str | None:
    """Return the eight digits of sha256 that a checkpoint's name ends with, or None."""
    found = _DIGITS_IN_NAME.search(file_name)
    return found.group(1) if found else None


def file_digest(file: BufferedReader) -> str:
    """Return the sha256 of an open file in hexadecimal digits, and go back to its start."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def expected_digest(checkpoint: Path) -> str:
    """Return what a checkpoint's sha256 must begin with: the sidecar's 64 digits, else the eight of its name.

    Raise ScorerError where there is neither, or where they contradict each other: nothing could then tell a damaged
    file from a whole one.
    """
    digits, whole = digits_of(checkpoint.name), _sidecar_digest(checkpoint)
    if whole is not None and not whole.startswith(digits or ""):
        raise ScorerError(f"{checkpoint}: the digest in its name is not the one in {checkpoint.name}{SIDECAR}")
    expected = whole or digits
    if expected is None:
        raise ScorerError(
            f"{checkpoint}: neither its name ends with -<first 8 digits of its sha256>{CHECKPOINT_SUFFIX} nor is there "
            f"a {checkpoint.name}{SIDECAR}; if the file is what you trained, make one: "
            f"sha256sum {checkpoint.name} > {checkpoint.name}{SIDECAR}"
        )
    return expected


def _sidecar_digest(checkpoint: Path) -> str | None:
    sidecar = checkpoint.with_name(checkpoint.name + SIDECAR)
    if not sidecar.exists():
        return None
    words = _text_of(sidecar).split()
    if not words or not _WHOLE_DIGEST.fullmatch(words[0].lower()):
        raise ScorerError(f"{sidecar} does not begin with the 64 digits of a sha256")
    return words[0].lower()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ScorerError(f"{path} cannot be read ({error.strerror})") from None


def check_digest(path: Path, found: str, expected: str) -> None:
    """Raise ScorerError where a file's sha256 is not, or does not begin with, the expected digits."""
    if not found.startswith(expected):
        raise ScorerError(
            f"{path} is damaged or another file: its sha256 begins with {found[: len(expected)][:8]}, not with "
            f"{expected[:8]}; delete it and get it again"
        )


def read_pulled(folder: Path, name: str) -> Pulled:
    """Return what a pulled folder says that it holds; ScorerError where it was not pulled to the end."""
    path = folder / PULLED
    remedy = f"run `python -m service model pull {name}` (with --from FOLDER where this machine has no network)"
    if not path.exists():
        raise ScorerError(f"the model {name} is not in {folder}: {remedy}")
    try:
        pulled = msgspec.json.decode(_text_of(path), type=Pulled)
    except (msgspec.MsgspecError, RecursionError):
        raise ScorerError(f"{path} does not say what was pulled: {remedy}") from None
    if pulled.name != name or any(wanted not in pulled.files for wanted in (pulled.checkpoint, *PUBLISHED[name].files)):
        raise ScorerError(f"{path} does not name all files of the model {name}: {remedy}")
    return pulled


def check_pulled(folder: Path, pulled: Pulled) -> None:
    """Raise ScorerError where a file beside the checkpoint is absent or not the one that was pulled."""
    for name, digest in pulled.files.items():
        if name != pulled.checkpoint:
            check_digest(folder / name, path_digest(folder / name), digest)


def path_digest(path: Path) -> str:
    """Return the sha256 of a file; ScorerError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file)
    except OSError as error:
        raise ScorerError(f"{path} cannot be read ({error.strerror})") from None
