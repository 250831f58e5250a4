"""The private Redis keeps its data and its manners through every death of itself and of whoever started it."""

import concurrent.futures
import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from service.embedded_redis import EmbeddedRedis
from tests.eventually import eventually_now
from tests.redis_fixture import SERVERS


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server in a home of its own, started, of each program at hand."""
    server = EmbeddedRedis(tmp_path / "home", server=Path(request.param))
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def client_of(server: EmbeddedRedis) -> Iterator[Redis]:
    """A client, closed at the end."""
    with Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def kill(server: EmbeddedRedis) -> None:
    """Kill the server without warning and wait until it is gone."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually_now(lambda: not server.alive())


def test_listens_on_its_socket_only(server: EmbeddedRedis, tmp_path: Path) -> None:
    """It answers on a socket that only its owner may open, and on no port."""
    assert server.url == f"unix://{tmp_path}/home/redis.sock"
    with client_of(server) as client:
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
    mode = (tmp_path / "home" / "redis.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o700


def test_keeps_everything(server: EmbeddedRedis, tmp_path: Path) -> None:
    """It writes each command to its file within a second, evicts nothing, and logs into its home."""
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    with client_of(server) as client:
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    assert b"ready to accept connections" in (tmp_path / "home" / "redis.log").read_bytes()
    assert (tmp_path / "home" / "redis.pid").read_text().strip() == str(server.pid)


def test_stop_ends_it(server: EmbeddedRedis) -> None:
    """Stopping ends the process, stopping twice is harmless, and a new start finds the data."""
    with client_of(server) as client:
        client.set("key", "value")
    pid = server.pid
    server.stop()
    assert not server.alive()
    assert server.pid is None
    server.stop()
    server.start()
    assert server.pid != pid
    with client_of(server) as client:
        assert client.get("key") == "value"


def test_data_survives_a_kill(server: EmbeddedRedis) -> None:
    """What was acknowledged before the server was killed is there after it was started again."""
    with client_of(server) as client:
        for number in range(100):
            client.set(f"key{number}", number)
    kill(server)
    server.start()
    assert server.alive()
    with client_of(server) as client:
        assert client.dbsize() == 100


def test_start_right_after_a_kill(server: EmbeddedRedis) -> None:
    """A start that follows a kill at once does not take the dying server for a living one."""
    for _ in range(20):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        with client_of(server) as client:
            assert client.ping()


def test_start_is_idempotent(server: EmbeddedRedis) -> None:
    """Starting what runs changes nothing."""
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_terminal_cannot_interrupt_it(server: EmbeddedRedis) -> None:
    """It runs in a session of its own, which Ctrl-C on the terminal does not reach."""
    assert server.pid is not None
    assert os.getsid(server.pid) == server.pid


def test_second_starter_adopts(server: EmbeddedRedis, tmp_path: Path) -> None:
    """Whoever starts a second one for the same home gets the first, sees it die and can stop it."""
    second = EmbeddedRedis(tmp_path / "home")
    second.start()
    assert second.pid == server.pid
    assert second.alive()
    kill(server)
    assert not second.alive()
    server.start()
    second.start()
    assert second.pid == server.pid
    second.stop()
    eventually_now(lambda: not server.alive())


def test_concurrent_starters_share_one(tmp_path: Path) -> None:
    """Many that start at once end up with one server."""
    starters = [EmbeddedRedis(tmp_path) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(starters)) as pool:
        list(pool.map(EmbeddedRedis.start, starters))
    assert len({starter.pid for starter in starters}) == 1
    for starter in starters:
        starter.stop()


@contextlib.contextmanager
def parent_of_a_server(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process that started a Redis, wrote a key and now waits, with the pid of its Redis."""
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from redis import Redis\n"
        "from service.embedded_redis import EmbeddedRedis\n"
        "server = EmbeddedRedis(Path(sys.argv[1]))\n"
        "server.start()\n"
        "Redis.from_url(server.url).set('key', 'value')\n"
        "print(server.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        try:
            yield parent, int(parent.stdout.readline())
        finally:
            parent.kill()


def test_adopted_after_its_parent_was_killed(tmp_path: Path) -> None:
    """A Redis whose parent was killed goes on, is adopted with its data by the next run, and ends with it."""
    with parent_of_a_server(tmp_path) as (parent, pid):
        parent.kill()
    server = EmbeddedRedis(tmp_path)
    server.start()
    assert server.pid == pid
    assert server.alive()
    with client_of(server) as client:
        assert client.get("key") == "value"
    server.stop()
    assert not server.alive()
    server.start()
    assert server.pid != pid
    server.stop()


def test_cleaned_up_after_both_were_killed(tmp_path: Path) -> None:
    """What a killed Redis of a killed parent left is cleared away, and a new one starts with the data."""
    with parent_of_a_server(tmp_path) as (parent, pid):
        os.kill(pid, signal.SIGKILL)
        parent.kill()
    assert (tmp_path / "redis.sock").exists()
    assert (tmp_path / "redis.pid").exists()
    server = EmbeddedRedis(tmp_path)
    server.start()
    assert server.pid != pid
    with client_of(server) as client:
        assert client.get("key") == "value"
    server.stop()


def test_stopped_process_is_killed(tmp_path: Path) -> None:
    """A server that does not even hear the signal to end is killed."""
    server = EmbeddedRedis(tmp_path, patience_seconds=0.2)
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not server.alive()
