"""Sites that never wrote a policy of their own go on with the default one of this version."""

from __future__ import annotations

import logging
from collections.abc import Collection

from moderation.policy import default_policy
from service.flow import manage_sites
from service.flow.context import Context
from service.flow.identify import find_site
from service.store import sites
from service.store.database import Database

FORMER_DEFAULTS = frozenset({"sha256:6bb6675706451109"})
"""The versions of the default policies of earlier releases: their thresholds name models that no longer ship."""

logger = logging.getLogger(__name__)


async def stale_sites(database: Database, former: Collection[str] = FORMER_DEFAULTS) -> list[str]:
    """Answer the slugs of the sites under a default policy of an earlier release."""
    async with database.reading() as connection:
        return [site.slug for site in await sites.every(connection) if site.policy_version in former]


async def renew_defaults(context: Context, former: Collection[str] = FORMER_DEFAULTS) -> list[str]:
    """Put the default policy in force where a former one is, word for word; answer the slugs of those sites.

    Without it every comment there would be held after an upgrade, since the thresholds name a model that is gone.
    """
    stale = await stale_sites(context.database, former)
    document = manage_sites.as_document(default_policy())
    for slug in stale:
        await manage_sites.set_policy(context, await find_site(context, slug), "cli", document, None)
        logger.warning("policy.renewed", extra={"site": slug})
    return stale
