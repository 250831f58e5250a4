"""The folder of the embedded data and the secret key in it, each made at the first start."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from service.settings import Settings, SettingsError

KEY_FILE = "secret.key"
"""The name of the file in the home folder that holds the key where SECRET_KEY is not set."""


def make_home(settings: Settings) -> None:
    """Make the home folder where it is missing (mode 0700); SettingsError when it cannot be made or written to."""
    home = settings.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"COLLOQUY_HOME: {home} cannot be made ({error.strerror})") from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingsError(f"COLLOQUY_HOME: {home} cannot be written to")


def has_secret_key(settings: Settings) -> bool:
    """Answer whether there is a secret key already, set or kept in the home folder."""
    return bool(settings.secret_key) or (settings.home / KEY_FILE).exists()


def secret_key_of(settings: Settings) -> str:
    """Answer SECRET_KEY, or the key kept in the home folder, made at the first start (mode 0600)."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.home / KEY_FILE
    if not path.exists():
        make_home(settings)
        _write_once(path, secrets.token_urlsafe(48))
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"COLLOQUY_HOME: {path} cannot be read ({error.strerror})") from None


def _write_once(path: Path, text: str) -> None:
    """Create the file with its text in one step, so that two starting processes agree on one key."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home folder's lock, which ends with its process however that ends; SettingsError while it is held."""
    with (home / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"COLLOQUY_HOME: {home} is served already by another `python -m service serve`"
            ) from None
        yield
