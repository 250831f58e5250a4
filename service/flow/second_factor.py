"""The second factor: time-based codes (TOTP, RFC 6238), none counted twice, and recovery codes for a lost device."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Any, Final

import pyotp
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.sealing import SealBroken
from service.settings import SettingsError
from service.store import accounts
from service.store.types import Row

_STEP_SECONDS = 30
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 6


async def enrol(context: Context, account: Row) -> schemas.SecondFactor:
    """Answer a new secret, shown once; it is in force when a first code was entered."""
    secret = pyotp.random_base32()
    async with context.database.writing() as connection:
        current = await _current(connection, account)
        if current.totp_confirmed_at is not None:
            raise Problem("second_factor.exists", "Turn the second factor off first.")
        await accounts.change(connection, account.id, {"totp_sealed": context.box.seal(secret.encode())})
    uri = pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name="Colloquy")
    return schemas.SecondFactor(secret, uri)


async def confirm(context: Context, account: Row, code: str) -> schemas.RecoveryCodes:
    """Put the factor in force with a first code, and answer ten recovery codes, shown once."""
    codes = [secrets.token_hex(_RECOVERY_BYTES) for _ in range(_RECOVERY_CODES)]
    async with context.database.writing() as connection:
        current = await _current(connection, account)
        if current.totp_sealed is None or current.totp_confirmed_at is not None:
            raise Problem("second_factor.exists", "There is no second factor to confirm.")
        if not await _is_right(connection, context, current, code):
            raise Problem("session.refused", "The code is not right, or its time is over.")
        now = context.now()
        values = {"totp_confirmed_at": now, "recovery_hashes": [_hash(one) for one in codes]}
        await accounts.change(connection, account.id, values)
        await audit(connection, context, None, account.id, "second_factor.enabled", account.id, kind="person")
    return schemas.RecoveryCodes(codes)


async def drop(context: Context, account: Row, code: str) -> None:
    """Turn the factor off with a last code."""
    async with context.database.writing() as connection:
        if not await passes(connection, context, await _current(connection, account), code):
            raise Problem("session.refused", "The code is not right, or its time is over.")
        await accounts.change(connection, account.id, NO_SECOND_FACTOR)
        await audit(connection, context, None, account.id, "second_factor.disabled", account.id, kind="person")


NO_SECOND_FACTOR: Final[dict[str, Any]] = {
    "totp_sealed": None,
    "totp_confirmed_at": None,
    "totp_step": None,
    "recovery_hashes": [],
}


async def _current(connection: AsyncConnection, account: Row) -> Row:
    """Answer the account as it is now, and let nobody else change it: each code counts once."""
    current = await accounts.by_id(connection, account.id, lock=True)
    if current is None:
        raise Problem("auth.invalid", "The account is gone.")
    return current


async def passes(connection: AsyncConnection, context: Context, account: Row, code: str) -> bool:
    """Answer whether a code or a recovery code lets the account, locked by the caller, in, and use it up."""
    if await _is_right(connection, context, account, code):
        return True
    used = _hash(code.strip().lower())
    left = [one for one in account.recovery_hashes if not hmac.compare_digest(one, used)]
    if len(left) == len(account.recovery_hashes):
        return False
    await accounts.change(connection, account.id, {"recovery_hashes": left})
    return True


async def _is_right(connection: AsyncConnection, context: Context, account: Row, code: str) -> bool:
    """Answer whether a code is that of now, of the step before or of the next one, for clocks differ."""
    try:
        secret = context.box.open(account.totp_sealed or "").decode()
    except SealBroken:
        raise SettingsError("SECRET_KEY: it does not open an account's second factor") from None
    said, step = "".join(code.split()), _step(context.now())
    for near in (step, step - 1, step + 1):
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(near).encode(), said.encode()):
            return await accounts.take_step(connection, account.id, near)
    return False


def _step(now: datetime) -> int:
    return int(now.timestamp()) // _STEP_SECONDS


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
