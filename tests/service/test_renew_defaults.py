"""An upgrade leaves no site under a default policy whose model is gone."""

import pytest

from moderation.policy import default_policy
from service import schemas
from service.flow import manage_sites, renew_defaults
from service.flow.context import Context
from service.flow.identify import find_site

pytestmark = pytest.mark.anyio
FORMER = {"name": "default", "model": "gone-1@00000000", "rules": []}


async def _site(context: Context, slug: str, **fields: object) -> str:
    await manage_sites.create_site(context, "cli", schemas.SiteInput(slug=slug, name=slug))
    site = await find_site(context, slug)
    return (await manage_sites.set_policy(context, site, "cli", {**FORMER, **fields}, None)).version


async def test_a_former_default_is_replaced_and_a_policy_of_ones_own_is_not(context: Context) -> None:
    """The site that had the default goes on with today's, the one that wrote its own keeps it, once and for all."""
    former = await _site(context, "stale")
    own = await _site(context, "own", name="ours")
    assert await renew_defaults.renew_defaults(context, {former}) == ["stale"]
    context.directory.forget("stale")
    assert (await find_site(context, "stale")).policy_version == default_policy().version
    assert (await find_site(context, "own")).policy_version == own
    assert await renew_defaults.renew_defaults(context, {former}) == []


def test_todays_default_is_no_former_one() -> None:
    """A default policy that is in force is never taken for one that is gone."""
    assert default_policy().version not in renew_defaults.FORMER_DEFAULTS
