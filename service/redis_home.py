"""The folder of a private Redis: where its files lie, and whether a server runs there."""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# macOS allows 104 bytes, Linux 108, and both count the closing NUL.
LONGEST_SOCKET_PATH: Final = 103


class RedisWouldNotStart(Exception):  # noqa: N818 - It states a condition, and its text is what the reader sees.
    """No private Redis runs in this home; the text says why, or names the log that does."""


class RedisHome:
    """Names the files of one home folder and holds its lock.

    A server inherits the locked file, so the kernel knows whether one runs here, however it started or ended.
    """

    def __init__(self, home: Path) -> None:
        home = home.absolute()
        self.folder = home
        self.data = home / "redis"
        self.log = home / "redis.log"
        self.pidfile = home / "redis.pid"
        self.socket = _socket_path(home)
        self._lock = home / "redis.lock"

    def make(self) -> None:
        """Create the folders, private where others could look in; raises `RedisWouldNotStart`."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.socket.parent != self.folder:
            _make_private(self.socket.parent)

    def clear(self) -> None:
        """Remove what a dead server left, to be called with the lock held."""
        self.pidfile.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether a server runs here, or another process is about to start one."""
        try:
            with self.locked() as lock:
                return lock is None
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def locked(self) -> Iterator[int | None]:
        """Hold the lock and yield its descriptor, or None where another process holds it."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor if _flock(descriptor) else None
        finally:
            # The lock stays for as long as a server holds its inherited copy.
            os.close(descriptor)


def _socket_path(home: Path) -> Path:
    path = home / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"colloquy-{digest}" / path.name


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    # The name can be guessed, so another user could have made it first to read what passes.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RedisWouldNotStart(f"{folder} is not a private folder of this user")


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
