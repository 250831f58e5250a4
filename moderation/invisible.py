"""Characters that a reader cannot see, and stacks of marks: what is taken out before a text is read."""

import re
import unicodedata

_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls, without the white space among them
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U000e0000-\U000e0fff"
    "\ud800-\udfff"
)
_REMOVED = re.compile(f"[{_INVISIBLE}]+")
# A soft hyphen inside a word comes with text pasted from a page, so alone it tells nothing about intent.
_INSIDE_WORD = re.compile(f"[A-Za-z][{_INVISIBLE.replace(chr(0xAD), '')}]+[A-Za-z]")
_OVERRIDE = re.compile("[\u202d\u202e]")
_LAST_MARK = 0x20000
# What most comments are made of; NFKC leaves each of these as it is, and none of them is a mark.
_ORDINARY = re.compile("[\t-\r\x1c-~À-ÖØ-öø-ÿ‘’“”–—€£§]*")


def _is_mark(character: str) -> bool:
    if unicodedata.combining(character):
        return True
    parts = unicodedata.normalize("NFKD", character) if unicodedata.decomposition(character) else ""
    return bool(parts) and bool(unicodedata.combining(parts[0]))


_MARKS = "".join(character for character in map(chr, range(0x300, _LAST_MARK)) if _is_mark(character))
# Sorting marks is quadratic in the length of a stack inside NFKC, so long stacks are cut before it.
_STACK = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")
_LATIN_STACK = re.compile(f"(?<=[A-Za-z])[{_MARKS}]{{3,}}")
_LATIN_MARKED = re.compile("(?<=[A-Za-z])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
# A digit on a key is a digit.
_KEYCAP = re.compile("(?<=[0-9#*])\u20e3")


def is_invisible(character: str) -> bool:
    """Return whether a reader cannot see a character."""
    return _REMOVED.fullmatch(character) is not None


def reveal(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text in NFKC without invisible characters and mark stacks, and the evasions that were in it."""
    if _ORDINARY.fullmatch(text):
        return text, ()
    found = []
    if _INSIDE_WORD.search(text):
        found.append("zero_width")
    if _OVERRIDE.search(text):
        found.append("bidi_override")
    shown = _REMOVED.sub("", text)
    cut = _STACK.sub(r"\1", _LATIN_STACK.sub("", shown))
    if cut != shown:
        found.append("stacked_marks")
    composed = _REMOVED.sub("", unicodedata.normalize("NFKC", _KEYCAP.sub("", cut)))
    return unicodedata.normalize("NFKC", _LATIN_MARKED.sub("", composed)), tuple(found)
