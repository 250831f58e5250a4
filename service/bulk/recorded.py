"""Recorded calls of the Perspective API: JSON lines with `request` and `response`, in either style of names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

LONGEST_TEXT_BYTES: Final = 20_480
"""What the API takes; it answers more with an error."""

_NAME = re.compile(r"[A-Z0-9_@]{1,64}")


class Skipped(StrEnum):
    """Why a line is not compared."""

    NOT_JSON = "not JSON with a request and a response"
    NO_TEXT = "the request has no text"
    TOO_LONG = "the text is longer than the API takes"
    ERROR = "the response is an error"
    NO_SCORE = "the response has no score that can be compared"
    LANGUAGE = "in a language that the model does not read"
    REFUSED = "refused by the model"


class Call(msgspec.Struct, frozen=True):
    """One recorded call.

    `scores` are what was answered, `hidden` the thresholds under which a score was not told, `thresholds` all that the
    request named; each by the API's name of an attribute.
    """

    text: str
    languages: tuple[str, ...]
    scores: dict[str, float]
    hidden: dict[str, float]
    thresholds: dict[str, float]


def read_call(line: bytes) -> Call | Skipped:
    """Answer the call of a line, or why it is none that can be compared."""
    try:
        whole = json.loads(line)
    except (ValueError, RecursionError):
        return Skipped.NOT_JSON
    request, response = _of(whole, "request"), _of(whole, "response")
    if not isinstance(request, dict) or not isinstance(response, dict):
        return Skipped.NOT_JSON
    text = _of(_of(request, "comment"), "text")
    if not isinstance(text, str) or not text.strip():
        return Skipped.NO_TEXT
    if len(text.encode("utf-8", "replace")) > LONGEST_TEXT_BYTES:
        return Skipped.TOO_LONG
    if "error" in response:
        return Skipped.ERROR
    thresholds, scores = _thresholds(request), _scores(response)
    hidden = {name: threshold for name, threshold in thresholds.items() if threshold > 0 and name not in scores}
    if not scores and not hidden:
        return Skipped.NO_SCORE
    languages = _of(request, "languages")
    told = tuple(one for one in languages if isinstance(one, str)) if isinstance(languages, list) else ()
    return Call(text, told, scores, hidden, thresholds)


def _thresholds(request: Mapping[str, Any]) -> dict[str, float]:
    wanted = _of(request, "requestedAttributes")
    found = {name: _number(_of(one, "scoreThreshold")) for name, one in _items(wanted)}
    return {name: value for name, value in found.items() if value is not None}


def _scores(response: Mapping[str, Any]) -> dict[str, float]:
    found = {
        name: _number(_of(_of(one, "summaryScore"), "value")) for name, one in _items(_of(response, "attributeScores"))
    }
    return {name: value for name, value in found.items() if value is not None}


def _items(value: Any) -> list[tuple[str, Any]]:
    # Names are shown in the report, and a recording may hold anything.
    return [(name, one) for name, one in value.items() if _NAME.fullmatch(name)] if isinstance(value, dict) else []


def _of(value: Any, name: str) -> Any:
    """Answer a member by its name in camelCase or in snake_case, None where there is none."""
    if not isinstance(value, dict):
        return None
    return value.get(name, value.get(re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        return None
    return float(value)
