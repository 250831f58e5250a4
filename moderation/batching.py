"""How texts of any length become batches for a model: overlapping windows, and batches with little padding."""

from collections.abc import Sequence


def windows_of(length: int, *, longest: int, overlap: int) -> list[tuple[int, int]]:
    """Return windows [start, end) that cover 0 to length: one where it fits, else as few as do, equally long.

    Neighbours share at least `overlap` places; equal lengths leave nothing to pad when windows meet in a batch.
    """
    if length < 0 or longest < 1 or not 0 <= overlap < longest:
        raise ValueError("windows need a length of at least 0, and an overlap smaller than the longest window")
    if length <= longest:
        return [(0, length)]
    gaps = -(-(length - longest) // (longest - overlap))
    size = -(-(length + gaps * overlap) // (gaps + 1))
    starts = [number * (length - size) // gaps for number in range(gaps + 1)]
    return [(start, start + size) for start in starts]


def batches_of(lengths: Sequence[int], *, budget: int, most: int) -> list[list[int]]:
    """Return the indices of all lengths in batches of at most `most`, longest first, each index exactly once.

    A batch costs its size times its longest length, since the rest is padded; that is at most `budget`, save for one
    item that is longer by itself and goes alone.
    """
    if budget < 1 or most < 1:
        raise ValueError("a batch needs a budget and a size of at least 1")
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if room < 1:
            batches.append([])
            room = min(most, budget // max(lengths[index], 1))
        batches[-1].append(index)
        room -= 1
    return batches
