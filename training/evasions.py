"""How commenters disguise words, as this project writes it: for measuring, and never for training."""

from collections.abc import Callable

_ALIKE = str.maketrans("aeopcyxi", "аеорсухі")
_LEET = str.maketrans("aeiost", "@31057")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_MARKS = "\u0301\u0336\u0323"
_LONG = 4


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


EVASIONS: dict[str, Callable[[str], str]] = {
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
