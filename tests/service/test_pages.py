"""Our own pages: a newcomer is led to the demo where there is one, and told what runs here where there is none."""

import pytest

from service import schemas
from service.demo import site as demo
from service.flow import manage_sites
from service.routes.pages import DEMO_SITE
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def test_without_the_demo_site_there_is_no_demo(service: Service) -> None:
    """A publisher's installation shows a neutral page and no invented article."""
    home = await service.call("GET", "/", expect=200)
    assert "Colloquy runs here" in home.text
    assert 'href="/schema"' in home.text
    assert 'href="/health/ready"' in home.text
    for path in ("/demo", "/demo/demo.css"):
        problem(await service.call("GET", path), "route.unknown")


async def test_with_the_demo_site_the_first_page_leads_there(service: Service) -> None:
    """Where the demo site exists, `/` leads to its article."""
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug=demo.SITE, name="Demo"))
    assert (await service.call("GET", "/", expect=302)).headers["location"] == "/demo"
    assert "Demo Courier" in (await service.call("GET", "/demo", expect=200)).text
    await service.call("GET", "/demo/demo.css", expect=200)
    problem(await service.call("GET", "/demo/nothing.css"), "route.unknown")


def test_the_demo_has_one_name() -> None:
    """The page looks for the site that the demo makes."""
    assert demo.SITE == DEMO_SITE
