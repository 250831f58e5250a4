"""The worker's own page for whoever watches it: alive, ready, metrics; served inside the worker's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import uvicorn
from litestar import Litestar, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.settings import SettingsError
from service.telemetry import worker_registry

OPEN = {"guard": "open"}
METRICS_TYPE = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # Litestar adds the charset.
CLOSE_SECONDS = 1

_log = logging.getLogger(__name__)


class Part(msgspec.Struct, frozen=True):
    """One thing a worker depends on; `reason` says in a stable code why it is not ok, or not as it was meant to be."""

    part: str
    ok: bool
    reason: str | None = None


class Readiness(msgspec.Struct, frozen=True):
    """What a worker depends on; it is ready when every part is."""

    parts: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        """True when every part is ok."""
        return all(part.ok for part in self.parts)

    @property
    def status(self) -> Literal["ready", "degraded", "not_ready"]:
        """The word for it: a part that works in a lesser way degrades the worker, which still is of use."""
        if not self.ready:
            return "not_ready"
        return "degraded" if any(part.reason for part in self.parts) else "ready"


class ReadinessBody(msgspec.Struct, frozen=True):
    """The JSON of /health/ready."""

    status: Literal["ready", "degraded", "not_ready"]
    parts: tuple[Part, ...]


def build_health_app(readiness: Callable[[], Readiness]) -> Litestar:
    """Answer the app behind a worker's page; `readiness` is asked anew for each request."""

    @get("/health/live", opt=OPEN)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @get("/health/ready", opt=OPEN)
    async def ready() -> Response[ReadinessBody]:
        found = readiness()
        body = ReadinessBody(found.status, found.parts)
        return Response(body, status_code=200 if found.ready else 503)

    @get("/metrics", opt=OPEN)
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(worker_registry), media_type=METRICS_TYPE)

    return Litestar([live, ready, metrics], openapi_config=None, logging_config=None)


async def serve_health(
    *,
    readiness: Callable[[], Readiness],
    port: int,
    socket_path: Path | None,
    host: str = "127.0.0.1",
    stop: asyncio.Event | None = None,
) -> None:
    """Serve the page on a port (0: none) and a socket file (None: none) until cancelled or `stop` is set.

    A taken port is a SettingsError; a socket file that cannot be made is only logged, for work matters more.
    """
    stop = stop or asyncio.Event()
    with contextlib.ExitStack() as undo:
        listening = [undo.enter_context(_listen_on_port(host, port))] if port else []
        if socket_path and (file := undo.enter_context(_listen_on_file(socket_path))):
            listening.append(file)
        if not listening:
            await stop.wait()
            return
        server = _Server(
            uvicorn.Config(
                build_health_app(readiness),
                loop="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(listening))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """A guest in the worker's loop: signals stay the worker's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen_on_port(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"WORKER_PORT: {port} is held by another program; 0 serves no page") from None
        raise SettingsError(f"WORKER_HOST, WORKER_PORT: cannot listen on {host}:{port}: {error.strerror}") from None


@contextlib.contextmanager
def _listen_on_file(path: Path) -> Iterator[socket.socket | None]:
    """A file left by a killed worker is replaced, and only our own is removed in the end."""
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            if path.is_socket():
                path.unlink()
            listening.bind(str(path))
            path.chmod(0o600)
            listening.listen()
        except OSError as error:
            _log.warning("worker.no_health_file", extra={"exception": type(error).__name__})
            yield None
            return
        made = path.stat().st_ino
        try:
            yield listening
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == made:
                    path.unlink()
