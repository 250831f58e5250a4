"""The secret key in a backup: sealed with a password of the operator's, or left out."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.fernet import Fernet, InvalidToken

from service.flow.sealing import Box, SealBroken
from service.settings import SettingsError

LEAST_CHARACTERS: Final = 16
_PROOF: Final = b"colloquy: this key opens the database of this backup"
_SALT_BYTES: Final = 16


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """The key, encrypted with what argon2id makes of a password; the parameters are RFC 9106's second choice."""

    sealed: str
    salt: str
    time: int = 3
    memory_kib: int = 65536
    lanes: int = 4


def read_password(path: Path) -> str:
    """Answer the first line of a file; SettingsError for one that cannot be read, or a password that is too short."""
    try:
        password = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"--key-password-file: {path} cannot be read") from None
    if len(password) < LEAST_CHARACTERS:
        raise SettingsError(f"--key-password-file: the password needs {LEAST_CHARACTERS} characters or more")
    return password


def seal(secret_key: str, password: str, path: Path) -> None:
    """Write the key to a file that only the password opens."""
    salt = secrets.token_bytes(_SALT_BYTES)
    empty = Sealed(sealed="", salt=base64.b64encode(salt).decode())
    sealed = _fernet(password, empty).encrypt(secret_key.encode()).decode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(msgspec.json.encode(msgspec.structs.replace(empty, sealed=sealed)))


def unseal(path: Path, password: str) -> str:
    """Answer the key again; SettingsError when the password does not fit."""
    try:
        sealed = msgspec.json.decode(path.read_bytes(), type=Sealed)
        return _fernet(password, sealed).decrypt(sealed.sealed.encode()).decode()
    except (msgspec.DecodeError, InvalidToken, ValueError):
        raise SettingsError(f"--key-password-file: the password does not open {path}") from None


def prove(secret_key: str) -> str:
    """Answer the sealed word by which somebody can find out whether a key is this one."""
    return Box(secret_key).seal(_PROOF)


def fits(secret_key: str, proof: str) -> bool:
    """Answer whether a key is the one of the backup."""
    try:
        return Box(secret_key).open(proof) == _PROOF
    except SealBroken:
        return False


def _fernet(password: str, sealed: Sealed) -> Fernet:
    raw = hash_secret_raw(
        password.encode(),
        base64.b64decode(sealed.salt),
        time_cost=sealed.time,
        memory_cost=sealed.memory_kib,
        parallelism=sealed.lanes,
        hash_len=32,
        type=Type.ID,
    )
    return Fernet(base64.urlsafe_b64encode(raw))
