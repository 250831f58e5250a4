"""How commenters disguise words, or bury them in civil ones, as this project writes it: never for training."""

import random
from collections.abc import Callable
from zlib import crc32

_ALIKE = str.maketrans("aeopcyxi", "аеорсухі")
_LEET = str.maketrans("aeiost", "@31057")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_MARKS = "\u0301\u0336\u0323"
_LONG = 4
_CIVIL = (
    "The council meets on Tuesday at seven to vote on the new budget for the library.",
    "The trains were late again this morning and nobody could say why.",
    "My grandmother took this tram every day.",
    "Thank you for the careful report on the schools.",
    "I read the second table twice, and I think the numbers are right.",
    "The bakery on the corner opens at six.",
    "We planted two more trees behind the station in March.",
    "Does anybody know when the swimming pool opens again?",
    "The deputy mayor said that the plans would be public in May.",
    "My daughter starts school there after the holidays.",
    "The new bus line stops right in front of the hospital.",
    "It rained all weekend, so the fair was moved into the hall.",
)
_MOST_AROUND = 3
_QUOTATIONS = ('He said: "{}"', '"{}"', "The report quotes: “{}”", 'She wrote "{}" under the article.')


def _inside(word: str, change: Callable[[str], str]) -> str:
    return word[0] + change(word[1:-1]) + word[-1] if len(word) >= _LONG else word


def _whole(word: str, change: Callable[[str], str]) -> str:
    return change(word) if len(word) >= _LONG else word


def _each_word(text: str, change: Callable[[str], str], between: str = " ") -> str:
    return between.join(map(change, text.split()))


def _in_words(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: _each_word(text, lambda word: _inside(word, change))


def _of_words(change: Callable[[str], str], between: str = " ") -> Callable[[str], str]:
    return lambda text: _each_word(text, lambda word: _whole(word, change), between)


def _swapped(part: str) -> str:
    return "".join(letter.upper() if place % 2 == 0 else letter.lower() for place, letter in enumerate(part))


def _split(word: str) -> str:
    return f"{word[: len(word) // 2]}.{word[len(word) // 2 :]}"


def _chance(text: str) -> random.Random:
    return random.Random(crc32(text.encode("utf-8", "surrogatepass")))


def _civil(text: str) -> str:
    chance = _chance(text)
    return " ".join(chance.sample(_CIVIL, chance.randint(1, _MOST_AROUND)))


DISGUISES: dict[str, Callable[[str], str]] = {
    "zero_width": lambda text: _each_word(text, "\u200b".join),
    "soft_hyphens": lambda text: _each_word(text, "\u00ad".join),
    "look_alikes": _in_words(lambda part: part.translate(_ALIKE)),
    "leet": _in_words(lambda part: part.translate(_LEET)),
    "spaced_letters": _of_words(" ".join, between="  "),
    "drawn_out": _in_words(lambda part: part + part[-1] * 3),
    "full_width": lambda text: text.translate(_FULL_WIDTH),
    "stacked_marks": lambda text: "".join(sign + _MARKS if sign.isalpha() else sign for sign in text),
    "punctuation": _of_words(".".join),
    "split_words": _of_words(_split),
    "mixed_case": _in_words(_swapped),
}
"""Each disguise by its name; applied to every word of a text, to those of at least four letters where it needs room."""

EVASIONS: dict[str, Callable[[str], str]] = {
    **DISGUISES,
    "padded_before": lambda text: f"{_civil(text)} {text}",
    "padded_after": lambda text: f"{text} {_civil(text)}",
    "quoted": lambda text: _chance(text).choice(_QUOTATIONS).replace("{}", text),
}
"""The disguises; one to three civil sentences beside a text, by its hash; a frame that makes a quotation of it."""
