"""HTML put together from elements: every text is escaped, for only what is `Markup` already is taken as it is."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Final

import msgspec

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta"})
#: Characters by which a text could end the script element that it stands in, or a line of JavaScript.
_IN_SCRIPTS: Final = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}

Attributes = Mapping[str, str | int | bool | None]


class Markup(str):
    """HTML that is safe as it stands: made here, or by the sanitiser."""

    __slots__ = ()


NOTHING: Final = Markup()


def element(name: str, attributes: Attributes | None = None, *children: str) -> Markup:
    """Answer an element; names are ours alone, and an attribute that is None or False is left out."""
    given = "".join(map(_attribute, attributes.keys(), attributes.values())) if attributes else ""
    return Markup(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{together(*children)}</{name}>")


def together(*parts: str) -> Markup:
    """Answer parts one behind the other, escaped where they are text."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


def data_script(kind: str, value: object) -> Markup:
    """Answer a script element that holds JSON of a kind and runs nothing."""
    text = msgspec.json.encode(value).decode().translate(_IN_SCRIPTS)
    return element("script", {"type": kind}, Markup(text))


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
