"""Admins say what their site does against spam."""

from __future__ import annotations

from typing import Any

import msgspec

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.store import sites
from service.store.types import Row


class Spam(schemas.SpamSettings, frozen=True, kw_only=True):
    """The settings as they are stored; the key of the outside service is sealed."""

    akismet_sealed: str | None = None


def spam_of(stored: Any) -> Spam:
    """Answer a site's settings, the defaults where it chose none."""
    return msgspec.convert(stored or {}, Spam)


async def read_spam(context: Context, site: Row) -> schemas.SpamView:
    """Answer what a site does against spam, as it is now."""
    return _view(spam_of((await context.directory.read(site.slug)).spam))


async def set_spam(context: Context, site: Row, actor: str, wanted: schemas.SpamInput) -> schemas.SpamView:
    """Put settings in force as a whole."""
    before = spam_of((await context.directory.read(site.slug)).spam)
    sealed = before.akismet_sealed if wanted.akismet else None
    if wanted.akismet and wanted.akismet_key is not None:
        sealed = context.box.seal(wanted.akismet_key.encode())
    if wanted.akismet and sealed is None:
        raise Problem("request.invalid", "akismet_key is needed.", fields=[("akismet_key", "is needed")])
    fields = {name: getattr(wanted, name) for name in schemas.SpamSettings.__struct_fields__}
    spam = Spam(**fields, akismet_sealed=sealed)
    view = _view(spam)
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"spam": msgspec.to_builtins(spam)})
        await audit(connection, context, site.id, actor, "spam.changed", site.slug, **msgspec.to_builtins(view))
    context.directory.forget(site.slug)
    return view


def _view(spam: Spam) -> schemas.SpamView:
    fields = {name: getattr(spam, name) for name in schemas.SpamSettings.__struct_fields__}
    return schemas.SpamView(**fields, akismet=spam.akismet_sealed is not None)
