"""The API process: requests under way are finished, and a worker process never outlives its server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.api_server import _logging
from tests.eventually import eventually_now
from tests.service.processes import is_gone


class Api:
    """A server in a process of its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from tests.service.plain_api import run; run({self.port})"]
        )

    def get(self, path: Path | str = "/") -> httpx.Response | None:
        try:
            return httpx.get(f"http://localhost:{self.port}{path}", timeout=20)
        except httpx.TransportError:
            return None

    def worker(self) -> int:
        eventually_now(lambda: self.get() is not None)
        answer = self.get()
        assert answer
        return int(answer.text)


@pytest.fixture
def api() -> Iterator[Api]:
    """A running server, of which nothing is left in the end."""
    api = Api()
    worker = api.worker()
    yield api
    api.process.kill()
    api.process.wait()
    eventually_now(lambda: is_gone(worker))


def asked(file: Path) -> bool:
    """True once the request that waits for this file has reached the app."""
    return file.with_suffix(".asked").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered(api: Api, tmp_path: Path, number: signal.Signals) -> None:
    """A server told to stop answers what it has begun, and then ends well."""
    file = tmp_path / "go"
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(api.get, file)
        eventually_now(lambda: asked(file))
        api.process.send_signal(number)
        eventually_now(lambda: api.get() is None)
        file.touch()
        found = answer.result()
    assert found
    assert found.status_code == 200
    assert api.process.wait(timeout=10) == 0


def test_a_killed_worker_process_is_replaced(api: Api) -> None:
    """The server goes on when its worker process is killed."""
    worker = api.worker()
    os.kill(worker, signal.SIGKILL)
    eventually_now(lambda: is_gone(worker))
    assert api.worker() != worker


def test_a_worker_process_ends_with_its_server(api: Api, tmp_path: Path) -> None:
    """A worker whose server was killed is gone at once, even while it was stopping with a request under way."""
    worker, file = api.worker(), tmp_path / "never"
    with ThreadPoolExecutor() as threads:
        threads.submit(api.get, file)
        eventually_now(lambda: asked(file))
        os.kill(worker, signal.SIGTERM)
        api.process.kill()
        api.process.wait()
        eventually_now(lambda: is_gone(worker), within_seconds=2)


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_the_servers_own_lines_follow_the_level(level: str) -> None:
    """LOG_LEVEL holds for what granian says of itself too."""
    assert _logging(level)["loggers"]["_granian"]["level"] == level


def test_ctrl_c_reaches_the_server_alone(api: Api) -> None:
    """A worker process is in a process group of its own, because a second signal would freeze it."""
    worker = api.worker()
    assert os.getpgid(worker) == worker
