"""From untrusted fields to a struct, with every problem named by its path rather than only the first."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import inspect

from moderation.rules import CODE_PATTERN

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


def choices_of(kind: inspect.Type) -> Iterator[str]:
    """Yield the texts that a type allows where it allows only some: those of an enum, a literal or a union of them."""
    if isinstance(kind, inspect.EnumType):
        yield from (str(member.value) for member in kind.cls)
    elif isinstance(kind, inspect.LiteralType):
        yield from map(str, kind.values)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from choices_of(one)


def _message(error: msgspec.ValidationError, kind: Any) -> str:
    # The path that msgspec adds starts at the leaf, so it would contradict ours.
    message = str(error).split(" - at `", 1)[0]
    if message.endswith(f"matching regex {CODE_PATTERN!r}"):
        return "Expected 1 to 64 lower-case letters, digits, - and _, the first a letter or digit"
    if message.startswith("Invalid enum value"):
        return f"{message}; use one of: {', '.join(choices_of(inspect.type_info(kind)))}"
    return message


def _element_of(kind: Any) -> type[msgspec.Struct] | None:
    bare = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    element = get_args(bare)[0] if get_origin(bare) is tuple else None
    return element if isinstance(element, type) and issubclass(element, msgspec.Struct) else None


class Reading:
    """One document being read: every problem found, and every part that is sound by itself, by its path."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self.problems: list[Problem] = []
        self.sound: dict[str, Any] = {}

    def read_struct(self, kind: type[S], raw: object, path: str) -> S | None:
        """Build a struct from plain data, or return None and add a problem for every field that is wrong."""
        if not isinstance(raw, Mapping):
            self.problems.append((path, "Expected an object"))
            return None
        before = len(self.problems)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        self.problems.extend((_joined(path, str(name)), "Unknown field") for name in raw if name not in fields)
        values = {}
        for name, field in fields.items():
            if name in raw:
                values[field.name] = self._read_value(field.type, raw[name], _joined(path, name))
            elif field.required:
                self.problems.append((_joined(path, name), "Missing field"))
        if len(self.problems) > before:
            return None
        built = kind(**values)
        self.sound[path] = built
        return built

    def _read_value(self, kind: Any, raw: object, path: str) -> Any:
        element = _element_of(kind)
        if element is not None and isinstance(raw, list | tuple):
            items = [self.read_struct(element, one, f"{path}[{at}]") for at, one in enumerate(raw)]
            return tuple(item for item in items if item is not None)
        try:
            self.sound[path] = msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.problems.append((path, _message(error, kind)))
            return None
        return self.sound[path]
