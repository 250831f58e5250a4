"""Bring a published model here, whole: its checkpoint, and the config and tokenizer of its base model."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from moderation.scorers.detoxify_files import (
    OPTIONAL,
    PULLED,
    Pulled,
    check_digest,
    digits_of,
    folder_of,
    path_digest,
    read_pulled,
)
from moderation.scores import ScorerError
from service.model_download import (
    PIECE,
    NotThereError,
    Pause,
    PullError,
    Report,
    discard,
    download,
    finish,
)

PART = ".part"
"""The ending of a file that is not whole yet."""
_LOCK = ".pull.lock"


class Wanted(msgspec.Struct, frozen=True):
    """One file of a model: its name, its makers' address for it, and what its sha256 begins with, if known."""

    name: str
    url: str
    digits: str | None = None
    optional: bool = False


class Progress(Protocol):
    """Shown how a file arrives."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Take the bytes that are there, and how many there will be where that is known."""


def wanted_files(addresses: Mapping[str, str]) -> list[Wanted]:
    """Answer what is to be brought, given each file's published address; the last is the checkpoint."""
    return [Wanted(name, url, digits_of(name), optional=name in OPTIONAL) for name, url in addresses.items()]


def pull(
    name: str, files: list[Wanted], home: Path, source: str | None, progress: Progress, pause: Pause = time.sleep
) -> Path:
    """Bring every file that is not there and whole into the model's folder and answer it; raise PullError.

    `source` is a folder, a checkpoint in one, or the address of a folder; with it no other place is asked.
    """
    folder = folder_of(home, name)
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder, name):
        known = _known(folder, name)
        digests = {}
        for wanted in files:
            if known and wanted.optional and wanted.name not in known:
                continue
            digest = _whole_digest(folder / wanted.name, wanted, known) or _bring(
                folder, wanted, source, progress, pause
            )
            if digest is not None:
                digests[wanted.name] = digest
        _write(folder / PULLED, msgspec.json.encode(Pulled(name, files[-1].name, digests)))
    return folder


@contextlib.contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """The system lets go of the lock when its process ends, however it ends."""
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PullError(f"another process is pulling {name} into {folder}") from None
        yield


def _known(folder: Path, name: str) -> dict[str, str]:
    try:
        return read_pulled(folder, name).files
    except ScorerError:
        return {}


def _whole_digest(path: Path, wanted: Wanted, known: dict[str, str]) -> str | None:
    """Answer the digest of a file that is there already and is what it must be."""
    expected = known.get(wanted.name) or wanted.digits
    if expected is None or not path.is_file():
        return None
    digest = path_digest(path)
    return digest if digest.startswith(expected) and digest.startswith(wanted.digits or "") else None


def _bring(folder: Path, wanted: Wanted, source: str | None, progress: Progress, pause: Pause) -> str | None:
    part, target = folder / f"{wanted.name}{PART}", folder / wanted.name

    def report(done: int, total: int | None) -> None:
        progress(wanted.name, done, total)

    try:
        if source is None or "://" in source:
            return _bring_from(_address(wanted, source), part, target, wanted, report, pause)
        _copy(_place(wanted, Path(source)), part, report)
        return _checked(part, target, wanted, str(source))
    except NotThereError:
        if not wanted.optional:
            raise
        # One that an earlier pull left would be read with the new files, and be none of them.
        target.unlink(missing_ok=True)
        return None


def _address(wanted: Wanted, source: str | None) -> str:
    if source is None:
        return wanted.url
    folder, _, last = source.rpartition("/")
    return f"{folder if last == wanted.name or last.endswith('.ckpt') else source.rstrip('/')}/{wanted.name}"


def _bring_from(url: str, part: Path, target: Path, wanted: Wanted, report: Report, pause: Pause) -> str:
    if wanted.digits is None:
        # Nothing could tell a whole from two halves of two versions.
        discard(part)
    one_piece = download(url, part, report, pause)
    try:
        return _checked(part, target, wanted, url)
    except PullError:
        if one_piece:
            raise
    # The pieces may have been of two files; from its start it is this one or is refused.
    download(url, part, report, pause)
    return _checked(part, target, wanted, url)


def _checked(part: Path, target: Path, wanted: Wanted, source: str) -> str:
    digest = path_digest(part)
    try:
        check_digest(Path(wanted.name), digest, wanted.digits or "")
        if wanted.name.endswith(".json"):
            json.loads(part.read_bytes())
    except ScorerError:
        discard(part)
        raise PullError(
            f"{wanted.name} from {source} is not the published file: its sha256 begins with {digest[:8]}, not with "
            f"{wanted.digits}; it was removed"
        ) from None
    except ValueError:
        discard(part)
        raise PullError(f"{wanted.name} from {source} is not JSON; it was removed") from None
    finish(part, target)
    return digest


def _place(wanted: Wanted, source: Path) -> Path:
    """Answer where a file lies in a local source, which may be the checkpoint itself under any name."""
    if source.is_file():
        return source if wanted.digits else source.parent / wanted.name
    return source / wanted.name


def _copy(place: Path, part: Path, report: Report) -> None:
    discard(part)
    if not place.is_file():
        raise NotThereError(f"{place} is not there")
    total = place.stat().st_size
    free = shutil.disk_usage(part.parent).free
    if total > free:
        raise PullError(f"{part.parent} has {free // 10**6} MB free, and {total // 10**6} MB are to come")
    with place.open("rb") as read, part.open("wb") as file:
        while piece := read.read(PIECE):
            file.write(piece)
            report(file.tell(), total)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + PART)
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def what_to_do(name: str, files: list[Wanted]) -> str:
    """Answer how a machine without network gets a model."""
    addresses = "\n".join(f"  {one.url}{'  (where it exists)' if one.optional else ''}" for one in files)
    return (
        f"On a machine with network, fetch these files into one folder, under their own names:\n{addresses}\n"
        f"Bring the folder here and run: python -m service model pull {name} --from FOLDER\n"
        "A server of yours that has them is named with --from URL, or for all models with MODELS_MIRROR=URL "
        f"(it then serves URL/detoxify-{name}/...)."
    )
