"""Processes for the supervisor's tests: they write what happens to them, one line an event, into a journal file."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from service.parent_watch import end_with_parent
from service.supervisor import ProcessSpec, Supervisor


def is_gone(pid: int) -> bool:
    """True when there is no such process, or only its entry that nobody has collected yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def write(journal: Path, *words: object) -> None:
    """Append one line in one step, as several processes do it at once."""
    with journal.open("ab", buffering=0) as file:
        file.write((" ".join(map(str, words)) + "\n").encode())


def events(journal: Path) -> list[list[str]]:
    """Answer the journal's lines, split into words."""
    return [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []


def spec(journal: Path, name: str, behaviour: str = "obedient", stop_seconds: float = 10.0) -> ProcessSpec:
    """Answer the spec of a process that behaves as one of the functions below."""
    program = f"from tests.service.processes import *; {behaviour}(Path({str(journal)!r}), {name!r})"
    command = (sys.executable, "-c", program)
    return ProcessSpec(name=name, command=command, environment=dict(os.environ), stop_seconds=stop_seconds)


def obedient(journal: Path, name: str) -> None:
    """Run until SIGTERM."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    end_with_parent(interval_seconds=0.05)
    write(journal, name, "started", os.getpid(), os.getsid(0))
    told.wait()
    write(journal, name, "stopped")


def stubborn(journal: Path, name: str) -> None:
    """Run whatever happens short of SIGKILL."""
    signal.signal(signal.SIGTERM, lambda *_: write(journal, name, "refused"))
    write(journal, name, "started", os.getpid())
    while True:
        signal.pause()


def parent_of_one(journal: Path, name: str) -> None:
    """Run with a process of its own in the same group, which does not watch its parent."""
    if os.fork() == 0:
        stubborn(journal, f"{name}-child")
    obedient(journal, name)


def short_lived(journal: Path, name: str) -> None:
    """End at once."""
    write(journal, name, "started", os.getpid())


class FakeServer:
    """A server that dies when a file named `dead` appears beside the journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._dead = journal.with_name("dead")

    def start(self) -> None:
        self._dead.unlink(missing_ok=True)
        write(self._journal, "redis", "started")

    def stop(self) -> None:
        write(self._journal, "redis", "stopped")

    def alive(self) -> bool:
        return not self._dead.exists()


def supervise(journal: Path, *specs: ProcessSpec) -> None:
    """Be a supervisor with a fake server beneath."""
    server = FakeServer(journal)
    server.start()
    sys.exit(Supervisor(specs, server=server).run())
