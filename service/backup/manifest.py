"""What a backup says of itself: of what it is, what is in it, and where its audit chains ended."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from service.settings import SettingsError

NAME: Final = "manifest.json"
FORMAT: Final = 1
SEALED_KEY: Final = "secret.key.sealed"
DATABASE_FILES: Final = {"sqlite": "colloquy.db", "postgresql": "colloquy.dump"}
_BLOCK: Final = 1 << 20
_PLAIN: Final = re.compile(r"[a-z][a-z.]{1,40}")


class File(msgspec.Struct, frozen=True):
    """One file of a backup, by which it can be told whether it is whole."""

    size: int
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class End(msgspec.Struct, frozen=True):
    """Where an audit chain ended when the backup began; the database in it goes at least as far."""

    sequence: int
    hash: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The page of a backup."""

    format: int
    made_at: str
    version: str
    migration: str
    database: Literal["sqlite", "postgresql"]
    server: str
    files: Mapping[str, File]
    chains: Mapping[str, End]
    key: Literal["left_out", "sealed"]
    #: A known word sealed with SECRET_KEY: who opens it has the key that the database needs.
    key_proof: str

    @property
    def database_file(self) -> str:
        """The name of the file that holds the database."""
        return DATABASE_FILES[self.database]


def file_of(path: Path) -> File:
    """Answer size and checksum of a file, and see that it is on the disk."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as opened:
        os.fsync(opened.fileno())
        while block := opened.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return File(size, digest.hexdigest())


def write(folder: Path, manifest: Manifest) -> None:
    """Write the page last of all: a folder that has one is whole."""
    draft = folder / f"{NAME}.draft"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    with draft.open("rb") as opened:
        os.fsync(opened.fileno())
    draft.replace(folder / NAME)


def read(folder: Path) -> Manifest:
    """Answer the page of a backup whose files are as they were written; SettingsError says what is not."""
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise SettingsError(f"{folder}: has no {NAME}, so it is no backup or not a whole one") from None
    except OSError as error:
        raise SettingsError(f"{folder / NAME}: it cannot be read ({error.strerror})") from None
    except msgspec.DecodeError:
        raise SettingsError(f"{folder / NAME}: it is damaged, or of a version that this one does not know") from None
    if manifest.format != FORMAT:
        raise SettingsError(f"{folder / NAME}: is of format {manifest.format}, and this version knows {FORMAT}")
    if manifest.database_file not in manifest.files:
        raise SettingsError(f"{folder / NAME}: names no database")
    for name, written in manifest.files.items():
        if not _PLAIN.fullmatch(name):
            raise SettingsError(f"{folder / NAME}: names a file that no backup has")
        _check(folder / name, written)
    return manifest


def _check(path: Path, written: File) -> None:
    try:
        found = file_of(path)
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None
    if found != written:
        raise SettingsError(f"{path}: is not as it was written; its checksum does not fit")
