"""A child process that ends soon after its parent, however the parent ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(
    interval_seconds: float = 0.5,
    *,
    parent: int | None = None,
    grace_seconds: float = 2.0,
    by: signal.Signals = signal.SIGTERM,
) -> None:
    """Send this process the signal `by` when its parent has died, and end it without mercy `grace_seconds` later.

    `parent` is the process id the caller expects; without it the parent of this moment counts.
    """
    expected = os.getppid() if parent is None else parent
    _ask_the_kernel(by)
    threading.Thread(
        target=_watch, args=(expected, interval_seconds, grace_seconds, by), name="parent-watch", daemon=True
    ).start()


def _ask_the_kernel(by: signal.Signals) -> None:
    # The thread below cannot run while a native call holds the interpreter's lock; the kernel's signal needs no thread.
    # The kernel means the *thread* that forked this process: parents must start children from a thread that lasts.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)


def _watch(parent: int, interval_seconds: float, grace_seconds: float, by: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(interval_seconds)
    os.kill(os.getpid(), by)
    time.sleep(grace_seconds)
    os.kill(os.getpid(), signal.SIGKILL)
