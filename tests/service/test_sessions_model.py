"""Any sequence of signing in, time, changes and ends leaves each session open exactly where a plain model says so."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.flow import manage_accounts, manage_admins, sessions
from service.flow.sessions import IDLE, LONGEST
from service.settings import Settings
from service.store import accounts
from tests.service.state_machine import Ground, ServiceMachine, follow

EMAIL = "person@daily.example"
PASSWORDS = ("a long and quiet river", "a short and noisy street")


class Kept(NamedTuple):
    """A session as the model knows it."""

    token: str
    opened_at: datetime
    used_at: datetime


class SessionMachine(ServiceMachine):
    """One account and its sessions, beside a list of those that must work."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        # Weak on purpose: the model is of sessions, and a real hash takes most of its time.
        self.context.passwords.hash = self._hash  # type: ignore[method-assign]
        self.context.passwords.fits = self._fits  # type: ignore[method-assign]
        self.context.passwords.is_outdated = lambda stored: not stored  # type: ignore[method-assign]
        self.email = f"{configured.redis_prefix}-{id(self)}@daily.example"
        invitation = self.run(manage_admins.create_admin(self.context, "P", email=self.email)).invitation
        self.password = PASSWORDS[0]
        accepted = schemas.AcceptInvitation(token=invitation or "", password=self.password)
        self.run(manage_accounts.accept(self.context, accepted))
        self.open: list[Kept] = []
        self.ended: list[str] = []
        self.disabled = False

    async def _hash(self, password: str) -> str:
        return f"hash of {password}"

    async def _fits(self, password: str, stored: str | None) -> bool:
        return stored == f"hash of {password}"

    def works(self, kept: Kept) -> bool:
        """Answer whether the model lets a session in now."""
        now = self.clock()
        return not self.disabled and now < kept.opened_at + LONGEST and now - kept.used_at <= IDLE

    def ask(self, place: int) -> sessions.Session | None:
        """Use a session; it must be let in exactly when the model says so."""
        kept = self.open[place]
        session, refused = self.attempt(sessions.session_of(self.context, kept.token))
        assert refused == (None if self.works(kept) else "auth.invalid")
        if session is None:
            self.ended.append(self.open.pop(place).token)
        # Written down once a minute, so that not every request writes.
        elif self.clock() - kept.used_at > sessions.TOUCH_EVERY:
            self.open[place] = kept._replace(used_at=self.clock())
        return session

    @rule(password=st.sampled_from(PASSWORDS))
    def sign_in(self, password: str) -> None:
        wanted = schemas.SignIn(email=self.email.upper(), password=password)
        opened, refused = self.attempt(sessions.sign_in(self.context, wanted))
        right = password == self.password and not self.disabled
        assert refused == (None if right else "session.refused")
        if opened is not None:
            assert opened.token not in self.ended + [kept.token for kept in self.open]
            self.open.append(Kept(opened.token, self.clock(), self.clock()))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        self.ask(data.draw(st.integers(0, len(self.open) - 1)))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), everywhere=st.booleans())
    def close(self, data: st.DataObject, everywhere: bool) -> None:
        place = data.draw(st.integers(0, len(self.open) - 1))
        session = self.ask(place)
        if session is None:
            return
        kept = self.open[place]
        self.run(sessions.close(self.context, session, everywhere=everywhere))
        gone = [one for one in self.open if everywhere or one == kept]
        self.ended += [one.token for one in gone]
        self.open = [one for one in self.open if one not in gone]

    @precondition(lambda self: self.open)
    @rule(data=st.data(), new=st.sampled_from(PASSWORDS))
    def change_password(self, data: st.DataObject, new: str) -> None:
        place = data.draw(st.integers(0, len(self.open) - 1))
        session = self.ask(place)
        if session is None:
            return
        kept = self.open[place]
        wanted = schemas.ChangePassword(password=self.password, new_password=new)
        self.run(manage_accounts.change_password(self.context, session, wanted))
        self.password = new
        self.ended += [one.token for one in self.open if one.token != kept.token]
        self.open = [one for one in self.open if one.token == kept.token]

    @rule(minutes=st.sampled_from([1, 30, 11 * 60, 13 * 60, 4 * 1440]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(minutes * 60)

    @rule(disabled=st.booleans())
    def operator(self, disabled: bool) -> None:
        if disabled and not self.disabled:
            self.run(manage_accounts.disable(self.context, self.email))
            self.ended += [one.token for one in self.open]
            self.open = []
            self.disabled = True
        elif self.disabled and not disabled:
            self.run(self._enable())
            self.disabled = False

    async def _enable(self) -> None:
        async with self.context.database.writing() as connection:
            account = await accounts.by_email(connection, self.email)
            assert account is not None
            await accounts.change(connection, account.id, {"disabled_at": None})

    @invariant()
    def what_has_ended_never_works_again(self) -> None:
        """A token that was refused once, or ended, is refused for ever."""
        for token in self.ended[-3:]:
            assert self.attempt(sessions.session_of(self.context, token))[1] == "auth.invalid"


@pytest.mark.slow
def test_sessions_follow_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """A session works until it is idle, old, ended, or its account is disabled, and a password opens only new ones."""
    ground = Ground(sqlite_template, redis_server.url, redis_prefix, tmp_path)
    follow(SessionMachine, ground, examples=25, steps=30)
