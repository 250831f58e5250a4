"""What a tree of processes costs, its CPU time and its memory, and which cores it may use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024


def tree(root: int) -> list[int]:
    """Answer a process and all below it; one that has just ended is left out."""
    try:
        threads = list(Path(f"/proc/{root}/task").iterdir())
        found = [int(one) for thread in threads for one in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [root, *(below for child in found for below in tree(child))]


def cpu_seconds(processes: Iterable[int]) -> float:
    """Answer the CPU seconds that processes have taken so far, in programs and in the kernel."""
    spent = 0.0
    for process in processes:
        fields = _read(process, "stat").rpartition(")")[2].split()
        if fields:
            spent += (int(fields[11]) + int(fields[12])) / _TICKS
    return spent


def memory_mib(processes: Iterable[int]) -> dict[str, float]:
    """Answer what processes hold: `rss` counts shared pages for each of them, `pss` divides them among all."""
    found = {"pss": 0.0, "rss": 0.0}
    for process in processes:
        for line in _read(process, "smaps_rollup").splitlines():
            name, _, value = line.partition(":")
            if name.lower() in found:
                found[name.lower()] += int(value.split()[0]) * 1024 / _MIB
    return found


def parts(root: int) -> dict[str, list[int]]:
    """Answer the processes of a running service by what they are: api, worker, scorer, redis, and the supervisor."""
    found: dict[str, list[int]] = {}
    for process in tree(root):
        found.setdefault(_part(process, root), []).append(process)
    return found


def _part(process: int, root: int) -> str:
    while process != root:
        command = _read(process, "cmdline")
        words = command.split("\0")
        if "redis-server" in command or "valkey-server" in command:
            return "redis"
        if "service" in words[:-1]:
            name = words[words.index("service") + 1]
            return {"work": "worker"}.get(name, name)
        process = _parent(process)
    return "supervisor"


def _parent(process: int) -> int:
    return int(_read(process, "stat").rpartition(")")[2].split()[1])


def pin(processes: Iterable[int], cores: set[int]) -> None:
    """Let processes, with all their threads, use these cores alone."""
    for process in processes:
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def cores_apart() -> tuple[set[int], set[int]]:
    """Answer the cores of servers and those of clients: the last is the clients', a single one is everybody's."""
    mine = sorted(os.sched_getaffinity(0))
    return (set(mine[:-1]), {mine[-1]}) if len(mine) > 1 else (set(mine), set(mine))


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except OSError:
        return ""
