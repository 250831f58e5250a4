"""The worker's page: what it says, where it listens, and that it leaves the worker's signals and files alone."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings import SettingsError
from service.telemetry import swept_total
from service.workers.health import Part, Readiness, build_health_app, serve_health
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

READY = Readiness((Part("sql", True),))
NOT_READY = Readiness((Part("sql", True), Part("scorer", False, "timeout")))


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops, as the worker runs on uvloop."""
    return "asyncio", {"use_uvloop": request.param}


async def answers(client: httpx.AsyncClient) -> bool:
    """True when the page says that the worker lives."""
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def page(path: Path, readiness: Callable[[], Readiness] = lambda: READY) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a page that listens on a socket file."""
    serving = asyncio.create_task(serve_health(readiness=readiness, port=0, socket_path=path))
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        await eventually(partial(answers, client))
        yield client
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_readiness_is_asked_anew(tmp_path: Path) -> None:
    """Each request sees the readiness of that moment: 200, or 503 with the part that is not ok and why."""
    found = [READY, NOT_READY]
    async with page(tmp_path / "worker.sock", lambda: found.pop(0)) as client:
        first, second = await client.get("/health/ready"), await client.get("/health/ready")
    assert (first.status_code, second.status_code) == (200, 503)
    assert first.json() == {"status": "ready", "parts": [{"part": "sql", "ok": True, "reason": None}]}
    assert second.json()["status"] == "not_ready"
    assert second.json()["parts"][1] == {"part": "scorer", "ok": False, "reason": "timeout"}


async def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    """The process's own registry is shown in Prometheus' text format."""
    swept_total.labels("scoring").inc()
    async with page(tmp_path / "worker.sock") as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["content-type"].count("charset") == 1
    assert 'colloquy_swept_total{kind="scoring"}' in answer.text


async def test_an_old_socket_file_is_replaced_and_ours_removed(tmp_path: Path) -> None:
    """The file that a killed worker left does not stop the next, and none stays behind."""
    path = tmp_path / "worker.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with page(path) as client:
        assert (await client.get("/health/live")).is_success
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


async def test_a_file_that_cannot_be_made_does_not_stop_the_worker(tmp_path: Path) -> None:
    """Work goes on without the page when its socket file cannot be made."""
    stop = asyncio.Event()
    path = tmp_path / ("long" * 40)
    serving = asyncio.create_task(serve_health(readiness=lambda: READY, port=0, socket_path=path, stop=stop))
    stop.set()
    await serving


async def test_a_taken_port_is_a_wrong_setting() -> None:
    """A port that another program holds is refused by the name of the setting."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"WORKER_PORT: {port}"):
            await serve_health(readiness=lambda: READY, port=port, socket_path=None)


async def test_the_page_ends_by_its_event_on_a_port() -> None:
    """A page on a port answers until its event is set."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_health(readiness=lambda: READY, port=port, socket_path=None, stop=stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await eventually(partial(answers, client))
    stop.set()
    await serving


async def test_signals_stay_the_workers(tmp_path: Path) -> None:
    """The page's server takes no signal handler from the worker."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with page(tmp_path / "worker.sock"):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_every_route_names_its_guard() -> None:
    """The page is open, and each of its routes says so."""
    handlers = [handler for route in build_health_app(lambda: READY).routes for handler in route.route_handlers]  # type: ignore[union-attr]
    assert handlers
    assert all(handler.opt["guard"] == "open" for handler in handlers if handler.handler_name != "options_handler")
