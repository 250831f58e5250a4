"""The home of a private Redis may have any name and any leftovers, and nobody else gets in."""

import os
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from redis import Redis

from service.embedded_redis import EmbeddedRedis, RedisWouldNotStart


def test_reused_pid_is_left_alone(tmp_path: Path) -> None:
    """A stale pidfile that names a living stranger neither stops the start nor harms the stranger."""
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (tmp_path / "redis.pid").write_text(f"{stranger.pid}\n")
        server = EmbeddedRedis(tmp_path)
        server.start()
        server.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_stranger_is_not_adopted(tmp_path: Path) -> None:
    """A Redis that answers on the socket but writes elsewhere is not taken for ours."""
    home = tmp_path / "home"
    home.mkdir()
    elsewhere = EmbeddedRedis(tmp_path / "elsewhere")
    elsewhere.start()
    (home / "redis.sock").symlink_to(tmp_path / "elsewhere" / "redis.sock")
    ours = EmbeddedRedis(home)
    ours.start()
    assert ours.pid != elsewhere.pid
    assert elsewhere.alive()
    ours.stop()
    elsewhere.stop()


def test_long_path_moves_the_socket(tmp_path: Path) -> None:
    """Where the path is too long for a socket, the socket lies in a private folder and all else in the home."""
    home = tmp_path / ("long name " * 15)
    server = EmbeddedRedis(home)
    server.start()
    assert server.url.startswith(f"unix://{tempfile.gettempdir()}/colloquy-")
    folder = Path(server.url.removeprefix("unix://")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with Redis.from_url(server.url, decode_responses=True) as client:
        client.set("key", "value")
        assert client.config_get("dir") == {"dir": str(home / "redis")}
    again = EmbeddedRedis(home)
    again.start()
    assert again.pid == server.pid
    server.stop()
    folder.rmdir()


@pytest.mark.parametrize("trap", ["open", "link"])
def test_socket_folder_of_others_is_refused(tmp_path: Path, trap: str) -> None:
    """A folder for the socket that others can enter, or that is a link, is refused."""
    server = EmbeddedRedis(tmp_path / ("n" * 120))
    folder = Path(server.url.removeprefix("unix://")).parent
    if trap == "open":
        folder.mkdir()
        folder.chmod(0o755)
    else:
        folder.symlink_to(tmp_path)
    with pytest.raises(RedisWouldNotStart, match="private"):
        server.start()
    folder.rmdir() if trap == "open" else folder.unlink()


def test_path_with_blanks(tmp_path: Path) -> None:
    """A home whose name has blanks, quotes, percent signs and letters beyond ASCII works."""
    server = EmbeddedRedis(tmp_path / 'a home\'s "50%" é')
    server.start()
    with Redis.from_url(server.url, decode_responses=True) as client:
        assert client.ping()
    server.stop()


def test_hung_server_is_not_doubled(tmp_path: Path) -> None:
    """While a server of this home hangs, a second is not started beside it, and the message names the log."""
    first = EmbeddedRedis(tmp_path)
    first.start()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    second = EmbeddedRedis(tmp_path, patience_seconds=0.05)
    with pytest.raises(RedisWouldNotStart, match=r"redis\.log"):
        second.start()
    assert not second.alive()
    os.kill(first.pid, signal.SIGCONT)
    first.stop()


def test_failed_start_leaves_nothing_running(tmp_path: Path) -> None:
    """A program that runs and never answers fails the start, and is ended by stop."""
    program = tmp_path / "mute-server"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    server = EmbeddedRedis(tmp_path, server=program, patience_seconds=0.2)
    with pytest.raises(RedisWouldNotStart, match="does not answer"):
        server.start()
    assert server.alive()
    server.stop()
    assert not server.alive()
