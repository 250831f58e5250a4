"""The words of letters and of the pages that their links lead to."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import msgspec

from service.flow.reader_words import Words

LANGUAGES: Final = ("en", "de", "fr", "es", "ar")
_DEFAULT: Final = LANGUAGES[0]


def _read(language: str) -> Words:
    raw = files("service.mail").joinpath(f"texts/{language}.json").read_bytes()
    return Words(language, msgspec.json.decode(raw, type=dict[str, str]))


_WORDS: Final = {language: _read(language) for language in LANGUAGES}


def language_of(tag: str | None) -> str:
    """Answer which of our languages a tag (BCP 47) is nearest to."""
    language = (tag or _DEFAULT).partition("-")[0].lower()
    return language if language in _WORDS else _DEFAULT


def mail_words(tag: str | None) -> Words:
    """Answer the words of a language, English where there are none."""
    return _WORDS[language_of(tag)]
