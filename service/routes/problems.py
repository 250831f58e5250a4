"""Every exception becomes one RFC 9457 answer; what we did not foresee is logged without its message."""

from __future__ import annotations

import logging
import time
from typing import Any

from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from service.errors import CODES, Problem
from service.routes.dialects import told
from service.routes.messages import plainly
from service.settings import SettingsError

logger = logging.getLogger(__name__)
OUTAGE_ENDS_SECONDS = 60.0


def answer(problem: Problem, path: str = "") -> Response[bytes]:
    """Answer a problem in the words of the path that met it."""
    said = told(problem, path)
    # A 401 without a challenge breaks RFC 9110, section 11.6.1.
    challenge = {"www-authenticate": "Bearer"} if said.status == 401 else {}
    headers = {"cache-control": "no-store"} | challenge | problem.headers
    return Response(said.body, status_code=said.status, media_type=said.media_type, headers=headers)


class Outages:
    """Tells the first refusal of an outage from the many that follow; a minute without any ends it."""

    def __init__(self) -> None:
        self._refused_at: dict[str, float] = {}

    def begins(self, detail: str, at: float) -> bool:
        """Take note of a refusal at a time in seconds, and answer whether it is the first."""
        before = self._refused_at.get(detail)
        self._refused_at[detail] = at
        return before is None or at - before > OUTAGE_ENDS_SECONDS


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """Answer one of our own problems; that a part is out is logged too, once per outage."""
    if problem.code == "service.unavailable":
        outages: Outages = request.app.state.setdefault("outages", Outages())
        if outages.begins(problem.detail, time.monotonic()):
            logger.warning("unavailable", extra={"route": _template(request), "detail": problem.detail})
    return answer(problem, request.scope["path"])


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Translate what the framework raises."""
    return answer(_translate(request, error), request.scope["path"])


def _translate(request: Request[Any, Any, Any], error: HTTPException) -> Problem:
    if isinstance(error, ValidationException):
        fields = [_field(extra) for extra in error.extra or [] if isinstance(extra, dict)]
        # What a body holds is checked where it is read (service.routes.requests), so here it can only be missing.
        if any(name == "data" for name, _ in fields):
            return Problem("request.malformed", "Send a JSON object as the body.")
        return Problem(
            "request.invalid", "; ".join(f"{f}: {m}" for f, m in fields) or "Check the request.", fields=fields
        )
    if isinstance(error, NotFoundException):
        return Problem("route.unknown", _nothing_under(request.scope["path"]))
    if isinstance(error, MethodNotAllowedException):
        return Problem("method.not_allowed", f"{request.method} is not served here.", headers=_allowed(error))
    by_status = {413: "request.too_large", 415: "request.content_type", 401: "auth.required", 403: "auth.forbidden"}
    code = by_status.get(error.status_code, "request.invalid" if error.status_code < 500 else "internal")
    return Problem(code, CODES[code][1] + ".")


def _nothing_under(path: str) -> str:
    # A page key is often a URL, whose own slashes cut the path into pieces that no route has.
    _, threads, page = path.partition("/threads/")
    hint = " Percent-encode the page key, its slashes as %2F." if threads and "/" in page else ""
    return f"Nothing is served under {path[:200]}.{hint}"


def _allowed(error: HTTPException) -> dict[str, str]:
    allow = {key.lower(): value for key, value in (error.headers or {}).items()}.get("allow")
    return {"allow": allow} if allow else {}


def _field(extra: dict[str, Any]) -> tuple[str, str]:
    """Answer the parameter and what is wrong with it."""
    return str(extra.get("key") or "request"), plainly(str(extra.get("message", "not valid")))


def on_unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 500 (503 where a part is misconfigured) and log type and frames."""
    path = request.scope["path"]
    if isinstance(error, RecursionError):
        return answer(Problem("request.nesting", "Objects and arrays go too deep."), path)
    logger.error(
        "unforeseen error",
        exc_info=(type(error), error, error.__traceback__),
        extra={"method": request.method, "route": _template(request)},
    )
    if isinstance(error, SettingsError):
        return answer(Problem("service.unavailable", "The installation is not configured completely."), path)
    return answer(Problem("internal", "The error was logged under this request's X-Request-Id."), path)


def _template(request: Request[Any, Any, Any]) -> str:
    """Answer the route's template: a path may hold a page key, which is the publisher's business."""
    return str(request.scope.get("path_template", "?"))
