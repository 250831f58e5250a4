"""Start a whole service of our own for a benchmark, and end it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Running:
    """A service on a free port with a home of its own."""

    def __init__(self, home: Path, port: int, process: subprocess.Popen[bytes], started_seconds: float) -> None:
        self.home = home
        self.port = port
        self.process = process
        self.started_seconds = started_seconds
        self.demo: dict[str, str] = json.loads((home / "demo.json").read_text())

    def children(self) -> dict[str, int]:
        """Answer the process ids of the service's parts by the command that each runs."""
        found: dict[str, int] = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(self.home).encode() in environment and b"service" in command:
                found[command[command.index(b"service") + 1].decode()] = int(folder.name)
        return found

    def worker_metrics(self) -> dict[str, float]:
        """Answer the worker's metrics by their full name with labels."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.home / "worker.sock"))
            connection.sendall(b"GET /metrics HTTP/1.0\r\nhost: worker\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        lines = answer.partition(b"\r\n\r\n")[2].decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}

    def get(self, path: str) -> tuple[int, Any]:
        """Send one GET request and answer status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body) if body else None


@contextmanager
def running_service(checkout: Path | None = None, /, **environment: str) -> Iterator[Running]:
    """Run `python -m service demo` until the block ends, of another checkout of the code where one is named."""
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        port, home = free_port(), Path(folder) / "home"
        given = {**os.environ, "PORT": str(port), "COLLOQUY_HOME": str(home), "LOG_LEVEL": "WARNING", **environment}
        began = time.monotonic()
        command = [sys.executable, "-m", "service", "demo"]
        process = subprocess.Popen(command, env=given, cwd=checkout, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: process.poll() is not None or _answers(port, "/health/workers"), 60)
            assert process.poll() is None, "the service ended before it was up"
            yield Running(home, port, process, time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def free_port() -> int:
    """Answer a port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Answer whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Any, seconds: float) -> None:
    """Wait until a condition holds, or raise TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
