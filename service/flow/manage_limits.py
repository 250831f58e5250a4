"""Admins set how often requests may come on their site."""

from __future__ import annotations

import msgspec

from service import schemas
from service.flow.audit import audit
from service.flow.context import Context, Row
from service.store import sites

_MANY = schemas.Rate(60_000, 60)
#: For a demo, a bench or a test: a script on one address is no attack.
GENEROUS = schemas.Rates(
    submit_per_commenter=_MANY,
    submit_per_network=_MANY,
    submit_per_site=_MANY,
    change_per_commenter=_MANY,
    change_per_network=_MANY,
    report_per_commenter=_MANY,
    report_per_network=_MANY,
    reaction_per_commenter=_MANY,
    reaction_per_network=_MANY,
    mail_per_commenter=_MANY,
    mail_per_network=_MANY,
    second_thoughts_per_commenter=_MANY,
    second_thoughts_per_network=_MANY,
    second_thoughts_per_site=_MANY,
    read_per_network=schemas.Rate(1_000_000, 60),
    staff_per_member=_MANY,
)


async def read_limits(context: Context, site: Row) -> schemas.Rates:
    """Answer a site's limits, as they are now."""
    return rates_of(await context.directory.read(site.slug))


async def set_limits(context: Context, site: Row, actor: str, wanted: schemas.Rates) -> schemas.Rates:
    """Put limits in force; other processes see them within two seconds."""
    values = msgspec.to_builtins(wanted)
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"limits": values})
        await audit(connection, context, site.id, actor, "limits.changed", site.slug, **values)
    context.directory.forget(site.slug)
    return wanted


def rates_of(site: Row) -> schemas.Rates:
    """Answer a site's limits, the defaults where it chose none."""
    return msgspec.convert(site.limits or {}, schemas.Rates)
