"""From untrusted fields to a struct, with every problem named by its path rather than only the first."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

Problem = tuple[str, str]
"""A path such as rules[2].when[0].at_least, and what is wrong there."""


class PolicyError(ValueError):
    """A policy cannot be used; `problems` lists all that was found, each with its path."""

    def __init__(self, problems: list[Problem]) -> None:
        """Take at least one problem."""
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in problems))
        self.problems = problems


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _message(error: msgspec.ValidationError) -> str:
    # The path that msgspec adds starts at the leaf, so it would contradict ours.
    return str(error).split(" - at `", 1)[0]


def _element_of(kind: Any) -> type[msgspec.Struct] | None:
    bare = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    element = get_args(bare)[0] if get_origin(bare) is tuple else None
    return element if isinstance(element, type) and issubclass(element, msgspec.Struct) else None


def _read_value(kind: Any, raw: object, path: str, problems: list[Problem]) -> Any:
    element = _element_of(kind)
    if element is not None and isinstance(raw, list | tuple):
        items = [read_struct(element, one, f"{path}[{at}]", problems) for at, one in enumerate(raw)]
        return tuple(item for item in items if item is not None)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problems.append((path, _message(error)))
        return None


def read_struct(kind: type[S], raw: object, path: str, problems: list[Problem]) -> S | None:
    """Build a struct from plain data, or return None and add a problem for every field that is wrong."""
    if not isinstance(raw, Mapping):
        problems.append((path, "Expected an object"))
        return None
    before = len(problems)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems.extend((_joined(path, str(name)), "Unknown field") for name in raw if name not in fields)
    values = {}
    for name, field in fields.items():
        if name in raw:
            values[field.name] = _read_value(field.type, raw[name], _joined(path, name), problems)
        elif field.required:
            problems.append((_joined(path, name), "Missing field"))
    return None if len(problems) > before else kind(**values)
