"""People sign in: sessions in a cookie that scripts cannot read, second factor, passwords, invitations."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody
from litestar.response import Redirect

from service import schemas
from service.access import open_to_all, requires_session, take_sign_in
from service.flow import manage_accounts, oidc, second_factor, sessions
from service.flow.context import Context
from service.flow.identify import hash_token
from service.flow.sessions import Session
from service.schemas.accounts import WaysIn
from service.sent_tokens import session_cookie
from service.visits import context_of, network_hash_of, visit_of

_NO_STORE = {"cache-control": "no-store"}
_PENDING_COOKIE = "colloquy_oidc"


def _session(request: Request[Any, Any, Any]) -> tuple[Context, Session]:
    session = visit_of(request).session
    assert session is not None
    return context_of(request), session


def _cookie(request: Request[Any, Any, Any], token: str | None) -> Cookie:
    """Answer the cookie of a session, or the one that takes it away."""
    name, secure = session_cookie(context_of(request).settings)
    age = int(sessions.LONGEST.total_seconds()) if token else 0
    return Cookie(key=name, value=token or "", max_age=age, path="/", secure=secure, httponly=True, samesite="strict")


@post("/v1/session", guards=[open_to_all], status_code=200, tags=["accounts"])
async def sign_in(request: Request[Any, Any, Any], data: JSONBody[schemas.SignIn]) -> Response[schemas.SessionView]:
    """Sign in with address and password, and a code where the account has a second factor."""
    context = context_of(request)
    await take_sign_in(request, hash_token(data.email.casefold()))
    opened = await sessions.sign_in(context, data)
    view = await sessions.view(context, opened.session)
    return Response(view, headers=_NO_STORE, cookies=[_cookie(request, opened.token)])


@get("/v1/session", guards=[requires_session], tags=["accounts"])
async def read_session(request: Request[Any, Any, Any]) -> Response[schemas.SessionView]:
    """Read who is signed in, what they may do where, and the token that goes with every change."""
    context, session = _session(request)
    return Response(await sessions.view(context, session), headers=_NO_STORE)


@get("/v1/session/ways", guards=[open_to_all], tags=["accounts"])
async def read_ways_in(request: Request[Any, Any, Any]) -> Response[WaysIn]:
    """Read how people can sign in here, before anybody has."""
    return Response(WaysIn(password=True, oidc=oidc.is_configured(context_of(request))), headers=_NO_STORE)


@delete("/v1/session", guards=[requires_session], tags=["accounts"], status_code=204)
async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    """Sign out here."""
    context, session = _session(request)
    await sessions.close(context, session, everywhere=False)
    return Response(None, status_code=204, cookies=[_cookie(request, None)])


@get("/v1/session/all", guards=[requires_session], tags=["accounts"])
async def read_sessions(request: Request[Any, Any, Any]) -> Response[schemas.SessionList]:
    """Read the own sessions."""
    context, session = _session(request)
    return Response(await sessions.listed(context, session), headers=_NO_STORE)


@delete("/v1/session/all", guards=[requires_session], tags=["accounts"], status_code=204)
async def sign_out_everywhere(request: Request[Any, Any, Any]) -> Response[None]:
    """Sign out everywhere, here too."""
    context, session = _session(request)
    await sessions.close(context, session, everywhere=True)
    return Response(None, status_code=204, cookies=[_cookie(request, None)])


@post("/v1/session/password", guards=[requires_session], status_code=204, tags=["accounts"])
async def change_password(request: Request[Any, Any, Any], data: JSONBody[schemas.ChangePassword]) -> None:
    """Change the own password; every other session ends."""
    context, session = _session(request)
    await take_sign_in(request, session.account_id)
    await manage_accounts.change_password(context, session, data)


@post("/v1/session/second-factor", guards=[requires_session], status_code=201, tags=["accounts"])
async def enrol(
    request: Request[Any, Any, Any], data: JSONBody[schemas.EnrolSecondFactor]
) -> Response[schemas.SecondFactor]:
    """Get a new second factor with the password, shown once; it is in force when a first code was entered."""
    context, session = _session(request)
    await take_sign_in(request, session.account_id)
    account = await manage_accounts.check_own_password(context, session, data.password)
    answer = await second_factor.enrol(context, account)
    return Response(answer, status_code=201, headers=_NO_STORE)


@post("/v1/session/second-factor/confirm", guards=[requires_session], status_code=200, tags=["accounts"])
async def confirm(
    request: Request[Any, Any, Any], data: JSONBody[schemas.ConfirmCode]
) -> Response[schemas.RecoveryCodes]:
    """Put the second factor in force with a first code; the answer has ten recovery codes, this once."""
    context, session = _session(request)
    await take_sign_in(request, session.account_id)
    account = await manage_accounts.account_of(context, session)
    return Response(await second_factor.confirm(context, account, data.code), headers=_NO_STORE)


@delete("/v1/session/second-factor", guards=[requires_session], status_code=204, tags=["accounts"])
async def drop(request: Request[Any, Any, Any], data: JSONBody[schemas.DropSecondFactor]) -> None:
    """Turn the second factor off, with the password and a code."""
    context, session = _session(request)
    await take_sign_in(request, session.account_id)
    await manage_accounts.check_own_password(context, session, data.password)
    await second_factor.drop(context, await manage_accounts.account_of(context, session), data.code)


@post("/v1/invitations", guards=[open_to_all], status_code=204, tags=["accounts"])
async def accept_invitation(request: Request[Any, Any, Any], data: JSONBody[schemas.AcceptInvitation]) -> None:
    """Take an invitation: set the password where the account has none, else prove it; then sign in with it."""
    address = await manage_accounts.invited_address(context_of(request), data.token)
    await take_sign_in(request, hash_token(address) if address else await network_hash_of(request))
    await manage_accounts.accept(context_of(request), data)


@get("/v1/session/oidc", guards=[open_to_all], tags=["accounts"], include_in_schema=False)
async def begin_oidc(request: Request[Any, Any, Any]) -> Redirect:
    """Go to the company's provider to sign in."""
    context = context_of(request)
    await take_sign_in(request, await network_hash_of(request))
    begun = await oidc.begin(context)
    return Redirect(begun.url, status_code=302, headers=_NO_STORE, cookies=[_pending_cookie(request, begun.pending)])


@get(oidc.CALLBACK, guards=[open_to_all], tags=["accounts"], include_in_schema=False)
async def finish_oidc(request: Request[Any, Any, Any]) -> Redirect:
    """Come back from the provider, signed in."""
    context = context_of(request)
    await take_sign_in(request, await network_hash_of(request))
    # Read here, since the framework keeps the name `state` for itself.
    query = request.query_params
    cookie = request.cookies.get(_PENDING_COOKIE)
    opened = await oidc.finish(context, cookie, query.get("state"), query.get("code"))
    cookies = [_cookie(request, opened.token), _pending_cookie(request, None)]
    return Redirect("/console", status_code=302, headers=_NO_STORE, cookies=cookies)


def _pending_cookie(request: Request[Any, Any, Any], pending: str | None) -> Cookie:
    """Answer the cookie of a sign-in under way; Lax, because the browser comes back from another site with it."""
    _, secure = session_cookie(context_of(request).settings)
    age = int(oidc.PENDING.total_seconds()) if pending else 0
    path = "/v1/session/oidc"
    return Cookie(
        key=_PENDING_COOKIE, value=pending or "", max_age=age, path=path, secure=secure, httponly=True, samesite="lax"
    )


HANDLERS = [
    begin_oidc,
    finish_oidc,
    sign_in,
    read_session,
    read_ways_in,
    sign_out,
    read_sessions,
    sign_out_everywhere,
    change_password,
    enrol,
    confirm,
    drop,
    accept_invitation,
]
