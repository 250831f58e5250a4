"""Scripts and styles on their way to readers: comments and white space left out, modules that always load joined.

The sources are plain ES modules that run as they are. Joining holds because of two habits that a test checks: each
import stands on a line of its own and renames nothing, and no two modules that are joined declare the same name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise, product
from pathlib import Path
from string import ascii_letters

_IMPORT = re.compile(r'^import (?:(\w+) |[^"]*)from "(\.{1,2}/[\w./]+)".*;\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*[\s\S]*?\*/)|(?P<space>\s+)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<word>[\w$#]+)|(?P<other>\+\+|--|[\s\S])"""
)
_PATTERN = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/[a-z]*")
#: After one of these a slash begins a regular expression, elsewhere it divides.
_BEFORE_PATTERN = frozenset("(,=:[!&|?{};>") | {"return", ""}

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_DECLARING = frozenset(("const", "let", "function"))
_OPENING, _CLOSING = frozenset("({["), frozenset(")}]")
_RESERVED = frozenset(("as", "do", "if", "in", "is", "of"))
_NAMES = [*ascii_letters, *("".join(two) for two in product(ascii_letters, repeat=2) if "".join(two) not in _RESERVED)]


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
    return _written(_tokens(text))


def shortened_script(text: str, inner: frozenset[str] = frozenset()) -> str:
    """Answer a squeezed module with short names for what it declares, and for properties that only it knows (`inner`).

    No method of a class may have the name of a variable.
    """
    tokens = list(_opened(_tokens(text)))
    names = {"const": "let", **_short_names(tokens, inner)}
    return _written(names.get(token, token) for token in tokens)


def _written(tokens: Iterable[str]) -> str:
    kept: list[str] = []
    for token in tokens:
        _keep(kept, token)
    return "".join(kept)


def _tokens(text: str) -> Iterator[str]:
    at, before = 0, ""
    while at < len(text):
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
        yield token
        before = token


def _opened(tokens: Iterable[str]) -> Iterator[str]:
    """Answer the tokens with what is inside of templates: "`a${", "b", "}`"."""
    for token in tokens:
        start, at = 0, 1
        while token[0] == "`" and (at := token.find("${", at)) >= 0:
            end = _substitution(token, at + 2)
            yield token[start : at + 2]
            yield from _opened(_tokens(token[at + 2 : end]))
            start = at = end
        yield token[start:]


def _short_names(tokens: list[str], inner: frozenset[str]) -> dict[str, str]:
    """Answer shorter names for what is declared here and is nowhere the name of a property, the most used first.

    A name is the same in all scopes, so that its new one hides what the old one hid and nothing else.
    """
    words, kept = Counter(tokens), _properties(tokens)
    declared = _parameters(tokens) | {
        name for how, name in pairwise(tokens) if how in _DECLARING and _WORD.fullmatch(name)
    }
    free = (name for name in _NAMES if name not in words)
    long = sorted(
        (name for name in (declared - kept) | (inner & words.keys()) if len(name) > 1 and _WORD.fullmatch(name)),
        key=lambda name: (-words[name], name),
    )
    return dict(zip(long, free, strict=False))


def _properties(tokens: list[str]) -> set[str]:
    """Answer each word that may be a property's name: after a dot that spreads nothing, or first in its braces."""
    found, open_ = set(), [""]
    for two_before, before, piece, after in zip(
        ["", "", *tokens], ["", *tokens], tokens, [*tokens[1:], ""], strict=False
    ):
        is_first = (
            open_[-1] == "{" and before in ("{", ",", "async", "get", "set") and after in (",", "}", ":", "=", "(")
        )
        if before == "." != two_before or is_first:
            found.add(piece)
        if piece[0] in _CLOSING:
            open_.pop()
        if piece in _OPENING or piece.endswith("${"):
            open_.append(piece)
    return found


def _parameters(tokens: list[str]) -> set[str]:
    """Answer the parameters of functions that are plain names."""
    found: set[str] = set()
    open_: list[int] = []
    for at, piece in enumerate(tokens):
        if piece[0] in _CLOSING:
            start = open_.pop()
            if piece == ")" and (
                tokens[at + 1 : at + 3] == ["=", ">"] or "function" in tokens[max(start - 2, 0) : start]
            ):
                found |= _names_at_the_top(tokens[start + 1 : at])
        if piece in _OPENING or piece.endswith("${"):
            open_.append(at)
        elif tokens[at + 1 : at + 3] == ["=", ">"]:
            found.add(piece)
    return found


def _names_at_the_top(tokens: list[str]) -> set[str]:
    found, depth, before = set(), 0, ","
    for piece in tokens:
        if depth == 0 and before in (",", ".") and _WORD.fullmatch(piece):
            found.add(piece)
        depth += (piece in _OPENING or piece.endswith("${")) - (piece[0] in _CLOSING)
        before = piece
    return found


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
