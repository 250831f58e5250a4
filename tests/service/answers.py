"""What the API's tests share: the shape of a problem, and an application on parts of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from service.app import create_litestar
from service.errors import CODES, PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_PREFIX
from service.flow.context import Context
from service.routes.edge import Edge
from service.settings import Settings

UNKNOWN_ID = "0190a0a0-0000-7000-8000-000000000000"
ORIGIN = {"origin": "https://news.example"}


def problem(answer: httpx.Response, code: str) -> dict[str, Any]:
    """Check that an answer is the problem with this code in the documented shape; answer its JSON."""
    status, title = CODES[code]
    body: dict[str, Any] = answer.json()
    assert body.get("code") == code, answer.text
    assert answer.status_code == status == body["status"]
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert body["type"] == PROBLEM_TYPE_PREFIX + code
    assert body["title"] == title
    assert body["detail"]
    assert set(body) <= {"type", "title", "status", "detail", "code", "fields", "extra"}
    assert all(set(one) == {"field", "message"} for one in body.get("fields", []))
    return body


def fields(answer: httpx.Response, code: str = "request.invalid") -> set[str]:
    """Answer the names of the fields that a problem complains of."""
    return {one["field"] for one in problem(answer, code)["fields"]}


@asynccontextmanager
async def client_of(settings: Settings, context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client on an application with these settings and parts."""
    app = create_litestar(settings, context)
    async with app.lifespan():
        transport = httpx.ASGITransport(app=Edge(app, lambda: context, settings), raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            yield opened
