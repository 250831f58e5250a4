"""Letters in boxes, flags, keys and tags, and letters with pictures between them: taken out of what wraps them."""

import re

from moderation.vocabulary import Vocabulary

_BOXES = "\U0001f150-\U0001f169\U0001f170-\U0001f189"
# One box beside a letter, or a row of them; a blood group stands alone.
_BOXED = re.compile(f"(?<=[A-Za-z])[{_BOXES}]+|[{_BOXES}]+(?=[A-Za-z])|[{_BOXES}]{{2,}}")
_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]+")
_FIRST_FLAG = 0x1F1E6
# ISO 3166-1, with the European Union, the United Nations and Kosovo.
_COUNTRIES = re.compile(
    "(?:A[CDEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNOPRUVWXYZ]|D[EGJKMOZ]|E[ACEGHRSTU]|F[IJKMOR]|"
    "G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[CDELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]|"
    "M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]|S[ABCDEGHIJKLMNORSTVXYZ]|"
    "T[ACDFGHJKLMNORTVWZ]|U[AGMNSYZ]|V[ACEGINU]|W[FS]|XK|Y[ET]|Z[AMW])+"
)
_PICTURE = "\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
_PICTURED = re.compile(f"(?<![^\\W_])[A-Za-z](?:[{_PICTURE}]{{1,4}}[A-Za-z])+(?![^\\W_])")
_PICTURED_WORD = re.compile(f"(?<![^\\W_])[A-Za-z]{{1,16}}(?:[{_PICTURE}]{{1,4}}[A-Za-z]{{1,16}}){{1,8}}(?![^\\W_])")
_PICTURES = re.compile(f"[{_PICTURE}]+")
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|code|del|em|font|i|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr)(?:\s[^<>]{0,80})?/?>",
    re.IGNORECASE,
)
_LETTER = re.compile("[A-Za-z]")


def _letters_of(flags: str) -> str:
    return "".join(chr(ord("A") + ord(flag) - _FIRST_FLAG) for flag in flags)


class _Unwrapper:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.was_alike = self.was_cut = False

    def unbox(self, match: re.Match[str]) -> str:
        self.was_alike = True
        return "".join(chr(ord("A") + (ord(box) - 0x1F150) % 32) for box in match.group())

    def unflag(self, text: str) -> str:
        """Read flags as letters, unless each pair of each row is a country and no row spells an insult."""
        rows = [_letters_of(row) for row in _FLAGS.findall(text)]
        if all(_COUNTRIES.fullmatch(row) and not self._vocabulary.is_harsh(row.casefold()) for row in rows):
            return text
        self.was_alike = True
        return _FLAGS.sub(lambda match: _letters_of(match.group()), text)

    def join_pictured(self, match: re.Match[str]) -> str:
        """Read single letters with pictures between them as spaced ones, which are joined where they are a word."""
        return _PICTURES.sub(" ", match.group())

    def join_halves(self, match: re.Match[str]) -> str:
        joined = _PICTURES.sub("", match.group())
        halves = _PICTURES.split(match.group().casefold())
        if not self._vocabulary.is_harsh(joined.casefold()) or all(map(self._vocabulary.is_common, halves)):
            return match.group()
        self.was_cut = True
        return joined

    def untag(self, text: str) -> str:
        """Take tags out; one that has a letter on both sides was put into a word."""
        pieces, at = [], 0
        for tag in _TAG.finditer(text):
            pieces.append(text[at : tag.start()])
            at = tag.end()
            inside = _LETTER.match(text, tag.start() - 1) if tag.start() else None
            self.was_cut = self.was_cut or bool(inside and _LETTER.match(text, at))
        return "".join((*pieces, text[at:]))


def unwrap(text: str, vocabulary: Vocabulary) -> tuple[str, bool, bool]:
    """Return the text with wrapped letters bare, whether one stood for a letter, and whether a word was cut by tags."""
    unwrapper = _Unwrapper(vocabulary)
    bare = unwrapper.untag(text) if "<" in text else text
    if not bare.isascii():
        bare = _BOXED.sub(unwrapper.unbox, bare)
        bare = unwrapper.unflag(bare)
        bare = _PICTURED.sub(unwrapper.join_pictured, bare)
        bare = _PICTURED_WORD.sub(unwrapper.join_halves, bare)
    return bare, unwrapper.was_alike, unwrapper.was_cut
