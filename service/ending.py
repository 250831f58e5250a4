"""What has to hear that this process is about to stop, before the server waits for its open connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_told: list[Callable[[], None]] = []


@contextmanager
def told_of_the_end(call: Callable[[], None]) -> Iterator[None]:
    """Let `call` hear of the end while the block runs; it must neither wait nor raise."""
    _told.append(call)
    try:
        yield
    finally:
        _told.remove(call)


def tell_of_the_end() -> None:
    """Tell everybody; called on the event loop."""
    for call in tuple(_told):
        call()
