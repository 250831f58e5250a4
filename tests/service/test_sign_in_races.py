"""Signing in beside a change of what lets in: what counts is the account as it is when the session opens."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher

from service.store import accounts as store
from tests.service.answers import problem
from tests.service.people import PASSWORD, Browser, person, second_factor
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SESSION = "/v1/session"
NEW = "another long and quiet river"


class Held:
    """Holds the first check of a password back until it is let go."""

    def __init__(self, service: Service, patch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self._real = service.context.passwords.fits
        patch.setattr(service.context.passwords, "fits", self._fits)

    async def _fits(self, password: str, stored: str | None) -> bool:
        found = await self._real(password, stored)
        if not self.reached.is_set():
            self.reached.set()
            await self.go.wait()
        return found


async def test_a_recovery_code_counts_once_however_many_use_it(service: Service) -> None:
    """Of several requests with one code one gets in; of two with two codes both, and both codes are used up."""
    browser = await person(service, "nora@daily.example")
    _, codes = await second_factor(service, browser)

    async def enter(code: str) -> int:
        wanted = {"email": browser.email, "password": PASSWORD, "code": code}
        return (await service.client.post(SESSION, json=wanted)).status_code

    assert sorted(await asyncio.gather(*(enter(codes[0]) for _ in range(4)))) == [200, 401, 401, 401]
    assert list(await asyncio.gather(enter(codes[1]), enter(codes[2]))) == [200, 200]
    async with service.context.database.reading() as connection:
        account = await store.by_email(connection, browser.email)
    assert account is not None
    assert len(account.recovery_hashes) == len(codes) - 3


async def _beside(service: Service, held: Held, browser: Browser, change: Any) -> Any:
    """Answer a sign-in whose password was checked before a change, and which goes on after it."""
    wanted = {"email": browser.email, "password": PASSWORD}
    signing_in = asyncio.create_task(service.client.post(SESSION, json=wanted))
    await held.reached.wait()
    await change
    held.go.set()
    return await signing_in


async def test_a_password_that_was_changed_meanwhile_opens_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was right when it was checked, and is not when the session would open."""
    browser = await person(service, "nora@daily.example")
    held = Held(service, monkeypatch)
    change = browser.call("POST", f"{SESSION}/password", json={"password": PASSWORD, "new_password": NEW}, expect=204)
    problem(await _beside(service, held, browser, change), "session.refused")
    await browser.sign_in(password=NEW)


async def test_two_who_sign_in_while_the_hash_is_renewed_both_get_in(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose hash was renewed by the other proves the password again, and only once is anything refused."""
    browser = await person(service, "nora@daily.example")
    weak = PasswordHasher(time_cost=1, parallelism=1, memory_cost=8).hash(PASSWORD)
    async with service.context.database.writing() as connection:
        account = await store.by_email(connection, browser.email)
        assert account is not None
        await store.change(connection, account.id, {"password_hash": weak})
    held = Held(service, monkeypatch)
    assert (await _beside(service, held, browser, browser.sign_in())).status_code == 200
    async with service.context.database.reading() as connection:
        account = await store.by_email(connection, browser.email)
        rows = await connection.exec_driver_sql("SELECT action FROM audit_events WHERE action LIKE 'session.%'")
        actions = [row[0] for row in rows]
    assert account is not None
    assert not service.context.passwords.is_outdated(account.password_hash)
    assert actions == ["session.opened"] * 3


async def test_a_second_factor_that_came_meanwhile_is_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in that began without one does not end without one."""
    browser = await person(service, "nora@daily.example")
    held = Held(service, monkeypatch)
    problem(await _beside(service, held, browser, second_factor(service, browser)), "session.code_required")


async def test_a_right_password_without_its_code_is_recorded(service: Service) -> None:
    """Somebody has the password: the audit says so."""
    browser = await person(service, "nora@daily.example")
    await second_factor(service, browser)
    await browser.sign_in(expect=401)
    async with service.context.database.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT action FROM audit_events WHERE action LIKE 'session.%'")
        actions = [row[0] for row in rows]
    assert actions == ["session.opened", "session.code_required"]
