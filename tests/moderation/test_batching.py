"""Every token is in a window, every text is in a batch, and neither is larger than was asked for."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moderation.batching import batches_of, windows_of

sizes = st.integers(1, 600).flatmap(lambda longest: st.tuples(st.just(longest), st.integers(0, longest - 1)))
lengths = st.lists(st.integers(0, 700), max_size=60)


@given(st.integers(0, 5000), sizes)
@example(511, (510, 509))
@example(65_536, (510, 64))
def test_windows_cover_everything(length: int, size: tuple[int, int]) -> None:
    """The first window starts at 0, the last ends at the end, and no place between two is left out."""
    longest, overlap = size
    windows = windows_of(length, longest=longest, overlap=overlap)
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    assert all(0 <= end - start <= longest for start, end in windows)
    assert all(end - start >= overlap for (_, end), (start, _) in pairwise(windows))


@given(st.integers(1, 5000), sizes)
def test_windows_are_few_and_equally_long(length: int, size: tuple[int, int]) -> None:
    """There is no window more than the overlap asks for, and each moves on."""
    longest, overlap = size
    windows = windows_of(length, longest=longest, overlap=overlap)
    fewest = 1 + max(0, -(-(length - longest) // (longest - overlap)))
    assert len(windows) == fewest
    assert len({end - start for start, end in windows}) == 1
    assert len({start for start, _ in windows}) == len(windows)


def test_a_text_that_fits_has_one_window() -> None:
    """A text as long as the model takes, and an empty one, are not cut."""
    assert windows_of(510, longest=510, overlap=64) == [(0, 510)]
    assert windows_of(0, longest=510, overlap=64) == [(0, 0)]


def test_two_windows_meet_in_the_middle() -> None:
    """One token too many makes two windows that share what was asked for."""
    assert windows_of(11, longest=10, overlap=2) == [(0, 7), (4, 11)]


@pytest.mark.parametrize(("length", "longest", "overlap"), [(-1, 5, 1), (5, 0, 0), (5, 5, 5), (5, 5, -1)])
def test_windows_that_cannot_be_are_refused(length: int, longest: int, overlap: int) -> None:
    """A window that would not move on is an error, not an endless loop."""
    with pytest.raises(ValueError, match="windows need"):
        windows_of(length, longest=longest, overlap=overlap)


@given(lengths, st.integers(1, 3000), st.integers(1, 20))
def test_batches_hold_every_index_once(lengths: list[int], budget: int, most: int) -> None:
    """No text is scored twice and none is forgotten."""
    batches = batches_of(lengths, budget=budget, most=most)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(batches)


@given(lengths, st.integers(1, 3000), st.integers(1, 20))
def test_batches_stay_within_the_budget(lengths: list[int], budget: int, most: int) -> None:
    """Padded tokens and texts of a batch are bounded; only a single text may be longer than the budget."""
    for batch in batches_of(lengths, budget=budget, most=most):
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(lengths, st.integers(1, 3000), st.integers(1, 20))
def test_batches_are_sorted_by_length(lengths: list[int], budget: int, most: int) -> None:
    """The longest comes first, so that memory is at its largest at once and equals stand together."""
    order = [lengths[index] for batch in batches_of(lengths, budget=budget, most=most) for index in batch]
    assert order == sorted(lengths, reverse=True)


@given(lengths, st.integers(1, 3000), st.integers(1, 20))
def test_batches_are_full(lengths: list[int], budget: int, most: int) -> None:
    """A batch ends only where the next text would not have fitted; one without a token counts for one."""
    batches = batches_of(lengths, budget=budget, most=most)
    for batch in batches[:-1]:
        assert len(batch) == most or (len(batch) + 1) * max(lengths[batch[0]], 1) > budget


def test_equal_lengths_keep_their_order() -> None:
    """The same texts make the same batches, so that scores do not depend on chance."""
    assert batches_of([3, 3, 3, 9], budget=9, most=8) == [[3], [0, 1, 2]]


@pytest.mark.parametrize(("budget", "most"), [(0, 1), (1, 0)])
def test_batches_that_cannot_be_are_refused(budget: int, most: int) -> None:
    """A budget for nothing is an error."""
    with pytest.raises(ValueError, match="a batch needs"):
        batches_of([1], budget=budget, most=most)
