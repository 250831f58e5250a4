"""CORS: the site's own origins and no other, on answers, problems and preflights alike."""

import pytest

from tests.service.answers import ORIGIN, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS, COUNTS = "/v1/sites/test/threads/page/comments", "/v1/sites/test/counts"
FOREIGN = (
    "https://evil.example", "null", "http://news.example", "https://news.example:444", "https://NEWS.example", "", "*",
    "https://news.example.evil.example", "https://news.example/",
)  # fmt: skip


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


async def test_an_allowed_origin_may_read_the_answer(service: Service) -> None:
    """GET and POST from the site's page answer with that origin, and name the headers that scripts may read."""
    for answer in (
        await service.call("GET", COUNTS, headers=ORIGIN, expect=200),
        await service.call("POST", COMMENTS, headers=ORIGIN, json={"body": "x"}, expect=202),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
        assert "origin" in answer.headers["vary"].lower()
        assert "etag" in answer.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_foreign_origin_is_refused(service: Service) -> None:
    """Another origin is refused on reading and writing, writes nothing, and is given no CORS header."""
    for origin in FOREIGN:
        headers = {"origin": origin}
        for method, path, body in (
            ("GET", COUNTS, None),
            ("GET", COMMENTS[:-9], None),
            ("POST", COMMENTS, {"body": "x"}),
        ):
            answer = await service.call(method, path, headers=headers, json=body)
            problem(answer, "origin.refused")
            assert "access-control-allow-origin" not in answer.headers
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 0


async def test_an_absent_origin_passes(service: Service) -> None:
    """Servers and same-origin pages send none; the answer tells caches that it depends on it."""
    answer = await service.call("GET", COUNTS, expect=200)
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"].split(", ")
    await service.call("POST", COMMENTS, json={"body": "x"}, expect=202)


async def test_problems_can_be_read_too(service: Service) -> None:
    """A script of the site can read why it was refused: problems carry the same headers."""
    for method, path, options, code in (
        ("POST", COMMENTS, {"json": {"body": " "}}, "request.invalid"),
        ("POST", COMMENTS, {"json": {"nobody": "x"}}, "request.invalid"),
        ("POST", COMMENTS, {"content": b"{"}, "request.content_type"),
        ("POST", COMMENTS, {"json": {"body": "x" * 70_000}}, "request.too_large"),
        ("GET", "/v1/sites/test/mine", {}, "auth.required"),
        ("GET", "/v1/sites/test/comments/nothing", {}, "comment.unknown"),
        ("GET", f"{COUNTS}?page=%00", {}, "request.nul"),
    ):
        answer = await service.client.request(method, path, headers=ORIGIN, **options)
        problem(answer, code)
        assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"], code


async def test_a_preflight_lets_the_sites_pages_through(service: Service) -> None:
    """The site's page may send what the API takes; the answer is bare and may be kept for a while."""
    for path in (COMMENTS, COUNTS, "/v1/sites/test/threads/https%3A%2F%2Fa%2Fb/comments"):
        asked = {**ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        answer = await service.client.options(path, headers=asked)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
        assert "Origin" in answer.headers["vary"].split(", ")
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in ("authorization", "content-type", "idempotency-key", "prefer"))
        assert int(answer.headers["access-control-max-age"]) > 0


async def test_a_preflight_of_another_origin_is_refused(service: Service) -> None:
    """Other origins, and sites that are not there, get a problem and no CORS header."""
    asked = {"access-control-request-method": "POST"}
    for origin in FOREIGN:
        answer = await service.client.options(COMMENTS, headers={**asked, "origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin.refused")
        assert "access-control-allow-origin" not in answer.headers
    answer = await service.client.options("/v1/sites/nowhere/counts", headers={**asked, **ORIGIN})
    assert (answer.status_code, answer.json()["code"]) == (404, "site.unknown")


async def test_the_origins_of_a_site_can_change(service: Service) -> None:
    """An origin that an admin adds is let in, and one that is taken away is refused, soon after."""
    added = {"origin": "https://new.example"}
    change = {"allowed_origins": [added["origin"]]}
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=200)
    answer = await service.call("GET", COUNTS, headers=added)
    assert answer.status_code == 200
    problem(await service.call("GET", COUNTS, headers=ORIGIN), "origin.refused")


async def test_moderators_and_admins_are_served_without_cors(service: Service) -> None:
    """Routes of API tokens answer whatever the Origin is, but let no script of another origin read it."""
    for path, as_ in (("/v1/review/test/queue", "moderator"), ("/v1/admin/sites/test", "admin")):
        answer = await service.call("GET", path, as_=as_, headers=ORIGIN, expect=200)
        assert "access-control-allow-origin" not in answer.headers
