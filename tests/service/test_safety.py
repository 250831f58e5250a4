"""What protects browsers: which hosts are served, and the headers of every answer."""

import httpx
import pytest
from msgspec import structs

from tests.service.answers import client_of, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COUNTS = "/v1/sites/test/counts"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


async def asked(service: Service, host: str, **changes: str) -> httpx.Response:
    """Ask under a host name, with settings changed."""
    settings = structs.replace(service.context.settings, **{"allowed_hosts": "", **changes})
    async with client_of(settings, service.context) as client:
        return await client.get(COUNTS, headers={"host": host})


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1:8000", "192.168.1.20", "[::1]:8000", "[2001:db8::1]"],
)
async def test_this_machine_and_bare_addresses_are_served(service: Service, host: str) -> None:
    """No name of somebody else's can be pointed at a bare address, so it is safe."""
    assert (await asked(service, host)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example", "", "a b"])
async def test_a_foreign_name_is_not_served(service: Service, host: str) -> None:
    """A page that points its own name at this machine (DNS rebinding) reads nothing."""
    problem(await asked(service, host), "host.refused")


async def test_the_public_name_is_served(service: Service) -> None:
    """PUBLIC_URL's name is served without being listed; a list takes its place; `*` serves every name."""
    public = "https://comments.example"
    assert (await asked(service, "comments.example", public_url=public)).status_code == 200
    assert (
        await asked(service, "comments.example", public_url=public, allowed_hosts="other.example")
    ).status_code == 421
    assert (await asked(service, "other.example", allowed_hosts="other.example, third.example")).status_code == 200
    assert (await asked(service, "whatever.example", allowed_hosts="*")).status_code == 200


@pytest.mark.parametrize("path", [COUNTS, "/v1/nothing", "/", "/health/live", "/v1/sites/nowhere/counts"])
async def test_every_answer_carries_the_headers_of_safety(service: Service, path: str) -> None:
    """Answers are not sniffed, framed or referred from, whether they are ours, errors or pages."""
    headers = (await service.call("GET", path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "strict-transport-security" not in headers


async def test_behind_https_browsers_are_told_to_stay_there(service: Service) -> None:
    """HSTS is sent where PUBLIC_URL is https, and only there."""
    answer = await asked(service, "comments.example", public_url="https://comments.example")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_site_that_is_refused_still_gets_its_headers(service: Service) -> None:
    """Refused before routing, an answer is as safe as any other."""
    answer = await asked(service, "evil.example")
    assert answer.headers["x-content-type-options"] == "nosniff"
