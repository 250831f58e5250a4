"""The OpenAPI document at /schema: what we refuse is in it too, and nothing is loaded from elsewhere.

The framework describes routes and parameters. The structs are described by msgspec itself (the framework leaves out
that unknown fields are refused, and limits of 0), and problems and tokens are added to every route by its guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from service import access, schemas
from service.errors import CODES, PROBLEM_MEDIA_TYPE, ProblemBody
from service.schemas import perspective

_REF = "#/components/schemas/{name}"
_METHODS = ("get", "put", "post", "delete", "patch")
#: Any route can meet these: a wrong parameter, name or method, an unknown thing, a defect, a database that is down.
_ALWAYS = (400, 404, 405, 421, 500, 503)
#: The tag of the pages that links in letters lead to.
_OF_LETTERS = "mail"
#: Tags of methods that tell refusals in another API's words: the response, and with which statuses beside `_ALWAYS`.
_DIALECTS = {"perspective": ("GoogleError", (403, 408, 429)), "openai": ("OpenAiError", (401, 403, 408, 413, 429))}
_AUTHOR: dict[str, list[str]] = {"authorToken": []}
_API: dict[str, list[str]] = {"apiToken": []}
_SESSION: dict[str, list[str]] = {"session": []}
#: What each guard asks for; an empty requirement stands for nothing.
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    access.open_to_all.__name__: [{}],
    access.of_site.__name__: [{}],
    access.of_form.__name__: [{}],
    access.of_coral.__name__: [{"coralSignature": []}],
    access.may_be_author.__name__: [{}, _AUTHOR, _API],
    access.requires_author.__name__: [_AUTHOR],
    access.requires_session.__name__: [_SESSION],
    access.requires_analyze.__name__: [{"apiKey": []}, {"apiKeyHeader": []}, _API],
}
_SCHEMES = {
    "authorToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Of a guest, or the publisher's.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "colloquy_session", "description": "Of who signed in."},
    "coralSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Coral-Signature",
        "description": "`sha256=` and the HMAC-SHA256 of the body in hexadecimal, under the phase's signing secret.",
    },
    "apiKey": {"type": "apiKey", "in": "query", "name": "key", "description": "With the scope `analyze`."},
    "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key", "description": "The same."},
    "apiToken": {"type": "http", "scheme": "bearer", "description": "Given by an admin, with scopes; begins with cq_."},
}


class _CompletePlugin(JsonRenderPlugin):
    """Serves the framework's document completed by ours, made once."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"])
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Answer the document."""
        if self._rendered is None:
            self._rendered = msgspec.json.encode(completed(request.app, openapi_schema))
        return self._rendered


def openapi_config() -> OpenAPIConfig:
    """Answer the configuration of the OpenAPI document."""
    return OpenAPIConfig(
        title="Colloquy",
        version="1",
        description="Comments on articles: submitted, scored, published, held for a person, or rejected.",
        path="/schema",
        render_plugins=[_CompletePlugin()],
        use_handler_docstrings=True,
    )


def completed(app: Litestar, framework: dict[str, Any]) -> dict[str, Any]:
    """Answer the document with exact structs, and with the problems and tokens of every route."""
    guards = dict(_guards(app))
    paths = {
        path: {
            method: _operation(method, operation, guards[path, method]) if method in _METHODS else operation
            for method, operation in item.items()
        }
        for path, item in framework["paths"].items()
    }
    components = {"schemas": _structs(), "responses": _problems(), "securitySchemes": _SCHEMES}
    return framework | {"paths": paths, "components": components}


def _guards(app: Litestar) -> Iterator[tuple[tuple[str, str], str]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler) and any(guard in access.GUARDS for guard in handler.guards or ()):
                for method in handler.http_methods:
                    yield (route.path_format, method.lower()), access.guard_of(handler)


def _structs() -> dict[str, Any]:
    """Describe every struct that crosses the wire."""
    named = [*vars(schemas).values(), *vars(perspective).values()]
    found = [value for value in named if isinstance(value, type) and issubclass(value, msgspec.Struct)]
    _, components = msgspec.json.schema_components([*found, ProblemBody], ref_template=_REF)
    return components


def _problems() -> dict[str, Any]:
    """Describe one problem response for each status, naming its codes."""
    by_status: dict[int, list[str]] = {}
    for code, (status, _) in CODES.items():
        by_status.setdefault(status, []).append(code)
    body = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _REF.format(name=ProblemBody.__name__)}}}
    google = {"application/json": {"schema": {"$ref": _REF.format(name=perspective.GoogleErrorBody.__name__)}}}
    openai = {"application/json": {"schema": {"$ref": _REF.format(name=schemas.OpenAiErrorBody.__name__)}}}
    return {
        f"Problem{status}": {"description": f"One of {', '.join(codes)}", "content": body}
        for status, codes in by_status.items()
    } | {
        "GoogleError": {"description": "An error as Google's services tell it.", "content": google},
        "OpenAiError": {"description": "An error as OpenAI's API tells it.", "content": openai},
    }


def _operation(method: str, operation: dict[str, Any], guard: str) -> dict[str, Any]:
    """Answer one route with its problems and with what its guard asks for."""
    security = _SECURITY.get(guard, [_API, _SESSION])
    statuses = {*_ALWAYS}
    if guard != access.open_to_all.__name__:
        statuses |= {403, 429}
    if security != [{}]:
        statuses |= {401}
    if method in ("post", "put"):
        statuses |= {409}
    if "requestBody" in operation:
        # Also where nobody has to be known: whoever signs in, or uses an invitation, can be refused.
        statuses |= {401, 403, 408, 409, 410, 413, 415, 422, 429}
    if _OF_LETTERS in operation.get("tags", ()):
        # Their links end, and their forms are small.
        statuses |= {408, 410, 413}
    # The framework's own 400 is not what we answer.
    kept = {status: said for status, said in operation["responses"].items() if status != "400"}
    problems = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}
    for tag in _DIALECTS.keys() & set(operation.get("tags", ())):
        name, more = _DIALECTS[tag]
        problems = {str(status): {"$ref": f"#/components/responses/{name}"} for status in sorted({*_ALWAYS, *more})}
    return operation | {"responses": dict(sorted((problems | kept).items())), "security": security}
