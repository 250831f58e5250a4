"""Admins say how the publisher signs its accounts' tokens."""

from __future__ import annotations

import msgspec

from service import schemas
from service.egress import EgressRefused, check_url
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.publisher_tokens import Identity, identity_of
from service.flow.signing import ISSUER
from service.store import sites
from service.store.types import Row


async def read_identity(context: Context, site: Row) -> schemas.IdentityView:
    """Answer how the site's publisher signs, or raise identity.not_configured."""
    identity = identity_of(await context.directory.read(site.slug))
    if identity is None:
        raise Problem("identity.not_configured", "The site knows guests only; put an identity in force.")
    return _view(identity)


async def set_identity(context: Context, site: Row, actor: str, wanted: schemas.IdentityInput) -> schemas.IdentityView:
    """Put a publisher's signing in force as a whole; without a new secret the one that is there stays."""
    async with context.database.writing() as connection:
        # Under the lock, or the secret that another admin puts in force at the same moment would be undone.
        before = identity_of(await sites.hold(connection, site.id))
        sealed = _sealed(context, wanted, before)
        _check(context, wanted, has_secret=sealed is not None)
        fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name != "secret"}
        identity = Identity(**fields, sealed_secret=sealed)
        view = _view(identity)
        await sites.change(connection, site.id, {"identity": msgspec.to_builtins(identity)})
        await audit(
            connection, context, site.id, actor, "identity.changed", site.slug, **msgspec.to_builtins(view),
            new_secret=wanted.secret is not None,
        )  # fmt: skip
    context.directory.forget(site.slug)
    return view


async def drop_identity(context: Context, site: Row, actor: str) -> None:
    """Let the site take no publisher's tokens any more; the commenters stay."""
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"identity": None})
        await audit(connection, context, site.id, actor, "identity.dropped", site.slug)
    context.directory.forget(site.slug)


def _sealed(context: Context, wanted: schemas.IdentityInput, before: Identity | None) -> str | None:
    if wanted.algorithm != "HS256":
        return None
    if wanted.secret is not None:
        return context.box.seal(wanted.secret.encode())
    return before.sealed_secret if before else None


def _check(context: Context, wanted: schemas.IdentityInput, *, has_secret: bool) -> None:
    """Refuse what could not work, and what would let one kind of key stand for another."""
    if wanted.issuer == ISSUER:
        raise _refused("issuer", "is our own name; choose the publisher's")
    if wanted.algorithm == "HS256":
        if not has_secret:
            raise _refused("secret", "is needed for HS256")
        if wanted.secret is not None and _looks_like_a_key(wanted.secret):
            raise _refused("secret", "is a key of another algorithm; HS256 needs a secret that only you and we know")
        if wanted.jwks_url is not None:
            raise _refused("jwks_url", "is not for HS256, whose secret is shared")
        return
    if wanted.secret is not None:
        raise _refused("secret", f"is not for {wanted.algorithm}, whose keys the URL serves")
    if wanted.jwks_url is None:
        raise _refused("jwks_url", f"is needed for {wanted.algorithm}")
    try:
        check_url(wanted.jwks_url, allow_loopback=context.settings.egress_allow_loopback)
    except EgressRefused as refused:
        raise _refused("jwks_url", f"must be a public https address ({refused.reason})") from None


def _refused(name: str, message: str) -> Problem:
    return Problem("request.invalid", f"{name} {message}.", fields=[(name, message)])


def _view(identity: Identity) -> schemas.IdentityView:
    names = [name for name in schemas.IdentityView.__struct_fields__ if name != "has_secret"]
    return schemas.IdentityView(
        **{name: getattr(identity, name) for name in names}, has_secret=identity.sealed_secret is not None
    )


def _looks_like_a_key(secret: str) -> bool:
    """Answer whether a secret is a public or private key in PEM or of SSH, which would be no secret, or not ours."""
    return "-----BEGIN" in secret or secret.lstrip().startswith(("ssh-", "ecdsa-"))
