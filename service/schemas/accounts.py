"""Signing in: what people send, and what they are answered about themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from service.schemas.base import Input

EMAIL_PATTERN = r"^[^\s@]+@[^\s@]+$(?!\n)"
Email = Annotated[str, Meta(min_length=1, max_length=254, pattern=EMAIL_PATTERN)]
#: Checked where it is set: what somebody sends to sign in is only ever right or wrong.
Password = Annotated[str, Meta(min_length=1, max_length=256)]
CodeText = Annotated[str, Meta(min_length=6, max_length=20)]


class SignIn(Input, frozen=True):
    """Address and password, and the second factor's code (or a recovery code) where the account has one."""

    email: Email
    password: Password
    code: CodeText | None = None


class AcceptInvitation(Input, frozen=True):
    """An invitation's token, and the password: to set where there is none, else the one that the account has.

    With `email`, which whoever takes it will sign in with, an address that it is not for leaves it as it is.
    """

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Password
    email: Email | None = None


class ChangePassword(Input, frozen=True):
    """The password as it is, and the one to set."""

    password: Password
    new_password: Password


class EnrolSecondFactor(Input, frozen=True):
    """The password, so that an open session alone does not decide who gets in later."""

    password: Password


class ConfirmCode(Input, frozen=True):
    """The first code of a new second factor."""

    code: CodeText


class DropSecondFactor(Input, frozen=True):
    """The password and a code, to turn the second factor off."""

    password: Password
    code: CodeText


class WaysIn(Struct, frozen=True):
    """How people can sign in here; `oidc`: through the company's provider too, at `GET /v1/session/oidc`."""

    password: bool
    oidc: bool


class SiteRole(Struct, frozen=True):
    """What somebody may do on a site; without a site: on every one."""

    site: str | None
    role: str
    member_id: str


class SessionView(Struct, frozen=True):
    """Who is signed in; `csrf_token` goes with every change as `X-Colloquy-CSRF`."""

    account_id: str
    email: str
    name: str
    second_factor: bool
    csrf_token: str
    roles: list[SiteRole]
    expires_at: datetime


class OpenSession(Struct, frozen=True):
    """A session of one's own."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class SessionList(Struct, frozen=True):
    """One's own sessions, the newest first."""

    sessions: list[OpenSession]


class SecondFactor(Struct, frozen=True):
    """A new second factor, shown once; in force when a first code was entered."""

    secret: str
    uri: str


class RecoveryCodes(Struct, frozen=True):
    """Ten codes, shown once, each good for one sign-in without the device."""

    recovery_codes: list[str]


class AccountView(Struct, frozen=True):
    """An account, as the operator sees it."""

    id: str
    email: str
    name: str
    has_password: bool
    second_factor: bool
    created_at: datetime
    disabled_at: datetime | None
