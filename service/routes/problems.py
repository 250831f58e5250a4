"""Every exception becomes one RFC 9457 answer; what we did not foresee is logged without its message."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from service.errors import CODES, PROBLEM_MEDIA_TYPE, Problem
from service.settings import SettingsError

logger = logging.getLogger(__name__)


def answer(problem: Problem) -> Response[bytes]:
    """Answer a problem."""
    # A 401 without a challenge breaks RFC 9110, section 11.6.1.
    challenge = {"www-authenticate": "Bearer"} if problem.status == 401 else {}
    headers = {"cache-control": "no-store"} | challenge | problem.headers
    return Response(problem.body(), status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def on_problem(_request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """Answer one of our own problems."""
    return answer(problem)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Translate what the framework raises."""
    return answer(_translate(request, error))


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
        return Problem("route.unknown", f"Nothing is served under {request.scope['path'][:200]}.")
    if isinstance(error, MethodNotAllowedException):
        return Problem("method.not_allowed", f"{request.method} is not served here.", headers=_allowed(error))
    by_status = {413: "request.too_large", 415: "request.content_type", 401: "auth.required", 403: "auth.forbidden"}
    code = by_status.get(error.status_code, "request.invalid" if error.status_code < 500 else "internal")
    return Problem(code, CODES[code][1] + ".")


def _allowed(error: HTTPException) -> dict[str, str]:
    allow = {key.lower(): value for key, value in (error.headers or {}).items()}.get("allow")
    return {"allow": allow} if allow else {}


def _field(extra: dict[str, Any]) -> tuple[str, str]:
    """Answer the parameter and what is wrong with it."""
    return str(extra.get("key") or "request"), str(extra.get("message", "not valid"))


def on_unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 500 (503 where a part is misconfigured) and log type and frames."""
    if isinstance(error, RecursionError):
        return answer(Problem("request.nesting", "Objects and arrays go too deep."))
    logger.error(
        "unforeseen error",
        exc_info=(type(error), error, error.__traceback__),
        extra={"method": request.method, "route": _template(request)},
    )
    if isinstance(error, SettingsError):
        return answer(Problem("service.unavailable", "The installation is not configured completely."))
    return answer(Problem("internal", "The error was logged under this request's X-Request-Id."))


def _template(request: Request[Any, Any, Any]) -> str:
    """Answer the route's template: a path may hold a page key, which is the publisher's business."""
    return str(request.scope.get("path_template", "?"))
