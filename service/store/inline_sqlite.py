"""SQLite on the event loop's own thread, but for the statements that can wait for a lock or the disk.

A statement on a local file takes 5 to 50 microseconds, and handing it to a thread and back takes more than 100. So
statements run inline, and only `BEGIN IMMEDIATE` (waits for another writer), `COMMIT` (waits for the disk) and what is
known to be heavy go to the connection's thread. See docs/decisions/0010-inline-sqlite.md for the figures.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import aiosqlite

BEGIN_WRITING = "BEGIN IMMEDIATE"
#: Steps of SQLite's machine between two looks at the clock: well under a millisecond.
_STEPS_BETWEEN_LOOKS = 10_000


class InlineConnection(aiosqlite.Connection):
    """An aiosqlite connection whose short statements do not leave the calling thread.

    One task uses a connection at a time (the pool sees to that), and while its thread has something to do every call
    queues there, so the two threads never touch it together. One that only reads waits for nothing in WAL mode, and
    never leaves the calling thread.
    """

    writes = False
    #: While it is set, every statement goes to the thread.
    heavy = False
    #: When a statement that goes on is given up; the machine looks at it now and then.
    until = math.inf
    _outstanding = 0

    def begin_reading(self) -> None:
        """Take a snapshot; it waits for nothing, so it needs none of the layers above."""
        self.until = math.inf
        self._conn.execute("BEGIN")

    def is_late(self) -> bool:
        """Answer whether the statement under way has taken too long."""
        return time.monotonic() > self.until

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or not self._connection:
            raise ValueError("Connection closed")
        # What a cancelled task left in the thread holds SQLite's mutex, and the loop would stand still before it.
        if self.heavy or self._outstanding or (self.writes and _may_wait(fn, args)):
            return await self._in_thread(partial(fn, *args, **kwargs))
        return fn(*args, **kwargs)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(self._settled)
        self._outstanding += 1
        self._tx.put_nowait((future, call))
        # A cancelled waiter must not cancel the future, which alone tells when the thread is through.
        return await asyncio.shield(future)

    def _settled(self, future: asyncio.Future[Any]) -> None:
        self._outstanding -= 1
        if not future.cancelled():
            # Asked for, so that asyncio does not complain when nobody waits for it any more.
            future.exception()


def _may_wait(fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    name = getattr(fn, "__name__", "")
    return name == "commit" or (name == "execute" and args[:1] == (BEGIN_WRITING,))


async def connect(path: str, *, timeout_seconds: float, writes: bool) -> aiosqlite.Connection:
    """Open a file (or a `file:` address); the caller's thread and the connection's share it."""
    connector = partial(
        sqlite3.connect,
        path,
        timeout=timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
        uri=path.startswith("file:"),
    )
    connection = InlineConnection(connector, iter_chunk_size=64)
    connection.writes = writes
    # A process must be able to end while a connection is open, as after a crash of the loop.
    connection._thread.daemon = True
    opened = await connection
    if not writes:
        # Once for all: to set it anew would wait for a statement that a cancelled task has left in the thread.
        opened._conn.set_progress_handler(connection.is_late, _STEPS_BETWEEN_LOOKS)
    return opened
