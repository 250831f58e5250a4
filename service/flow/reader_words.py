"""The words of pages that need no scripts, in the languages of the widget."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import msgspec

Language = Literal["en", "de", "fr", "es", "ar"]
_DEFAULT: Final = "en"
_RIGHT_TO_LEFT: Final = frozenset({"ar"})
#: What turns the direction of all that follows it until it is ended (UAX 9, 2.1 to 2.5), were it in a reader's name.
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Words(NamedTuple):
    """The words of one language."""

    language: str
    texts: dict[str, str]

    def __call__(self, key: str, **given: object) -> str:
        """Answer a text with what it tells of put in, which turns no word of ours around."""
        return self.texts[key].format(**{name: _straight(value) for name, value in given.items()})

    @property
    def direction(self) -> str:
        """Which way the language is written, as HTML says it."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"

    def comments(self, number: int) -> str:
        """Answer how many comments there are."""
        return self("one_comment" if number == 1 else "comments", n=number) if number else self("no_comments")

    def moment(self, at: datetime) -> str:
        """Answer a time in UTC."""
        at = at.astimezone(UTC)
        return f"{at.day} {self('months').split()[at.month - 1]} {at.year}, {at:%H:%M}"

    def problem(self, code: str, detail: str) -> str:
        """Answer what was wrong, in this language where it is told often."""
        return self.texts.get(f"problem.{code}", detail)


def _straight(value: object) -> object:
    return _TURNING.sub("", value) if isinstance(value, str) else value


def _read() -> dict[str, Words]:
    raw = files("service").joinpath("static/reading/words.json").read_bytes()
    found = msgspec.json.decode(raw, type=dict[str, dict[str, str]])
    return {language: Words(language, texts) for language, texts in found.items()}


_WORDS: Final = _read()


def words_of(language: str | None) -> Words:
    """Answer the words of a language by its tag (BCP 47), English where there are none."""
    return _WORDS.get((language or _DEFAULT).partition("-")[0].lower(), _WORDS[_DEFAULT])


def stamp(at: datetime) -> str:
    """Answer a time as machines read it (RFC 3339), to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
