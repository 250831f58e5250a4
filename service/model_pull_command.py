"""The commands `model pull` and `model list`: get a published model, and see what is here."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from moderation.scorers.detoxify_files import (
    PUBLISHED,
    check_pulled,
    expected_digest,
    folder_of,
    path_digest,
    read_pulled,
)
from moderation.scores import ScorerError
from service.model_download import NotThereError, PullError, UnreachableError
from service.model_pull import PART, Wanted, pull, wanted_files, what_to_do
from service.settings import Settings, SettingsError

_REDRAWN_SECONDS = 0.2
_TENTHS = 10
MEGABYTE = 1_000_000


def add_pull(group: Any) -> None:
    """Add `model pull`."""
    parser = group.add_parser("pull", help="get a published model, with its digest checked; goes on where it broke off")
    parser.add_argument("name", metavar="NAME", choices=sorted(PUBLISHED), help=", ".join(PUBLISHED))
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PLACE",
        help="a folder, a checkpoint in one, or a mirror's URL; nothing else is asked",
    )
    parser.add_argument("--into", metavar="DIR", type=Path, help="where the model's folder is made; the models' home")
    parser.set_defaults(run=_pull)


def add_list(group: Any) -> None:
    """Add `model list`."""
    group.add_parser("list", help="name the published models, and say which are here and whole").set_defaults(run=_list)


def _pull(options: argparse.Namespace, settings: Settings) -> int:
    files = _published_files(options.name)
    home = options.into or settings.models
    mirror = settings.models_mirror.rstrip("/")
    source = options.source or (f"{mirror}/detoxify-{options.name}" if mirror else None)
    try:
        folder = pull(options.name, files, home, source, ShownProgress(sys.stderr))
    except (NotThereError, UnreachableError) as error:
        raise SettingsError(f"{error}\n{what_to_do(options.name, files)}") from None
    except (PullError, ScorerError) as error:
        raise SettingsError(str(error)) from None
    except OSError as error:
        raise SettingsError(f"{error.filename or home}: {error.strerror or type(error).__name__}") from None
    sys.stdout.write(f"{folder}\n")
    return 0


def _published_files(name: str) -> list[Wanted]:
    from moderation.scorers.detoxify_opening import addresses_of

    try:
        return wanted_files(addresses_of(name))
    except ModuleNotFoundError as missing:
        raise SettingsError(f"{missing.name} is not installed; run `make model` first") from None


class ShownProgress:
    """Shows how files arrive: one line that is redrawn on a terminal, else a line at each tenth."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Take where to write and what the time is."""
        self._stream, self._clock = stream, clock
        self._terminal = stream.isatty()
        self._name, self._from, self._since, self._shown, self._tenth = "", 0, 0.0, 0.0, -1

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Show the bytes that are there, of how many where that is known."""
        now, whole = self._clock(), done == total
        if name != self._name:
            self._name, self._from, self._since, self._shown, self._tenth = name, done, now, float("-inf"), -1
        if self._terminal:
            if whole or now - self._shown >= _REDRAWN_SECONDS:
                self._shown = now
                self._stream.write(f"\r\x1b[K{self._line(done, total, now)}" + ("\n" if whole else ""))
        elif (tenth := done * _TENTHS // total if total else done // (100 * MEGABYTE)) > self._tenth:
            self._tenth = tenth
            self._stream.write(self._line(done, total, now) + "\n")
        self._stream.flush()

    def _line(self, done: int, total: int | None, now: float) -> str:
        share = f"{100 * done // total:3d}%  {_mb(done)} of {_mb(total)} MB" if total else f"{_mb(done)} MB"
        took = now - self._since
        return f"{self._name}  {share}" + (f"  {_mb(int((done - self._from) / took))} MB/s" if took > 0 else "")


def _mb(count: int) -> str:
    return f"{count / MEGABYTE:.1f}"


def _list(_options: argparse.Namespace, settings: Settings) -> int:
    for name in PUBLISHED:
        sys.stdout.write(f"detoxify:{name}  {_state(settings.models, name)}\n")
    return 0


def _state(home: Path, name: str) -> str:
    folder = folder_of(home, name)
    parts = [f"{path.name} {_mb(path.stat().st_size)} MB" for path in sorted(folder.glob(f"*{PART}"))]
    if parts:
        return f"broken off ({', '.join(parts)}); `model pull {name}` goes on  {folder}"
    try:
        pulled = read_pulled(folder, name)
    except ScorerError:
        return f"not here; `model pull {name}` gets it"
    try:
        check_pulled(folder, pulled)
        checkpoint = folder / pulled.checkpoint
        digest = path_digest(checkpoint)
    except ScorerError as error:
        return f"damaged: {error}"
    if digest != pulled.files[pulled.checkpoint] or not digest.startswith(expected_digest(checkpoint)):
        return f"damaged: {checkpoint} is not what was pulled; `model pull {name}` gets it again"
    return f"whole, sha256 {digest}  {folder}"
