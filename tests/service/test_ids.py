"""Ids grow and never leave the clock, for cursors, the twin check and the order of decisions read them as time."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.flow.ids import Uuid7

MILLISECOND = 1_000_000


def milliseconds(text: str) -> int:
    """Answer the time that an id names."""
    return UUID(text).int >> 80


def test_a_burst_stays_with_the_clock() -> None:
    """Thousands of ids within one millisecond grow and still name that millisecond."""
    new_id = Uuid7(nanoseconds=lambda: 1_790_000_000_000 * MILLISECOND)
    ids = [new_id() for _ in range(4_000)]
    assert ids == sorted(set(ids))
    assert {milliseconds(one) for one in ids} == {1_790_000_000_000}


@given(st.lists(st.integers(min_value=0, max_value=2**60), min_size=1, max_size=50))
def test_ids_grow_whatever_the_clock_does(moments: list[int]) -> None:
    """Also when the clock steps back, each id is greater than the one before."""
    times = iter(moments)
    new_id = Uuid7(nanoseconds=lambda: next(times))
    ids = [new_id() for _ in moments]
    assert ids == sorted(set(ids))


def test_an_id_is_a_uuid_of_version_seven() -> None:
    """Version and variant are those of RFC 9562, and the time is the clock's."""
    found = UUID(Uuid7(nanoseconds=lambda: 1_790_000_000_123 * MILLISECOND)())
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == 1_790_000_000_123
