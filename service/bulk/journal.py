"""What a run has found so far, kept so that a run that was killed is gone on with; it holds scores and no text.

A line for each chunk of rows, in order, written and synced before the next begins. What a kill has left half-written at
the end is cut off, and the chunk is scored again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self
from zlib import crc32

import msgspec

from service.settings import SettingsError

_LONGEST_HEAD = 4096


class Found(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one row: its values in the order of the attributes, or why there are none; its language."""

    values: tuple[float, ...]
    reason: str = ""
    language: str = ""


class _Chunk(msgspec.Struct, frozen=True, array_like=True):
    first: int
    check: int
    found: tuple[Found, ...]


class _Head(msgspec.Struct, frozen=True):
    job: str


class Journal:
    """The journal of one job, held by one process at a time."""

    def __init__(self, path: Path, job: str, *, restart: bool = False) -> None:
        """Open the journal, or begin it; raise SettingsError where another process has it, or it is of another job."""
        self.path = path
        self._file = open(path, "a+b")  # noqa: SIM115 - It stays open as long as the journal does.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise SettingsError(f"{path}: another run is writing it now") from None
        self.rows = 0
        try:
            if restart:
                self._cut(0)
            self._resume(job)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _resume(self, job: str) -> None:
        self._file.seek(0)
        head, ours = self._file.readline(_LONGEST_HEAD), msgspec.json.encode(_Head(job))
        # A power cut may leave zeros behind what was written.
        if ours.startswith(head.rstrip(b"\0")):
            self._cut(0)
            self._append(ours)
            return
        try:
            same = msgspec.json.decode(head, type=_Head).job == job
        except msgspec.MsgspecError:
            same = False
        if not same:
            raise SettingsError(
                f"{self.path}: is no journal, or was left by a run with another input, model, version or option; "
                "--restart begins anew"
            )
        self._cut(self._whole(len(head)))

    def _whole(self, end: int) -> int:
        """Count the rows of chunks that are whole and answer where the last of them ends."""
        for line in self._file:
            chunk = _chunk_of(line)
            if chunk is None or chunk.first != self.rows:
                break
            self.rows += len(chunk.found)
            end += len(line)
        return end

    def _cut(self, end: int) -> None:
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def add(self, found: Sequence[Found]) -> None:
        """Keep what was found of the next rows, for good."""
        self._append(msgspec.json.encode(_Chunk(self.rows, _check_of(found), tuple(found))))
        self.rows += len(found)

    def _append(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def found(self) -> Iterator[Found]:
        """Yield what is known of every row, in order."""
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                yield from msgspec.json.decode(line, type=_Chunk).found


def _chunk_of(line: bytes) -> _Chunk | None:
    """Read a line; None for one that a kill or a lost write has left torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        chunk = msgspec.json.decode(line, type=_Chunk)
    except (msgspec.MsgspecError, ValueError):
        return None
    return chunk if chunk.check == _check_of(chunk.found) else None


def _check_of(found: Sequence[Found]) -> int:
    return crc32(msgspec.json.encode(tuple(found)))
