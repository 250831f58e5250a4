"""The cores that a process may use, not those of the machine."""

from pathlib import Path

import pytest

from service.cores import cores_present


def group(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of a cgroup mount and answer its folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def cores(folder: Path, own: str, files: dict[str, str], allowed: int = 8) -> int:
    """Answer the cores that such a machine has for a process of the group `own`."""
    mount = group(folder / "mount", files)
    (folder / "own").write_text(own)
    return cores_present(mount=mount, own=folder / "own", allowed=lambda: allowed)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("9900000 100000", 8)],
)
def test_the_quota_of_a_container_counts(tmp_path: Path, quota: str, expected: int) -> None:
    """The CPU quota of version 2 cuts the allowed cores, a part of a core counting as one, and never adds any."""
    assert cores(tmp_path, "0::/\n", {"cpu.max": quota}) == expected


def test_the_smallest_quota_above_counts(tmp_path: Path) -> None:
    """A group inherits the limits of all groups above it."""
    files = {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000", "a/b/c/cpu.max": "500000 100000"}
    assert cores(tmp_path, "0::/a/b/c\n", files) == 3


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_version_one_counts_too(tmp_path: Path, folder: str) -> None:
    """The older files are read, wherever the controller is mounted, though the path may be the host's."""
    files = {f"{folder}/cpu.cfs_quota_us": "200000\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    assert cores(tmp_path, "7:memory:/x\n3:cpu,cpuacct:/docker/not-seen-from-here\n", files) == 2


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "garbage"},
        {"cpu.max": "100000 0"},
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
    ],
)
def test_without_a_quota_the_allowed_cores_count(tmp_path: Path, files: dict[str, str]) -> None:
    """No quota, an unlimited one or one that cannot be read leaves what the scheduler allows."""
    assert cores(tmp_path, "0::/../../x\n3:cpu:/\n", files, allowed=5) == 5


def test_there_is_always_one() -> None:
    """This machine, whatever it is, has at least one core, and a group that cannot be read does no harm."""
    assert cores_present() >= 1
    assert cores_present(own=Path("/nonexistent"), allowed=lambda: 0) == 1
