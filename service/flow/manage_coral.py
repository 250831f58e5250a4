"""Admins say how a Coral asks what to do with its comments."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

import msgspec

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.sealing import SealBroken
from service.store import sites
from service.store.types import Row

#: Coral signs with each secret that it has not retired, which are two at the most; each of ours is tried with each.
_MOST_SIGNATURES: Final = 10


class Coral(schemas.CoralSettings, frozen=True, kw_only=True):
    """The settings as they are stored; the secrets are sealed."""

    sealed: tuple[str, ...] = ()


def coral_of(site: Row) -> Coral:
    """Answer how the site's Coral asks, or raise coral.off."""
    if site.coral is None:
        raise Problem("coral.off", "Nobody said how a Coral asks this site.")
    return msgspec.convert(site.coral, Coral)


def is_signed(context: Context, coral: Coral, signatures: str | None, body: bytes) -> bool:
    """Answer whether one of the signatures (`sha256=HEX`, with commas between) is of the body, by one of our secrets.

    See https://github.com/coralproject/talk/blob/main/WEBHOOKS.md, which its moderation phases sign alike. Nothing in
    it says when it was made; whoever sends one again is told the same again.
    """
    sent = list(_hexes(signatures or ""))[:_MOST_SIGNATURES]
    for sealed in coral.sealed if sent else ():
        try:
            key = context.box.open(sealed)
        except SealBroken:
            continue
        made = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(made, one) for one in sent):
            return True
    return False


def _hexes(signatures: str) -> Iterator[bytes]:
    for part in signatures.split(","):
        kind, _, value = part.strip().partition("=")
        if kind == "sha256":
            yield value.lower().encode("utf-8", "surrogatepass")


async def read_coral(context: Context, site: Row) -> schemas.CoralView:
    """Answer how the site's Coral asks, or raise coral.off."""
    return _view(context, site.slug, coral_of(await context.directory.read(site.slug)))


async def set_coral(context: Context, site: Row, actor: str, wanted: schemas.CoralInput) -> schemas.CoralView:
    """Put settings in force as a whole."""
    async with context.database.writing() as connection:
        # Under the lock, or what another admin puts at the same moment would be undone.
        before = (await sites.hold(connection, site.id)).coral
        coral = Coral(format=wanted.format, approves=wanted.approves, sealed=_sealed(context, before, wanted))
        view = _view(context, site.slug, coral)
        await sites.change(connection, site.id, {"coral": msgspec.to_builtins(coral)})
        await audit(
            connection, context, site.id, actor, "coral.changed", site.slug, **msgspec.to_builtins(view),
            new_secrets=wanted.signing_secrets is not None,
        )  # fmt: skip
    context.directory.forget(site.slug)
    return view


def _sealed(context: Context, before: object, wanted: schemas.CoralInput) -> tuple[str, ...]:
    if wanted.signing_secrets is not None:
        return tuple(context.box.seal(secret.encode()) for secret in dict.fromkeys(wanted.signing_secrets))
    if before is None:
        message = "is needed: the signing secret that Coral shows for the phase"
        raise Problem("request.invalid", f"signing_secrets {message}.", fields=[("signing_secrets", message)])
    return msgspec.convert(before, Coral).sealed


async def drop_coral(context: Context, site: Row, actor: str) -> None:
    """Answer no Coral any more."""
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"coral": None})
        await audit(connection, context, site.id, actor, "coral.dropped", site.slug)
    context.directory.forget(site.slug)


def _view(context: Context, slug: str, coral: Coral) -> schemas.CoralView:
    return schemas.CoralView(
        url=f"{context.settings.url}/v1/sites/{slug}/coral",
        format=coral.format,
        approves=coral.approves,
        signing_secrets=len(coral.sealed),
    )
