"""Who comments: the publisher's accounts as their tokens say, profiles, and fresh tokens for guests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from service import schemas
from service.errors import Problem
from service.flow import outlive
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Commenter, new_author_key
from service.flow.publisher_tokens import PublisherClaims
from service.store import commenters, sanctions
from service.store.types import Row

_SEEN_EVERY = timedelta(days=1)
_LEAST_DECIDED = 3
"""A share of fewer decided comments says nothing."""


async def account_of(context: Context, site: Row, claims: PublisherClaims) -> Commenter:
    """Answer the commenter of a publisher's account, made at first sight; written only when something changed."""
    async with context.database.reading() as connection:
        row = await commenters.by_subject(connection, site.id, claims.subject)
    now, said = context.now(), _said(claims)
    if row is None:
        made = {"id": context.new_id(), "site_id": site.id, "kind": "signed", "subject": claims.subject}
        made |= {"author_key": new_author_key()}
        async with context.database.writing() as connection:
            await commenters.insert_account(connection, made | said | {"first_seen_at": now, "last_seen_at": now})
            row = await commenters.by_subject(connection, site.id, claims.subject)
            assert row is not None
            await outlive.recognise(connection, context, site.id, row.id, claims.subject)
    changed = {name: value for name, value in said.items() if getattr(row, name) != value}
    if row.last_seen_at is None or now - row.last_seen_at > _SEEN_EVERY:
        changed["last_seen_at"] = now
    if changed:
        async with context.database.writing() as connection:
            await commenters.change_commenter(connection, site.id, row.id, changed)
    return Commenter(
        row.id, "signed", claims.name, row.token_generation, badges=claims.badges, avatar_url=claims.avatar_url,
        key=row.author_key,
    )  # fmt: skip


def _said(claims: PublisherClaims) -> dict[str, Any]:
    return {
        "name": claims.name,
        "avatar_url": claims.avatar_url,
        "verified": claims.verified,
        "badges": list(claims.badges),
    }


async def me(context: Context, site: Row, commenter_id: str) -> schemas.Me:
    """Answer what a commenter may know of themselves."""
    async with context.database.reading() as connection:
        row = await _known(connection, site.id, commenter_id)
        counts = await commenters.count_by_status(connection, site.id, commenter_id)
        restricted = await sanctions.in_force(connection, site.id, commenter_id, now=context.now())
    return schemas.Me(
        id=row.id,
        kind=row.kind,
        name=row.name,
        avatar_url=row.avatar_url,
        verified=row.verified,
        badges=list(row.badges),
        first_seen_at=row.first_seen_at,
        comments=schemas.OutcomeCounts(**counts),
        sanctions=[
            schemas.OwnSanction(row.kind, row.reason, row.text, row.created_at, row.until) for row in restricted
        ],
    )


async def profile(context: Context, site: Row, commenter_id: str) -> schemas.CommenterProfile:
    """Answer what moderators may know of a commenter."""
    async with context.database.reading() as connection:
        row = await _known(connection, site.id, commenter_id)
        counts = await commenters.count_by_status(connection, site.id, commenter_id)
    fields = schemas.CommenterProfile.__struct_fields__[:-2]
    known = {name: getattr(row, name) for name in fields}
    return schemas.CommenterProfile(
        **known, comments=schemas.OutcomeCounts(**counts), rejected_share=rejected_share(counts)
    )


async def change(
    context: Context, site: Row, actor: str, commenter_id: str, wanted: schemas.CommenterChange
) -> schemas.CommenterProfile:
    """Mark a commenter as trusted, or no more."""
    async with context.database.writing() as connection:
        if not await commenters.change_commenter(connection, site.id, commenter_id, {"trusted": wanted.trusted}):
            raise _unknown()
        await audit(
            connection, context, site.id, actor, "commenter.trusted", commenter_id, kind="moderator",
            trusted=wanted.trusted,
        )  # fmt: skip
    return await profile(context, site, commenter_id)


async def fresh_token(context: Context, site: Row, author: Commenter, *, end_others: bool) -> schemas.AuthorToken:
    """Answer a new author token for a guest, so that one in use never grows old; a lost one ends with the others."""
    if author.kind != "guest":
        raise Problem("auth.forbidden", "The publisher's page gives its accounts their tokens.")
    generation = author.generation
    if end_others:
        async with context.database.writing() as connection:
            await commenters.revoke_tokens(connection, site.id, author.commenter_id)
            row = await commenters.commenter(connection, site.id, author.commenter_id)
            assert row is not None
            generation = row.token_generation
            await audit(
                connection, context, site.id, author.commenter_id, "commenter.tokens_revoked", author.commenter_id,
                kind="author",
            )  # fmt: skip
    token = await context.author_tokens.issue(site.id, author.commenter_id, generation, now=context.now())
    return schemas.AuthorToken(token)


def rejected_share(counts: dict[str, int]) -> float | None:
    """Answer which share of somebody's decided comments was taken down, None where there are too few to tell."""
    down = counts.get("rejected", 0) + counts.get("removed", 0)
    decided = down + counts.get("published", 0)
    return down / decided if decided >= _LEAST_DECIDED else None


async def _known(connection: Any, site_id: str, commenter_id: str) -> Row:
    row = await commenters.commenter(connection, site_id, commenter_id)
    if row is None or row.erased_at is not None:
        raise _unknown()
    return row


def _unknown() -> Problem:
    return Problem("commenter.unknown", "The site has no such commenter.")
