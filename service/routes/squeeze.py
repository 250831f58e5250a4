"""Scripts and styles on their way to readers: comments and white space left out, modules that always load joined.

The sources are plain ES modules that run as they are. Joining holds because of two habits that a test checks: each
import stands on a line of its own and renames nothing, and no two modules that are joined declare the same name.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (?:(\w+) |[^"]*)from "(\.{1,2}/[\w./]+)".*;\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*[\s\S]*?\*/)|(?P<space>\s+)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<word>[\w$#]+)|(?P<other>\+\+|--|[\s\S])"""
)
_PATTERN = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/[a-z]*")
#: After one of these a slash begins a regular expression, elsewhere it divides.
_BEFORE_PATTERN = frozenset("(,=:[!&|?{};>") | {"return", ""}


def joined(entry: Path) -> str:
    """Answer a module with those that it imports, each once and before who needs it."""
    seen: set[Path] = set()

    def text_of(path: Path) -> str:
        seen.add(path)
        text, before = path.read_text(), []
        for name, file in _IMPORT.findall(text):
            other = (path.parent / file).resolve()
            if other in seen:
                continue
            before.append(_sheet(other, name) if other.suffix == ".css" else _EXPORT.sub("", text_of(other)))
            seen.add(other)
        return "".join(before) + _IMPORT.sub("", text)

    return text_of(entry)


def _sheet(path: Path, name: str) -> str:
    return f"const {name} = new CSSStyleSheet();\n{name}.replaceSync(`{squeezed_style(path.read_text())}`);\n"


def squeezed_style(text: str) -> str:
    """Answer a style sheet without what only its writers need."""
    text = re.sub(r"/\*[\s\S]*?\*/", "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,>]) ?", r"\1", text)
    return re.sub(r"(?<=[\w-]): (?=[^{}]*[;}])", ":", text).replace(";}", "}").strip()


def squeezed_script(text: str) -> str:
    """Answer a script in few characters; it ends its statements with semicolons and has no empty ones."""
    kept: list[str] = []
    at = 0
    while at < len(text):
        before = kept[-1] if kept else ""
        if text[at] == "`":
            token, at = _template(text, at)
        elif text[at] == "/" and before[-1:] in _BEFORE_PATTERN and text[at + 1] not in "/*":
            found = _PATTERN.match(text, at)
            assert found is not None
            token, at = found.group(), found.end()
        else:
            found = _TOKEN.match(text, at)
            assert found is not None
            at = found.end()
            if found.lastgroup in ("comment", "space"):
                continue
            token = found.group()
        _keep(kept, token)
    return "".join(kept)


def _keep(kept: list[str], piece: str) -> None:
    before = kept[-1] if kept else ""
    if (before, piece[0]) in ((",", ")"), (",", "]"), (",", "}"), (";", "}")):
        kept.pop()
    elif before and ((_is_word(before[-1]) and _is_word(piece[0])) or before[-1] == piece[0] in "+-"):
        kept.append(" ")
    kept.append(piece)


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$#"


def _template(text: str, start: int) -> tuple[str, int]:
    """Answer a template literal and where it ends; what it holds stays as it is."""
    at = start + 1
    while text[at] != "`":
        if text[at] == "\\":
            at += 1
        elif text.startswith("${", at):
            at = _substitution(text, at + 2)
        at += 1
    return text[start : at + 1], at + 1


def _substitution(text: str, at: int) -> int:
    depth = 0
    while depth or text[at] != "}":
        if text[at] == "`":
            at = _template(text, at)[1] - 1
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at
