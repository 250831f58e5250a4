"""Refusals in the words of the Perspective API: its error types, and every other problem in Google's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from service.errors import Problem
from service.schemas.perspective import TEXT_BYTES, GoogleError, GoogleErrorBody

_TYPE: Final = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_SERVICE: Final = "commentanalyzer.googleapis.com"
_INVALID: Final = "INVALID_REQUEST"
_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    421: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def refused(message: str, error_type: str = _INVALID, **more: Any) -> Problem:
    """Answer the problem of a request that is wrong, with one of the API's own error types."""
    return Problem("request.invalid", message, extra={"errorType": error_type, **more})


def empty() -> Problem:
    """There is no text."""
    return refused("Comment must be non-empty.", "COMMENT_EMPTY")


def too_long(size: int) -> Problem:
    """The text is longer than the API takes."""
    return refused(
        f"Comment text was too long. The text exceeded limit of {TEXT_BYTES} bytes, it has {size}.", "COMMENT_TOO_LONG"
    )


def nothing_requested() -> Problem:
    """No attribute is named."""
    return refused("At least one attribute must be requested.", "NO_REQUESTED_ATTRIBUTES")


def unknown_attribute(name: str, model_id: str | None = None) -> Problem:
    """No model of ours measures an attribute, or the one in force does not."""
    by = "" if model_id is None else f" (the model {model_id} does not score it)"
    return refused(f"Unknown requested attribute: {name[:80]}{by}")


def unsupported_type(score_type: str, name: str) -> Problem:
    """Only probabilities are given."""
    return refused(f"Requested score type {score_type[:80]} is not supported by attribute {name}")


def unsupported_language(name: str, requested: Sequence[str], detected: Sequence[str]) -> Problem:
    """The model is not good for the language of the text."""
    said = {"attribute": name, "requestedLanguages": list(requested), "detectedLanguages": list(detected)}
    # Who asked for another language is told which one the text is in.
    what = "the detected language" if requested and detected and not {*requested} & {*detected} else "request languages"
    return refused(
        f"Attribute {name} does not support {what}: {', '.join(detected or requested)}",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        languageNotSupportedByAttributeError=said,
    )


def no_language() -> Problem:
    """Nothing of the text tells its language, and the request does not either."""
    return refused("The language of the comment could not be detected.", "LANGUAGE_DETECTION_FAILED")


def too_many(retry_after_seconds: int, why: str) -> Problem:
    """Nobody answers this in time now."""
    return Problem("limits.exceeded", why, headers={"retry-after": str(retry_after_seconds)})


def body_of(problem: Problem) -> GoogleErrorBody:
    """Answer a problem as Google's services would tell it."""
    status, message, details = _told(problem)
    return GoogleErrorBody(GoogleError(status, message, _STATUS.get(status, "UNKNOWN"), details))


def status_of(problem: Problem) -> int:
    """Answer the HTTP status of a problem where these words are spoken."""
    return _told(problem)[0]


def _told(problem: Problem) -> tuple[int, str, list[dict[str, Any]]]:
    if problem.code == "auth.required":
        return 403, (
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API."
        ), []  # fmt: skip
    if problem.code == "auth.invalid":
        known = {"reason": "API_KEY_INVALID", "domain": "googleapis.com", "metadata": {"service": _SERVICE}}
        return 400, "API key not valid. Please pass a valid API key.", [{"@type": _INFO, **known}]
    if problem.status in (413, 415, 422) or (problem.status == 400 and "errorType" not in problem.extra):
        return 400, problem.detail, [{"@type": _TYPE, "errorType": _INVALID}]
    if problem.status == 400:
        return 400, problem.detail, [{"@type": _TYPE, **problem.extra}]
    return problem.status, problem.detail, []
