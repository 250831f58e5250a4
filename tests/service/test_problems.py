"""Whatever is sent, the answer is the right problem: JSON, nesting, NUL, types, sizes, routes, methods."""

import json
import re
from typing import Any

import httpx
import msgspec
import pytest

from service.flow.context import Context
from service.settings import Settings
from tests.service.answers import UNKNOWN_ID, client_of, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

COMMENTS = "/v1/sites/test/threads/page/comments"
JSON = {"content-type": "application/json"}


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


async def send(service: Service, raw: bytes, content_type: str | None = "application/json") -> httpx.Response:
    """Submit raw bytes as a comment."""
    headers = {"content-type": content_type} if content_type is not None else {}
    return await service.client.post(COMMENTS, content=raw, headers=headers)


async def test_what_is_not_json_is_malformed(service: Service) -> None:
    """Cut, empty, binary or wrong JSON is request.malformed, and so is half of a surrogate pair."""
    for raw in (
        b'{"body": "x"', b'{"body": "x"}}', b"", b" ", b"body=x", b"{'body': 'x'}", b'{"body": "\xff"}', b"\x00",
        b'{"body": "\\ud800"}', b'{"body": "\\udc00\\ud800"}', b'{"body": "\xed\xa0\x80"}', b'{"body": NaN}',
        b'{"body": "x", }', b'\xef\xbb\xbf{"body": "x"}', '{"body": "x"}'.encode("utf-16"), b'{"body": "a\nb"}',
    ):  # fmt: skip
        problem(await send(service, raw), "request.malformed")


async def test_a_whole_surrogate_pair_is_a_character(service: Service) -> None:
    """An escaped pair is the one character it stands for."""
    answer = await send(service, b'{"body": "\\ud83d\\ude00 yes"}')
    assert answer.json()["comment"]["body"] == "\U0001f600 yes"


async def test_bottomless_nesting_is_refused(service: Service, settings: Settings, context: Context) -> None:
    """A hundred thousand brackets are request.nesting at whatever place they stand, and one too many too."""
    roomy = msgspec.structs.replace(settings, max_body_bytes=1_000_000)
    deep = 100_000
    async with client_of(roomy, context) as client:
        for raw in (
            b"[" * deep, b"[" * deep + b"]" * deep, b'{"body":' + b"[" * deep + b"]" * deep + b"}",
            b'{"x":' * deep + b"1" + b"}" * deep, b"[" * 1_100 + b"]" * 1_100,
        ):  # fmt: skip
            problem(await client.post(COMMENTS, content=raw, headers=JSON), "request.nesting")
            headers = {**JSON, "authorization": f"Bearer {service.tokens['admin']}"}
            policy = await client.put("/v1/admin/sites/test/policy", content=raw, headers=headers)
            problem(policy, "request.nesting")


async def test_moderate_nesting_is_only_wrong(service: Service) -> None:
    """Nesting that a parser bears is answered like any other wrong field."""
    assert fields(await send(service, b'{"body": ' + b"[" * 50 + b"]" * 50 + b"}")) == {"body"}
    policy = {"words": json.loads("[" * 400 + "]" * 400)}
    problem(await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy), "policy.invalid")


@pytest.mark.parametrize("database_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_no_nul_comes_in(service: Service) -> None:
    """A NUL is request.nul in any text of a body, in a name of a field, in a page key and in a query."""
    for raw in (
        b'{"body": "a\\u0000b"}', b'{"body": "x", "author": {"name": "\\u0000"}}', b'{"body": "x", "\\u0000": 1}',
        b'{"body": "x", "y": [[{"z": "\\u0000"}]]}', b'"\\u0000"', b'{"body": "\\u0000"}',
    ):  # fmt: skip
        problem(await send(service, raw), "request.nul")
    token = (await service.submit("Mine."))["author_token"]
    for method, path, as_ in (
        ("GET", "/v1/sites/test/threads/a%00b", None),
        ("GET", "/v1/sites/test/counts?page=a&page=%00", None),
        ("GET", "/v1/sites/test/mine?page=%00", token),
        ("GET", "/v1/admin/sites/test/threads/%00", "admin"),
        ("GET", "/v1/admin/sites/test/policy?page=%00", "admin"),
        ("DELETE", "/v1/admin/sites/test/policy?page=a%00", "admin"),
    ):
        problem(await service.call(method, path, as_=as_), "request.nul")
    problem(await service.call("POST", "/v1/sites/test/threads/%00/comments", json={"body": "x"}), "request.nul")


async def test_a_backslash_before_an_escape_is_no_nul(service: Service) -> None:
    """The six characters of an escape, written as text, are text."""
    answer = await send(service, json.dumps({"body": "In JSON one writes \\u0000."}).encode())
    assert answer.json()["comment"]["body"] == "In JSON one writes \\u0000."


@pytest.mark.parametrize("database_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_ids_and_keys_that_cannot_be_are_unknown(service: Service) -> None:
    """An id with a NUL, of another shape, or cut, is as unknown as one that is not there."""
    for id_ in ("%00", "1", "%2E", UNKNOWN_ID[:-1], UNKNOWN_ID + "%0A", "%ED%A0%80", "x" * 3000, UNKNOWN_ID.upper()):
        problem(await service.call("GET", f"/v1/sites/test/comments/{id_}"), "comment.unknown")
        problem(await service.call("GET", f"/v1/sites/test/comments/{id_}/replies"), "comment.unknown")
        path = f"/v1/review/test/items/{id_}/release"
        problem(await service.call("POST", path, as_="moderator", json={"lease": "x"}), "item.unknown")
        problem(await service.call("DELETE", f"/v1/admin/sites/test/keys/{id_}", as_="admin"), "key.unknown")


async def test_only_json_is_taken_for_json(service: Service) -> None:
    """A form, plain text or no type is refused, so that no page of another site can post without a preflight."""
    good = b'{"body": "x"}'
    for content_type in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None, "", "text/xml",
        "application/merge-patch+json", "text/json", "application/json-seq", "*/*", "application/json, text/plain",
    ):  # fmt: skip
        problem(await send(service, good, content_type), "request.content_type")
    for path in ("/v1/sites/test/counts", "/v1/review/test/claims", "/v1/admin/sites"):
        answer = await service.call("POST", path, as_="root", content=b"{}", headers={"content-type": "text/plain"})
        problem(answer, "request.content_type")
    for content_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;charset=UTF-8"):
        assert (await send(service, b'{"body": "A %s."}' % content_type.encode(), content_type)).status_code == 202


async def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    """More bytes than the setting allows are a 413, whether or not the length was told before."""
    limit = service.context.settings.max_body_bytes
    for size in (limit, 4 * limit):
        problem(await send(service, json.dumps({"body": "x" * size}).encode()), "request.too_large")

    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * (limit // 10)

    problem(await service.client.post(COMMENTS, content=chunks(), headers=JSON), "request.too_large")
    exact = json.dumps({"body": ""}).encode()
    padded = exact + b" " * (limit - len(exact))
    assert fields(await send(service, padded)) == {"body"}


async def test_the_longest_text_fits_into_a_request(service: Service) -> None:
    """A site may allow 10,000 characters and no more, and such a text is taken in whatever script it is written."""
    for body_max, status in ((10_001, 400), (10_000, 200)):
        change = {"body_max_characters": body_max, "duplicate_window_seconds": 0}
        await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=status)
        site = {"slug": f"new-{body_max}", "name": "N", "body_max_characters": body_max}
        answer = await service.call("POST", "/v1/admin/sites", as_="root", json=site)
        assert (answer.status_code < 300) == (status < 300)
    for size, status in ((10_000, 202), (10_001, 400)):
        raw = json.dumps({"body": "\U0001f600" * size}, ensure_ascii=False).encode()
        assert (await send(service, raw)).status_code == status


async def test_counts_take_500_of_the_longest_keys(service: Service) -> None:
    """As many page keys as are promised fit into one request, however long they are; more bytes are still a 413."""
    path, longest = "/v1/sites/test/counts", "\U0001f600" * 509
    pages = [f"{longest}{number:03}" for number in range(500)]
    raw = json.dumps({"pages": pages}, ensure_ascii=False).encode()
    assert len(raw) > 1_000_000
    answer = await service.client.post(path, content=raw, headers=JSON)
    assert (answer.status_code, len(answer.json()["counts"])) == (200, 500)
    problem(await service.client.post(path, content=raw + b" " * 100_000, headers=JSON), "request.too_large")


async def test_made_up_methods_take_no_memory(service: Service) -> None:
    """Any word may be sent as a method, but metrics count all unknown ones as one."""
    for number in range(20):
        await service.client.request(f"BREW{number}", "/health/live")
    metrics = (await service.client.get("/metrics")).text
    assert "BREW" not in metrics
    assert 'method="OTHER"' in metrics


async def test_unknown_fields_are_refused_by_name(service: Service) -> None:
    """A field that is not ours is refused on every route, at every depth; server-owned ones are not ours."""
    wanted = {"body": "x"}
    for name in ("status", "id", "created_at", "html", "revision", "Body", "parent"):
        problem(await service.call("POST", COMMENTS, json={**wanted, name: "x"}), "request.invalid")
    problem(
        await service.call("POST", COMMENTS, json={**wanted, "author": {"name": "A", "kind": "signed"}}),
        "request.invalid",
    )
    for method, path, body in (
        ("POST", "/v1/sites/test/counts", {"pages": []}),
        ("POST", "/v1/review/test/claims", {}),
        ("POST", f"/v1/review/test/items/{UNKNOWN_ID}/renew", {"lease": "x"}),
        ("POST", f"/v1/review/test/items/{UNKNOWN_ID}/decision", {"lease": "x", "revision": 1, "action": "approve"}),
        ("POST", f"/v1/review/test/comments/{UNKNOWN_ID}/decision", {"revision": 1, "action": "restore"}),
        ("POST", "/v1/admin/sites", {"slug": "new", "name": "New"}),
        ("PATCH", "/v1/admin/sites/test", {}),
        ("POST", "/v1/admin/sites/test/threads", {"page": "x"}),
        ("PATCH", "/v1/admin/sites/test/threads/page", {}),
        ("POST", "/v1/admin/sites/test/threads/page/move", {"to_page": "y"}),
        ("POST", "/v1/admin/sites/test/members", {"name": "M", "role": "moderator"}),
        ("POST", "/v1/admin/sites/test/keys", {"name": "K", "scopes": ["review"]}),
    ):
        answer = await service.call(method, path, as_="root", json={**body, "extra": 1})
        assert fields(answer) == {"extra"}


async def test_wrong_types_are_named_by_field(service: Service) -> None:
    """A field of the wrong type or shape is named; text is never taken for a number, nor a number for text."""
    for body, name in (
        ({"body": 5}, "body"), ({"body": None}, "body"), ({"body": ["x"]}, "body"), ({}, "body"),
        ({"body": "x", "parent_id": "nobody"}, "parent_id"), ({"body": "x", "author": "Ada"}, "author"),
        ({"body": "x", "author": {"name": ""}}, "author.name"), ({"body": "x", "author": {"name": " "}}, "author.name"),
        ({"body": "x", "author": {"name": "n" * 81}}, "author.name"), ({"body": "x", "url": "javascript:1"}, "url"),
        ({"body": "x", "title": "t" * 301}, "title"), ({"body": "x" * 10_001}, "body"), ({"body": ""}, "body"),
    ):  # fmt: skip
        assert fields(await service.call("POST", COMMENTS, json=body)) == {name}, body
    unknown = {"body": "x", "author": {"name": "A", "kind": "signed"}, "parent_id": None}
    assert fields(await service.call("POST", COMMENTS, json=unknown)) == {"author.kind"}
    for claim in ({"limit": "5"}, {"limit": 0}, {"limit": 51}, {"limit": 1.5}, {"limit": True}, {"limit": 10**30}):
        answer = await service.call("POST", "/v1/review/test/claims", as_="moderator", json=claim)
        assert fields(answer) == {"limit"}, claim
    for change in ({"guests_allowed": "true"}, {"guests_allowed": 1}):
        answer = await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change)
        assert fields(answer) == {"guests_allowed"}


async def test_a_trailing_line_end_is_part_of_a_text(service: Service) -> None:
    """What must be a slug, an id, an origin or a code is none with a line end behind it."""
    sites, keys = "/v1/admin/sites", "/v1/admin/sites/test/keys"
    for path, body, name in (
        (sites, {"slug": "new\n", "name": "N"}, "slug"),
        (sites, {"slug": "new", "name": "N", "allowed_origins": ["https://a.b\n"]}, "allowed_origins[0]"),
        (COMMENTS, {"body": "x", "parent_id": UNKNOWN_ID + "\n"}, "parent_id"),
        (keys, {"name": "K", "scopes": ["review"], "member_id": UNKNOWN_ID + "\n"}, "member_id"),
    ):
        assert fields(await service.call("POST", path, as_="root" if path != COMMENTS else None, json=body)) == {name}


async def test_a_time_needs_a_zone_and_a_sensible_year(service: Service) -> None:
    """A time without zone, or one that no database can hold in UTC, is refused and named."""
    for moment in ("2030-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 5, "soon"):
        thread = {"page": "x", "closes_at": moment}
        answer = await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=thread)
        assert fields(answer) == {"closes_at"}, moment
        key = {"name": "K", "scopes": ["review"], "expires_at": moment}
        answer = await service.call("POST", "/v1/admin/sites/test/keys", as_="admin", json=key)
        assert fields(answer) == {"expires_at"}, moment


async def test_a_body_that_is_no_object_is_refused(service: Service) -> None:
    """null, a list, a number and a text are JSON but no request."""
    for raw in (b"null", b"[]", b"1", b'"x"', b"true"):
        problem(await send(service, raw), "request.invalid")
        answer = await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", content=raw, headers=JSON)
        assert answer.status_code in (400, 422)
        problem(answer, answer.json()["code"])


async def test_what_shows_nothing_is_blank(service: Service) -> None:
    """Spaces, line ends, zero-width and control characters alone are no comment."""
    for body in (" ", "\n\t ", "\u200b\u200d\ufeff", "\u2060 \u00ad", "\u3000", "\u202e", "\x07"):
        assert fields(await service.call("POST", COMMENTS, json={"body": body})) == {"body"}, ascii(body)


async def test_the_sites_limits_on_length_hold(service: Service) -> None:
    """A body is counted in characters against the site's own limits, when it is made and when it is edited."""
    change = {"body_min_characters": 3, "body_max_characters": 5, "duplicate_window_seconds": 0}
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=200)
    for body in ("ab", "abcdef", "\U0001f600\U0001f600"):
        assert fields(await service.call("POST", COMMENTS, json={"body": body})) == {"body"}
    for body in ("abc", "abcde", "\U0001f600" * 5):
        sent = await service.submit(body)
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    for body in ("ab", "abcdef", "   ", "\u200b\u200b\u200b"):
        answer = await service.call("PATCH", path, as_=sent["author_token"], json={"body": body})
        assert fields(answer) == {"body"}


async def test_unknown_routes_and_methods(service: Service) -> None:
    """A path that is not there is a 404; a method that is not is a 405 whose Allow names the others."""
    for path in (
        "/v1",
        "/v1/",
        "/v2/sites/test/counts",
        "/v1/sites/test",
        "/%00",
        "/v1/sites/test/threads/a/b/c",
    ):
        problem(await service.client.get(f"http://test{path}"), "route.unknown")
    answer = await service.client.put("/v1/sites/test/counts")
    problem(answer, "method.not_allowed")
    assert {"GET", "POST"} <= {one.strip() for one in answer.headers["allow"].split(",")}
    answer = await service.client.head(COMMENTS)
    assert (answer.status_code, answer.content) == (405, b"")
    problem(await service.client.request("BREW", COMMENTS), "method.not_allowed")


async def test_head_answers_as_get_without_the_body(service: Service) -> None:
    """Every GET route answers HEAD with the same status and headers and no byte."""
    comment = (await service.published())["comment"]["id"]
    for path, as_ in (
        ("/v1/sites/test/threads/page", None), ("/v1/sites/test/counts?page=page", None), ("/health/live", None),
        (f"/v1/sites/test/comments/{comment}", None), ("/v1/review/test/queue", "moderator"), ("/metrics", None),
        ("/v1/admin/sites", "admin"), ("/schema/openapi.json", None), ("/v1/sites/nowhere/counts", None),
    ):  # fmt: skip
        got, headed = await service.call("GET", path, as_=as_), await service.call("HEAD", path, as_=as_)
        assert headed.content == b""
        assert headed.status_code == got.status_code
        for name in ("content-type", "etag", "cache-control"):
            assert headed.headers.get(name) == got.headers.get(name), path


async def test_query_parameters_are_checked(service: Service) -> None:
    """A query that is out of range or of the wrong type is refused and named."""
    for query, name in (
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=", "limit"), ("limit=1.5", "limit"),
        ("replies=-1", "replies"), ("replies=51", "replies"), ("sort=best", "sort"), ("sort=", "sort"),
        ("limit=99999999999999999999999", "limit"),
    ):  # fmt: skip
        assert fields(await service.client.get(f"/v1/sites/test/threads/page?{query}")) == {name}, query
    for query in ("%FF=1", "page=%FF", "page=%ED%A0%80", "=", "&&&", "sort=newest&sort=oldest", "limit=1&limit=2"):
        answer = await service.client.get(f"/v1/sites/test/counts?{query}")
        assert answer.status_code in (200, 400), query
        answer = await service.client.get(f"/v1/sites/test/threads/page?{query}")
        assert answer.status_code in (200, 400), query


async def test_every_answer_has_a_request_id(service: Service) -> None:
    """A sensible X-Request-Id comes back as it was sent; another one is replaced."""
    answer = await service.client.get("/health/live", headers={"x-request-id": "abc-DEF_123.4"})
    assert answer.headers["x-request-id"] == "abc-DEF_123.4"
    made = set()
    for given in ("short", "x" * 65, "with space in it", "<script>alert</script>"):
        answer = await service.client.get("/v1/nothing", headers={"x-request-id": given})
        # Random as a whole: one that has a time or a count in it would tell more than which request it is.
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
        made.add(answer.headers["x-request-id"])
    assert len(made) == 4
