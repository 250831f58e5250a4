"""Keeps a set of processes running: what dies is started again, what is stopped is stopped in order."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Protocol

import msgspec

TICK_SECONDS = 0.2
KILL_SECONDS = 5.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger(__name__)


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running; after `stop_seconds` of asking it to stop it is killed."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_seconds: float = 10.0


class Server(Protocol):
    """What runs beneath the processes and stops after them: an embedded Redis."""

    def start(self) -> None:
        """Start it, or adopt the one that runs; return when it answers."""

    def stop(self) -> None:
        """Stop it and return when it is gone."""

    def alive(self) -> bool:
        """True while it runs."""


class Backoff:
    """The wait before each restart: none after a long life or a first quick death, then doubling up to a limit."""

    def __init__(self, *, first_seconds: float = 0.25, most_seconds: float = 5.0, quick_seconds: float = 5.0) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._quick_seconds = quick_seconds
        self._quick_deaths = 0

    def after(self, lived_seconds: float) -> float:
        """Answer the seconds to wait after a life of that length."""
        self._quick_deaths = self._quick_deaths + 1 if lived_seconds < self._quick_seconds else 0
        if self._quick_deaths < 2:
            return 0.0
        return min(self._most_seconds, self._first_seconds * 2.0 ** min(self._quick_deaths - 2, 16))


class _Kept:
    """Something that is started, found dead and started again when its wait is over."""

    def __init__(self, name: str, start: Callable[[], None], alive: Callable[[], bool]) -> None:
        self.name = name
        self._start = start
        self._alive = alive
        self._backoff = Backoff()
        self._started_at = 0.0
        self._due_at: float | None = None

    def start(self, now: float) -> None:
        self._started_at, self._due_at = now, None
        try:
            self._start()
        except Exception:
            _log.exception("supervisor.start_failed", extra={"part": self.name})

    def check(self, now: float) -> None:
        if self._due_at is None and not self._alive():
            wait_seconds = self._backoff.after(now - self._started_at)
            self._due_at = now + wait_seconds
            _log.warning("supervisor.died", extra={"part": self.name, "restart_in_seconds": wait_seconds})
        if self._due_at is not None and now >= self._due_at:
            self.start(now)


class _Child:
    """One process of a spec, in a session of its own so that the terminal's Ctrl-C reaches the supervisor alone."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - The command comes from this program.
            list(self.spec.command),
            env=dict(self.spec.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        _log.info("supervisor.started", extra={"part": self.spec.name, "pid": self._process.pid})

    def alive(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            self.kill()
        return self._process is not None

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill what is left of the group: an orphaned server process would share the port with its successor."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=KILL_SECONDS)


class Supervisor:
    """Runs processes, and a server beneath them, until a signal; stops them in the order given, the server last."""

    def __init__(self, specs: Sequence[ProcessSpec], *, server: Server | None = None) -> None:
        self._children = [_Child(spec) for spec in specs]
        self._server = server
        self._signals: list[int] = []

    def run(self) -> int:
        """Start everything and keep it running; answer the exit code once a signal has ended it."""
        with self._listening() as wake:
            try:
                self._watch(wake)
                return self._stop(wake)
            finally:
                for child in self._children:
                    child.kill()
                if self._server:
                    self._server.stop()

    def _watch(self, wake: int) -> None:
        every = [_Kept(child.spec.name, child.start, child.alive) for child in self._children]
        for kept in every:
            kept.start(time.monotonic())
        if self._server:
            # It runs already: its address is part of what the processes were given.
            every.insert(0, _Kept("redis", self._server.start, self._server.alive))
        while not self._signals:
            for kept in every:
                kept.check(time.monotonic())
            _wait(wake, TICK_SECONDS)

    def _stop(self, wake: int) -> int:
        _log.info("supervisor.stopping", extra={"signal": signal.Signals(self._signals[0]).name})
        for child in self._children:
            child.ask_to_stop()
            deadline = time.monotonic() + child.spec.stop_seconds
            while child.alive():
                if len(self._signals) > 1:
                    _log.warning("supervisor.killing_all")
                    return 1
                if time.monotonic() >= deadline:
                    _log.warning("supervisor.killing", extra={"part": child.spec.name})
                    child.kill()
                _wait(wake, TICK_SECONDS)
            _log.info("supervisor.stopped", extra={"part": child.spec.name})
        return 0

    @contextlib.contextmanager
    def _listening(self) -> Iterator[int]:
        """Collect signals and answer a descriptor that becomes readable with each, also with a child's death."""
        wake, wakened = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wakened, False)
        former = {number: signal.signal(number, self._on_signal) for number in (*_STOP_SIGNALS, signal.SIGCHLD)}
        former_wakeup = signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(wakened)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)


def _wait(wake: int, seconds: float) -> None:
    select.select([wake], [], [], seconds)
    with contextlib.suppress(BlockingIOError):
        os.read(wake, 4096)
