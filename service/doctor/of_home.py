"""The folder of the data: whose it is, who may read it, and whether there is room."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.doctor.findings import Finding, ok, problem, warning
from service.home import KEY_FILE
from service.settings import Settings
from service.store.migrate import file_of

_OPEN: Final = 0o077
_GIB: Final = 1 << 30
_LITTLE: Final = 2 * _GIB
_NEARLY_NONE: Final = _GIB // 4
_LITTLE_SHARE: Final = 0.05
_MOST_NAMED: Final = 3


def look_at_home(settings: Settings) -> Iterator[Finding]:
    """Yield what is to be said of the home folder and of the disk that the data are on."""
    home, file = settings.home, file_of(settings.database)
    if not home.is_dir():
        yield warning("home.folder", f"{home} is not there yet", "start the service once, or set COLLOQUY_HOME")
        return
    yield from _rights(home)
    yield _files(home, file)
    folders = {_device(folder): folder for folder in (home, *([file.parent] if file and file.exists() else []))}
    for folder in folders.values():
        yield _room(folder)


def _rights(home: Path) -> Iterator[Finding]:
    check, found = "home.folder", home.stat()
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        yield problem(
            check, f"{home} belongs to another user", "run this as the service's own user, or chown the folder"
        )
    elif not os.access(home, os.W_OK | os.X_OK):
        yield problem(check, f"{home} cannot be written to", "give the service's user the right to")
    elif found.st_mode & _OPEN:
        yield warning(check, f"{home} may be entered by others", f"chmod 700 {home}")
    else:
        yield ok(check, f"{home} is the service's own")


def _files(home: Path, file: Path | None) -> Finding:
    """Sockets are left out: their folder keeps others away, or their mode is set when they are made."""
    check = "home.files"
    named = [
        home / KEY_FILE,
        home / "demo.json",
        home / "discussion.json",
        home / "redis.log",
        *(home / "redis").rglob("*"),
    ]
    if file is not None:
        named += [file.with_name(file.name + suffix) for suffix in ("", "-wal", "-shm")]
    opened = [path for path in named if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OPEN]
    if not opened:
        return ok(check, "are for their owner alone")
    names = ", ".join(path.name for path in opened[:_MOST_NAMED])
    return problem(
        check,
        f"{names} may be read by others: they hold keys, or what readers wrote",
        "chmod 600 them; the umask is 077",
    )


def _device(folder: Path) -> int:
    return folder.stat().st_dev


def _room(folder: Path) -> Finding:
    check, usage = "disk", shutil.disk_usage(folder)
    said = f"{usage.free / _GIB:.1f} GiB of {usage.total / _GIB:.0f} are free at {folder}"
    if usage.free < _NEARLY_NONE:
        return problem(check, said, "make room now: a full disk refuses comments")
    if usage.free < _LITTLE or usage.free < usage.total * _LITTLE_SHARE:
        return warning(check, said, "make room, or watch it")
    return ok(check, said)
