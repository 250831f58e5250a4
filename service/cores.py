"""How many cores this process may really use: a container's share, not the machine's."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

_NO_LIMIT = math.inf


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_present(
    *,
    mount: Path = Path("/sys/fs/cgroup"),
    own: Path = Path("/proc/self/cgroup"),
    allowed: Callable[[], int] = _affinity,
) -> int:
    """Answer the number of threads that can run at once, at least 1: the allowed cores, cut to the cgroup's CPU quota.

    Both versions of cgroups are read; a share such as 1.5 cores is rounded up, as one thread would leave the half idle.
    """
    quota = min((_quota(folder) for folder in _folders(mount, own)), default=_NO_LIMIT)
    most = allowed() if quota == _NO_LIMIT else min(allowed(), math.ceil(quota))
    return max(1, most)


def _folders(mount: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of our group and of all above it, since each may set a quota."""
    for line in _read(own).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        named = controllers.split(",")
        if number != "0" and "cpu" not in named:
            continue
        roots = [mount] if number == "0" else [mount / controllers, mount / "cpu"]
        # Seen from inside a container the path may be the host's, and may climb with `..`.
        steps = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for root in roots:
            for depth in range(len(steps), -1, -1):
                yield root.joinpath(*steps[:depth])


def _quota(folder: Path) -> float:
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or a kernel without quotas.
        return _NO_LIMIT
    return share if share > 0 else _NO_LIMIT


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
