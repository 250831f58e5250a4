"""What a comment says once its disguises are off; feeds scoring only and never what is shown."""

import msgspec

from moderation.invisible import reveal
from moderation.leet import read_leet
from moderation.lookalikes import fold_lookalikes
from moderation.masked import read_masked
from moderation.spacing import join_cut, join_spaced, squeeze_repeats
from moderation.vocabulary import english
from moderation.wrapped import unwrap


class Normalised(msgspec.Struct, frozen=True):
    """A text for scoring, its case kept, and the names of the disguises found in it."""

    text: str
    evasions: tuple[str, ...]


def plain(text: str) -> str:
    """Return the text in NFKC, without characters nobody sees; no letter is read as another one."""
    return reveal(text)[0]


def normalise(text: str) -> Normalised:
    """Undo the known disguises of a text of any length and script, in linear time and without ever failing.

    What it read is not remembered: most texts that are only scored must be nowhere when that is done.
    """
    words = english()
    shown, evasions = reveal(text)
    bare, was_boxed, was_wrapped = unwrap(shown, words)
    joined, was_spaced = join_spaced(bare, words)
    folded, was_alike = fold_lookalikes(joined, words)
    read, was_leet = read_leet(folded, words)
    unmasked, was_masked = read_masked(squeeze_repeats(read, words), words)
    whole, was_cut = join_cut(unmasked, words)
    found = {
        "spaced_letters": was_spaced or was_cut,
        "look_alikes": was_alike or was_boxed,
        "leet": was_leet,
        "masked": was_masked or was_wrapped,
    }
    return Normalised(text=whole, evasions=(*evasions, *(name for name, was_found in found.items() if was_found)))
