"""The OpenAPI document says what the API does, and the API does what the document says."""

import re
from contextlib import suppress
from functools import cache
from typing import Any

import httpx
import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service import schemas
from service.app import create_litestar
from service.errors import CODES, ProblemBody
from service.routes.openapi import completed
from service.settings import Settings
from tests.service.test_access import ROUTES
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: Not described: pages for people and the redirects of a browser's sign-in, and metrics in a format of their own.
UNDESCRIBED = {
    "GET /",
    "GET /demo",
    "GET /demo/{name}",
    "GET /console",
    "GET /console/{name:path}",
    "GET /widget.js",
    "GET /widget/{name:path}",
    "GET /metrics",
    "GET /v1/session/oidc",
    "GET /v1/session/oidc/callback",
}


def document() -> dict[str, Any]:
    """Answer the document without a running application."""
    app = create_litestar(Settings(colloquy_home="unused"))
    return completed(app, app.openapi_schema.to_schema())


DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
GUARDS = {re.sub(r":str\}", "}", route): guard for route, guard in ROUTES.items()}


def test_every_route_is_described() -> None:
    """All routes are in the document, but for the pages that are named here."""
    assert set(OPERATIONS) == set(GUARDS) - UNDESCRIBED


def test_input_is_described_as_strictly_as_it_is_read() -> None:
    """Every struct that refuses unknown fields says so, and a limit of 0 is a limit."""
    described = DOCUMENT["components"]["schemas"]
    strict = {
        name
        for name, value in vars(schemas).items()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__struct_config__.forbid_unknown_fields
    } - {"Input"}
    assert {"SubmitComment", "PolicyInput", "SiteChange"} & strict
    for name in strict:
        assert described[name]["additionalProperties"] is False, name
    assert described["SiteInput"]["properties"]["max_depth"]["minimum"] == 0


def test_problems_are_described_on_every_route() -> None:
    """Each route names the problems that it can meet, all of one struct and content type."""
    responses = DOCUMENT["components"]["responses"]
    others = {name: said for name, said in responses.items() if not name.startswith("Problem")}
    ours = {name.removeprefix("Problem"): said for name, said in responses.items() if name not in others}
    assert set(others) == {"GoogleError", "OpenAiError"}
    assert set(ours) == {str(status) for status, _ in CODES.values()}
    for said in ours.values():
        [(media_type, content)] = said["content"].items()
        assert media_type == "application/problem+json"
        assert content["schema"] == {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}
    for name, operation in OPERATIONS.items():
        if {"perspective", "openai"} & set(operation.get("tags", ())):
            assert {"400", "403", "404", "405", "429", "500", "503"} <= set(operation["responses"])
            continue
        wanted = {"400", "404", "405", "500", "503"}
        wanted |= {"401", "403"} if GUARDS[name] not in ("open_to_all", "of_site", "of_form", "of_coral") else set()
        wanted |= {"409"} if name.startswith(("POST", "PUT")) else set()
        wanted |= {"413", "415"} if "requestBody" in operation else set()
        assert wanted <= set(operation["responses"]), name


def test_security_is_what_the_guard_asks_for() -> None:
    """Routes of moderators and admins want an API token or a session, those of authors theirs, readers' none."""
    api: dict[str, list[str]] = {"apiToken": []}
    author: dict[str, list[str]] = {"authorToken": []}
    session: dict[str, list[str]] = {"session": []}
    wanted: dict[str, list[dict[str, list[str]]]] = {
        "open_to_all": [{}],
        "of_site": [{}],
        "of_form": [{}],
        "of_coral": [{"coralSignature": []}],
        "may_be_author": [{}, author, api],
        "requires_author": [author],
        "requires_session": [session],
        "requires_analyze": [{"apiKey": []}, {"apiKeyHeader": []}, api],
    }
    for name, operation in OPERATIONS.items():
        assert operation["security"] == wanted.get(GUARDS[name], [api, session]), name
    assert set(DOCUMENT["components"]["securitySchemes"]) == {
        "apiKey", "apiKeyHeader", "apiToken", "authorToken", "coralSignature", "session",
    }  # fmt: skip


def test_nothing_leads_outside() -> None:
    """Every reference of the document is to a part of it, and it names no other host."""
    text = msgspec.json.encode(DOCUMENT).decode()
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', text):
        assert name in DOCUMENT["components"][kind]
    assert not re.search(r"https?://(?!\[)\w", text)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_document_is_served(service: Service) -> None:
    """The document at /schema is the one that these tests look at."""
    for path in ("/schema", "/schema/openapi.json"):
        answer = await service.call("GET", path, expect=200)
        assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
        assert answer.json() == msgspec.to_builtins(DOCUMENT)


@cache
def generated() -> list[Any]:
    """Answer requests to every operation, as documented and not; made once, for that takes longer than sending them."""
    found: list[Any] = []
    for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        for mode, number in ((GenerationMode.POSITIVE, 5), (GenerationMode.NEGATIVE, 3)):

            @hypothesis.settings(
                max_examples=number, derandomize=True, database=None, deadline=None,
                suppress_health_check=list(HealthCheck), phases=[hypothesis.Phase.generate],
            )  # fmt: skip
            @hypothesis.given(operation.as_strategy(generation_mode=mode))
            def collect(case: Any) -> None:
                found.append(case)

            with suppress(hypothesis.errors.Unsatisfiable):
                # Nothing can be wrong with an operation that takes nothing.
                collect()
    return found


async def send(service: Service, case: Any, token: str | None) -> httpx.Response:
    """Send a generated request to the application in this process."""
    sent = case.as_transport_kwargs(base_url="http://test")
    headers = {name: value for name, value in sent["headers"].items() if name.lower() != "authorization"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    options = {name: sent[name] for name in ("params", "json") if sent.get(name) is not None}
    if sent.get("data") is not None:
        # A form comes as its fields, anything else as bytes.
        options["data" if isinstance(sent["data"], dict) else "content"] = sent["data"]
    return await service.client.request(sent["method"], sent["url"], headers=headers, **options)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["nobody", "author", "moderator", "root"])
async def test_whatever_is_sent_is_answered_as_documented(service: Service, role: str) -> None:
    """No request, sound or broken, with any token, is answered by a 5xx or by something that is not documented."""
    await service.scorer_reports()
    known = await service.published("An opinion.")
    tokens = service.tokens | {"author": known["author_token"]}
    for number, case in enumerate(generated()):
        if role == "author" and "/mine/tokens" in case.path:
            continue
        if isinstance(case.path_parameters, dict):
            # What nobody has is found soon; most requests should get further than that.
            for name, value in (("site", "test"), ("comment_id", known["comment"]["id"]), ("page", "page")):
                if name in case.path_parameters and number % 3:
                    case.path_parameters[name] = value
        answer = await send(service, case, tokens.get(role))
        case.validate_response(answer, checks=CHECKS)
