"""What a comment says once its disguises are off; feeds scoring only and never what is shown."""

import msgspec

from moderation.invisible import reveal
from moderation.leet import join_spaced, read_leet, squeeze_repeats
from moderation.lookalikes import fold_lookalikes


class Normalised(msgspec.Struct, frozen=True):
    """A text for scoring, its case kept, and the names of the disguises found in it."""

    text: str
    evasions: tuple[str, ...]


def plain(text: str) -> str:
    """Return the text in NFKC, without characters nobody sees; no letter is read as another one."""
    return reveal(text)[0]


def normalise(text: str) -> Normalised:
    """Undo the known disguises of a text of any length and script, in linear time and without ever failing."""
    shown, evasions = reveal(text)
    joined, was_spaced = join_spaced(shown)
    folded, was_alike = fold_lookalikes(joined)
    read, was_leet = read_leet(folded)
    found = {"spaced_letters": was_spaced, "look_alikes": was_alike, "leet": was_leet}
    names = (*evasions, *(name for name, was_found in found.items() if was_found))
    return Normalised(text=squeeze_repeats(read), evasions=names)
