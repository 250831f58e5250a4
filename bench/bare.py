"""The floor: an application of a few lines on the API's own server, that sends ready answers from memory.

COLLOQUY_BARE_ANSWERS=FILE python -m bench.bare PORT
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from bench.running import accepts, free_port, wait_for
from service.api_server import OPEN_CONNECTIONS

_VARIABLE = "COLLOQUY_BARE_ANSWERS"
_OF_THE_SERVER = ("date", "server", "connection", "transfer-encoding")


class Ready(NamedTuple):
    """An answer as it was received: its status, its headers without those of the server, and its bytes."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Answer the value of a header."""
        return next((value for key, value in self.headers if key == name), None)


def ready(status: int, headers: list[tuple[str, str]], body: bytes) -> Ready:
    """Answer what the floor sends for it."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() not in _OF_THE_SERVER]
    return Ready(status, kept, body)


@contextmanager
def running_bare(folder: Path, answers: Mapping[str, Ready]) -> Iterator[tuple[int, int]]:
    """Serve answers by their path until the block ends; answer port and process id."""
    port, file = free_port(), folder / "answers.json"
    listed = {path: [one.status, one.headers, base64.b64encode(one.body).decode()] for path, one in answers.items()}
    file.write_text(json.dumps(listed))
    given = {**os.environ, _VARIABLE: str(file)}
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(port)], env=given)
    try:
        wait_for(lambda: accepts(port), 30)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _answers() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    found = {}
    for path, (status, headers, body) in json.loads(Path(os.environ[_VARIABLE]).read_text()).items():
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        start = {"type": "http.response.start", "status": status, "headers": pairs}
        found[path] = start, {"type": "http.response.body", "body": base64.b64decode(body)}
    return found


_READY = _answers() if _VARIABLE in os.environ else {}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Send what is ready for the path."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    start, body = _READY[scope["path"]]
    await send(start)
    await send(body)


def main() -> None:
    """Serve with the options of `service.api_server`."""
    Granian(
        "bench.bare:application",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        workers=1,
        backpressure=OPEN_CONNECTIONS,
        respawn_failed_workers=True,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
