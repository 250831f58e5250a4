"""Read what a client of the Perspective API sends: both styles of names, and a clear refusal of everything else."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from moderation.perspective import attribute_of
from moderation.scores import Attribute
from service.errors import Problem
from service.flow import perspective_errors as errors
from service.schemas.perspective import TEXT_BYTES, AnalyzeRequest, SuggestRequest, TextContext, TextEntry

_Wanted = TypeVar("_Wanted", AnalyzeRequest, SuggestRequest)
#: Their members are named by the client, not by us.
_MAPS: Final = frozenset({"requestedAttributes", "attributeScores"})
_SNAKE: Final = re.compile(r"_([a-z])")
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_UNSET: Final = frozenset({"", "SCORE_TYPE_UNSPECIFIED", "PROBABILITY"})
_PLAIN: Final = frozenset({"", "TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT"})


def read(given: Any, wanted: type[_Wanted]) -> _Wanted:
    """Answer plain data as a request; raise what the API would answer to one that is none."""
    if not isinstance(given, dict):
        raise errors.refused("Invalid JSON payload received. The body must be an object.")
    try:
        # Numbers and truths may be written as texts, as JSON of protocol buffers has them.
        request = msgspec.convert(_named(given), wanted, strict=False)
    except RecursionError:
        raise errors.refused("Invalid JSON payload received. Objects and arrays go too deep.") from None
    except msgspec.ValidationError as error:
        raise _explained(error) from None
    _check_text(request.comment)
    _check_context(request.context)
    return request


def known_attributes(names: list[str], *, drop: bool) -> dict[str, Attribute]:
    """Answer our attribute for each name; one that no model of ours measures is refused, or left out."""
    if not names:
        raise errors.nothing_requested()
    found = {name: attribute_of(name) for name in names}
    for name, attribute in found.items():
        if attribute is None and not drop:
            raise errors.unknown_attribute(name)
    return {name: attribute for name, attribute in found.items() if attribute is not None}


def check_type(score_type: str, name: str) -> None:
    """Raise for a kind of score that is not given."""
    if score_type not in _UNSET:
        raise errors.unsupported_type(score_type, name)


def _named(value: Any, *, is_map: bool = False) -> Any:
    """Answer plain data under the names of one style; what is null is unset."""
    if isinstance(value, list):
        return [_named(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, one in value.items():
        if one is None and not is_map:
            continue
        name = key if is_map else _SNAKE.sub(lambda match: match.group(1).upper(), key)
        if name in found:
            raise errors.refused(f"Invalid JSON payload received. {name[:80]} is given twice.")
        found[name] = _named({} if one is None else one, is_map=not is_map and name in _MAPS)
    return found


def _explained(error: msgspec.ValidationError) -> Problem:
    message, _, path = str(error).partition(" - at `$")
    place = path.rstrip("`").lstrip(".")
    at = f" at '{place}'" if place else ""
    if unknown := _UNKNOWN.search(message):
        return errors.refused(
            f'Invalid JSON payload received. Unknown name "{unknown.group(1)[:80]}"{at}: Cannot find field.'
        )
    return errors.refused(f"Invalid value{at}: {message}.")


def _check_text(entry: TextEntry) -> None:
    if not entry.text.strip():
        raise errors.empty()
    size = len(entry.text.encode())
    if size > TEXT_BYTES:
        raise errors.too_long(size)
    if entry.type not in _PLAIN:
        raise errors.refused("Only comments of the type PLAIN_TEXT are supported.")


def _check_context(context: TextContext | None) -> None:
    if context is not None and context.entries and context.article_and_parent_comment is not None:
        raise errors.refused("context: entries and articleAndParentComment exclude each other.")
