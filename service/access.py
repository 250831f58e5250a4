"""Who is asking, and whether they may: every route names one guard here; a route without one does not start.

`open_to_all` needs nothing. `of_site` finds the site and checks the Origin header against the site's own; the author
guards add the commenter's token; the others ask for an API token with a scope.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial, wraps

from litestar import Request
from litestar.handlers import BaseRouteHandler

from service import limits, telemetry
from service.errors import Problem
from service.flow.commenters import account_of
from service.flow.context import Row
from service.flow.identify import (
    API_TOKEN_PREFIX,
    Principal,
    commenter_of,
    principal_of,
)
from service.flow.manage_coral import coral_of, is_signed
from service.flow.manage_limits import rates_of
from service.flow.publisher_tokens import verify
from service.flow.sessions import Session, administered, csrf_token, principal_on, session_of
from service.flow.signing import is_own
from service.queue.limits import LocalLimits, Taken
from service.sent_tokens import TokenOf, api_key, bearer, has_key, is_in_force, session_cookie
from service.visits import Connection, Visit, context_of, network_hash_of, network_of_client, visit_of

Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]
#: What a key may not hold that stands in an address, which proxies and browsers keep.
_NOT_IN_ADDRESSES = frozenset({"admin", "review"})
_COUNTED = frozenset({"auth.invalid", "site.unknown"})


def _refusals_count(guard: Guard, *, of_readers: bool = False, token_of: TokenOf = bearer) -> Guard:
    """Let a network be refused only so often for tokens that nobody gave out, and for sites that are not there.

    Both cost a look at the database, or a signature, before any site's limits count. In this process alone: asking
    Redis would cost as much as what is kept away. An API token or a session that is in force is never made to wait.
    """

    @wraps(guard)
    async def counted(connection: Connection, handler: BaseRouteHandler) -> None:
        # Whoever sends no token, to a site that is there, is not asked to wait for a neighbour.
        if not _is_to_be_looked_up(connection):
            await guard(connection, handler)
            return
        local: LocalLimits = connection.app.state.local_limits
        bucket = limits.refused_bucket(network_of_client(connection))
        # Taken before it is known, and given back to whom is let in: else many at once would all find room.
        taken, spent = await local.hold(bucket), False
        if not taken.allowed:
            if not await is_in_force(connection, token_of):
                await _refuse(connection, taken, of_readers=of_readers)
            await guard(connection, handler)
            return
        try:
            await guard(connection, handler)
        except Problem as problem:
            spent = problem.code in _COUNTED or (problem.status == 401 and problem.code.startswith("identity."))
            raise
        finally:
            local.settle(bucket, spent=spent)

    return counted


async def _refuse(connection: Connection, taken: Taken, *, of_readers: bool) -> None:
    """Refuse a network; a page of a site that is known may read why, and one that is not is not looked for."""
    visit_of(connection).spent = [taken]
    if of_readers and context_of(connection).directory.knows(connection.path_params["site"]):
        with suppress(Problem):
            await _find_site(connection, check_origin=True)
    _check_within([taken])


def _is_to_be_looked_up(connection: Connection) -> bool:
    session, _ = session_cookie(context_of(connection).settings)
    if has_key(connection) or session in connection.cookies:
        return True
    slug = connection.path_params.get("site")
    return slug is not None and not context_of(connection).directory.knows(slug)


_readers_refusals_count = partial(_refusals_count, of_readers=True)
_keys_refusals_count = partial(_refusals_count, token_of=api_key)


async def open_to_all(_connection: Connection, _handler: BaseRouteHandler) -> None:
    """Anybody: health, schema, static pages."""


@_readers_refusals_count
async def of_site(connection: Connection, handler: BaseRouteHandler) -> None:
    """Anybody on the site's pages: a present Origin must be one of the site's, an absent one passes."""
    await _find_site(connection, check_origin=True)
    await _spend(connection, handler)


@_readers_refusals_count
async def of_form(connection: Connection, handler: BaseRouteHandler) -> None:
    """Anybody who sends a form from one of the site's pages or from ours: its Origin must be there, and be one."""
    await _find_site(connection, check_origin=True, of_form=True)
    await _spend(connection, handler)


@_refusals_count
async def of_coral(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A Coral that the site knows: one of the signatures is of the body, and by a secret of the site's."""
    site, signatures = await _find_site(connection, check_origin=True), connection.headers.get("x-coral-signature")
    assert isinstance(connection, Request)
    if not is_signed(context_of(connection), coral_of(site), signatures, await connection.body()):
        raise Problem("auth.invalid", "No signature of the body is by a secret that the site knows.")


@_readers_refusals_count
async def may_be_author(connection: Connection, handler: BaseRouteHandler) -> None:
    """Anybody on the site's pages; a token that is sent must be valid."""
    await _find_site(connection, check_origin=True)
    await _identify(connection)
    await _spend(connection, handler)


@_readers_refusals_count
async def requires_author(connection: Connection, handler: BaseRouteHandler) -> None:
    """The holder of an author token of the site."""
    await _find_site(connection, check_origin=True)
    await _identify(connection)
    await _spend(connection, handler)
    visit = visit_of(connection)
    if visit.principal is not None:
        raise Problem("auth.forbidden", "This is the author's own; an API token does not stand for an author.")
    if visit.commenter is None:
        raise Problem("auth.required", "Send the author token as `Authorization: Bearer`.")


@_refusals_count
async def requires_moderator(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token with the scope `review` for the site."""
    await _require(connection, "review")


@_refusals_count
async def requires_publisher(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token with the scope `threads` for the site: one of the publisher's systems, or an admin."""
    await _require(connection, "threads")


@_refusals_count
async def requires_admin(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token with the scope `admin` for the site."""
    await _require(connection, "admin")


@_refusals_count
async def requires_events(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token with the scope `events` for the site: a system of the publisher's that is told all; or an admin."""
    await _require(connection, "events", "admin")


@_keys_refusals_count
async def requires_analyze(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A key of a site with the scope `analyze`: as `?key=`, as `X-Goog-Api-Key`, or as a bearer token."""
    visit, context, token = visit_of(connection), context_of(connection), api_key(connection)
    if token is None:
        raise Problem("auth.required", "Send the key as `?key=`, `X-Goog-Api-Key` or `Authorization: Bearer`.")
    if not token.startswith(API_TOKEN_PREFIX):
        raise Problem("auth.invalid", "This is not an API token.")
    principal = visit.principal = await principal_of(context, token)
    if principal.site_id is None or not principal.may("analyze", principal.site_id):
        raise Problem("auth.forbidden", "This needs a key of a site with the scope analyze.")
    if connection.query_params.get("key") and not principal.scopes.isdisjoint(_NOT_IN_ADDRESSES):
        raise Problem(
            "auth.forbidden", "Send a key that may more than analyze as `X-Goog-Api-Key`: addresses are logged."
        )
    visit.site = await context.directory.find_by_id(principal.site_id)
    visit.spent = await context.limiter.take([limits.key_bucket(principal.token_id, principal.per_minute)])
    _check_within(visit.spent)


async def take_more(connection: Connection, wanted: int) -> None:
    """Take further tokens of the key that `requires_analyze` let in, for a request that has several texts.

    Raises request.invalid for more than the key ever has at once: to come again would help nobody.
    """
    visit = visit_of(connection)
    assert visit.principal is not None
    per_minute = visit.principal.per_minute
    bucket = limits.key_bucket(visit.principal.token_id, per_minute)
    if wanted >= per_minute:
        message = f"These are {wanted + 1} texts at once, and the key may have {per_minute} in a minute."
        raise Problem("request.invalid", message)
    if wanted > 0:
        visit.spent = await context_of(connection).limiter.take([bucket._replace(wanted=wanted)])
        _check_within(visit.spent)


@_refusals_count
async def requires_session(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A person who is signed in, wherever they may do what."""
    if bearer(connection) is not None:
        raise Problem("auth.invalid", "A token is no person; sign in.")
    await _session(connection)


@_refusals_count
async def requires_any_admin(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token with the scope `admin`, of whichever site, or an admin's session; the flow narrows what is shown."""
    if bearer(connection) is None:
        found = await administered(context_of(connection), await _session(connection))
        if isinstance(found, frozenset):
            visit_of(connection).administered = found
            if not found:
                raise Problem("auth.forbidden", "This needs an admin.")
            return
        visit_of(connection).principal = found
        return
    principal = await _principal(connection, None)
    if not principal.may("admin", principal.site_id):
        raise Problem("auth.forbidden", "This needs the scope admin.")


@_refusals_count
async def requires_installation_admin(connection: Connection, _handler: BaseRouteHandler) -> None:
    """An API token of the whole installation with the scope `admin`."""
    principal = await _principal(connection, None)
    if principal.site_id is not None or not principal.may("admin", None):
        raise Problem("auth.forbidden", "This needs an admin of the installation.")


GUARDS = (
    open_to_all,
    of_site,
    of_form,
    of_coral,
    may_be_author,
    requires_author,
    requires_moderator,
    requires_publisher,
    requires_events,
    requires_admin,
    requires_any_admin,
    requires_installation_admin,
    requires_analyze,
    requires_session,
)


def guard_of(handler: BaseRouteHandler) -> str:
    """Answer the name of a route's one guard; raise for a route that names none or several (default deny)."""
    named = [guard.__name__ for guard in handler.resolve_guards() if guard in GUARDS]
    if len(named) != 1:
        raise RuntimeError(f"{handler.handler_id} must name exactly one guard of service.access, not {named}")
    return named[0]


def admit_origin(visit: Visit, site: Row, origin: str | None) -> None:
    """Raise origin.refused for an Origin that is none of the site's; an absent one passes."""
    if origin is not None:
        if origin not in site.allowed_origins:
            raise Problem("origin.refused", "The site does not embed comments on this origin.")
        visit.cors_origin = origin


async def _find_site(connection: Connection, *, check_origin: bool, of_form: bool = False) -> Row:
    visit = visit_of(connection)
    directory = context_of(connection).directory
    slug = connection.path_params["site"]
    site = await (directory.find(slug) if check_origin else directory.read(slug))
    origin = connection.headers.get("origin")
    if of_form and origin is None:
        raise Problem("origin.refused", "A form comes from a page of the site's, and its browser says so (Origin).")
    if check_origin and not (of_form and origin == context_of(connection).settings.url):
        admit_origin(visit, site, origin)
    visit.site = site
    return site


async def _identify(connection: Connection) -> None:
    """Take the token that was sent, if any: a guest's, the publisher's, or an API token of who may review the site."""
    token = bearer(connection)
    visit = visit_of(connection)
    if token is None or visit.site is None:
        return
    context = context_of(connection)
    if token.startswith(API_TOKEN_PREFIX):
        visit.principal = await principal_of(context, token)
    elif visit.site.identity is None or is_own(token):
        visit.commenter = await commenter_of(context, visit.site.id, token)
    else:
        visit.commenter = await account_of(context, visit.site, await verify(context, visit.site, token))


async def _spend(connection: Connection, handler: BaseRouteHandler) -> None:
    """Take a token from every limit that a reader's or author's request is under, before its body is read."""
    site, method = visit_of(connection).site, connection.scope.get("method")
    assert site is not None
    kind = handler.opt.get("kind") or (limits.READ if method in ("GET", "HEAD") else limits.CHANGE)
    await _take(connection, site, kind)


async def _take(connection: Connection, site: Row, kind: str) -> None:
    visit, context = visit_of(connection), context_of(connection)
    person = visit.commenter.commenter_id if visit.commenter else visit.principal.actor if visit.principal else None
    rates = rates_of(site)
    if kind in (limits.READ, limits.STAFF):
        # In this process alone: a question to Redis would cost more than the page that is read.
        caller = limits.Caller(site.id, network_of_client(connection), person)
        local: LocalLimits = connection.app.state.local_limits
        visit.spent = local.take(limits.buckets_of(kind, rates, caller))
    else:
        caller = limits.Caller(site.id, await network_hash_of(connection), person)
        visit.spent = await context.limiter.take(limits.buckets_of(kind, rates, caller))
    if over := limits.refused_network(visit.spent):
        visit.refused = (kind, over)
    _check_within(visit.spent)


def _check_within(spent: Sequence[Taken]) -> None:
    """Raise, and count, where a bucket had no token."""
    if refused := limits.refusal_of(spent):
        telemetry.limited_total.labels(refused.extra["limit"]).inc()
        raise refused


async def _require(connection: Connection, *scopes: str) -> None:
    token = bearer(connection)
    if token is not None and not token.startswith(API_TOKEN_PREFIX):
        raise Problem("auth.invalid", "This is not an API token.")
    session = await _session(connection) if token is None else None
    principal = await _principal(connection, None) if session is None else None
    site = await _find_site(connection, check_origin=False)
    if session is not None:
        principal = visit_of(connection).principal = await principal_on(context_of(connection), session, site.id)
    assert principal is not None
    await _take(connection, site, limits.STAFF)
    if not any(principal.may(scope, site.id) for scope in scopes):
        raise Problem("auth.forbidden", f"This needs the scope {scopes[0]} for the site.")


async def _principal(connection: Connection, site_id: str | None) -> Principal:
    token = bearer(connection)
    if token is None:
        session = await _session(connection)
        found = await principal_on(context_of(connection), session, site_id)
        visit_of(connection).principal = found
        return found
    if not token.startswith(API_TOKEN_PREFIX):
        raise Problem("auth.invalid", "This is not an API token.")
    visit = visit_of(connection)
    visit.principal = await principal_of(context_of(connection), token)
    return visit.principal


async def _session(connection: Connection) -> Session:
    """Answer the session of the cookie; a change must carry its token too, and come from our own page if from any."""
    context = context_of(connection)
    name, _ = session_cookie(context.settings)
    token = connection.cookies.get(name)
    if token is None:
        raise Problem("auth.required", "Sign in, or send an API token as `Authorization: Bearer`.")
    session = await session_of(context, token)
    if connection.scope.get("method") not in ("GET", "HEAD"):
        sent = connection.headers.get("x-colloquy-csrf", "")
        origin = connection.headers.get("origin")
        if not hmac.compare_digest(sent.encode(), csrf_token(context, session).encode()):
            raise Problem("auth.csrf", "Send the csrf_token of `GET /v1/session` as `X-Colloquy-CSRF`.")
        if origin is not None and origin != context.settings.url:
            raise Problem("auth.csrf", "Changes under a session come from PUBLIC_URL alone.")
    visit_of(connection).session = session
    return session


async def take_sign_in(connection: Connection, account: str) -> None:
    """Take a token from the limits of signing in: of the network, of the account, and of both together."""
    visit, network = visit_of(connection), await network_hash_of(connection)
    visit.spent = await context_of(connection).limiter.take(limits.sign_in_buckets(network, account))
    _check_within(visit.spent)
