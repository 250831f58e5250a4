"""Admins make and change sites and policies; every act leaves an audit event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.policy import Policy, default_policy, policy_to_json
from service import schemas
from service.errors import Problem
from service.flow import policies
from service.flow.audit import audit as audit
from service.flow.context import Context
from service.flow.find_thread import existing, locked
from service.flow.site_rules import check_site
from service.flow.transition import event_row
from service.store import outbox, sites, threads
from service.store.types import Row


async def create_site(context: Context, actor: str, wanted: schemas.SiteInput) -> schemas.SiteView:
    """Make a site with the default policy."""
    now, site_id, policy = context.now(), context.new_id(), default_policy()
    values = check_site({name: getattr(wanted, name) for name in wanted.__struct_fields__}, None)
    try:
        async with context.database.writing() as connection:
            row = values | {"id": site_id, "policy_version": policy.version, "created_at": now}
            await sites.insert(connection, row)
            await _keep(connection, context, site_id, policy, actor)
            await audit(connection, context, site_id, actor, "site.created", wanted.slug)
    except IntegrityError:
        raise Problem("site.exists", "Choose another slug.", fields=[("slug", "taken")]) from None
    return await view_site(context, wanted.slug)


async def change_site(context: Context, site: Row, actor: str, wanted: schemas.SiteChange) -> schemas.SiteView:
    """Change the given columns; the emergency switch counts for the next batch already."""
    values = check_site(given(wanted), site)
    if values:
        async with context.database.writing() as connection:
            await sites.change(connection, site.id, values)
            await audit(connection, context, site.id, actor, "site.changed", site.slug, **values)
        context.directory.forget(site.slug)
    return await view_site(context, site.slug)


async def view_site(context: Context, slug: str) -> schemas.SiteView:
    """Answer a site, or raise site.unknown."""
    async with context.database.reading() as connection:
        row = await sites.by_slug(connection, slug)
    if row is None:
        raise Problem("site.unknown", "No site has this slug.")
    return site_view(row)


async def list_sites(context: Context, only: Collection[str] | None) -> schemas.SiteList:
    """Answer every site, or only those that somebody administers."""
    async with context.database.reading() as connection:
        rows = await sites.every(connection)
    return schemas.SiteList([site_view(row) for row in rows if only is None or row.id in only])


def site_view(row: Row) -> schemas.SiteView:
    """Answer a site as its admins see it."""
    return schemas.SiteView(**{name: getattr(row, name) for name in schemas.SiteView.__struct_fields__})


async def read_policy(context: Context, site: Row, page: str | None) -> schemas.PolicyView:
    """Answer the policy of a site, or the one that a thread overrides it with."""
    async with context.database.reading() as connection:
        version, overrides = site.policy_version, False
        if page is not None:
            thread = await existing(connection, site.id, page)
            version, overrides = thread.policy_version or version, thread.policy_version is not None
        documents = await sites.policy_documents(connection, [(site.id, version)])
    return schemas.PolicyView(version, documents[site.id, version], overrides)


async def set_policy(
    context: Context, site: Row, actor: str, document: Mapping[str, Any], page: str | None
) -> schemas.PolicyView:
    """Put a policy in force for a site or for one thread of it; what was decided keeps the version it names."""
    policy = policies.parsed(document)
    async with context.database.writing() as connection:
        await _keep(connection, context, site.id, policy, actor)
        thread = None
        if page is None:
            await sites.change(connection, site.id, {"policy_version": policy.version})
        else:
            thread = await locked(connection, site.id, page)
            await threads.change(connection, site.id, thread.id, {"policy_version": policy.version})
        await audit(connection, context, site.id, actor, "policy.changed", page, version=policy.version)
        await _tell(
            connection, context, site.id, thread.id if thread is not None else None, version=policy.version, page=page
        )
    return schemas.PolicyView(policy.version, as_document(policy), page is not None)


async def drop_override(context: Context, site: Row, actor: str, page: str) -> None:
    """Let a thread follow the site's policy again."""
    async with context.database.writing() as connection:
        thread = await locked(connection, site.id, page)
        await threads.change(connection, site.id, thread.id, {"policy_version": None})
        await audit(connection, context, site.id, actor, "policy.override_dropped", page)
        current = await sites.by_slug(connection, site.slug)
        version = current.policy_version if current else site.policy_version
        await _tell(connection, context, site.id, thread.id, version=version, page=page)


async def _tell(
    connection: AsyncConnection, context: Context, site_id: str, thread_id: str | None, **said: Any
) -> None:
    now = context.now()
    event = event_row(context, "policy.changed", site_id=site_id, at=now, thread_id=thread_id, **said)
    await outbox.append(connection, [event])


def as_document(policy: Policy) -> dict[str, Any]:
    """Answer a policy as plain JSON data."""
    document: dict[str, Any] = msgspec.json.decode(policy_to_json(policy))
    return document


async def _keep(connection: AsyncConnection, context: Context, site_id: str, policy: Policy, actor: str) -> None:
    document, now = as_document(policy), context.now()
    await sites.keep_policy(connection, site_id, policy.version, document, created_at=now, created_by=actor)


def given(wanted: msgspec.Struct) -> dict[str, Any]:
    """Answer the fields that a change names."""
    values = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}
