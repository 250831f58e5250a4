"""In whose words a refusal is told: a client of another API finds that API's errors under that API's paths."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from service.errors import PROBLEM_MEDIA_TYPE, Problem
from service.flow import openai_moderations, perspective_errors

_GOOGLE: Final = ("/v1alpha1/", "/$discovery/")
_OPENAI: Final = "/v1/moderations"


class Told(NamedTuple):
    """A refusal as it is sent."""

    status: int
    media_type: str
    body: bytes


def told(problem: Problem, path: str) -> Told:
    """Answer a problem as clients of a path know refusals: RFC 9457 but for the paths of somebody else's API."""
    if path.startswith(_GOOGLE):
        body = msgspec.json.encode(perspective_errors.body_of(problem))
        return Told(perspective_errors.status_of(problem), "application/json", body)
    if path.rstrip("/") == _OPENAI:
        body = msgspec.json.encode(openai_moderations.error_of(problem))
        return Told(problem.status, "application/json", body)
    return Told(problem.status, PROBLEM_MEDIA_TYPE, problem.body())
