"""The API process: granian in front of `service.app`, with worker processes that never outlive it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from functools import partial
from typing import Any

from granian import Granian, _signals
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from service.ending import tell_of_the_end
from service.parent_watch import end_with_parent
from service.settings import Settings, SettingsError
from service.telemetry import JsonFormatter, configure_logging

KILL_SECONDS = 5
"""How long a worker process may take to finish its requests; less than the supervisor's patience."""
OPEN_CONNECTIONS = 4096
"""Per worker process; a reader with a live thread holds one for as long as the page is open."""
OPEN_FILES = 65536


def run_api(settings: Settings, *, supervised: bool) -> int:
    """Serve the API until a signal; a supervisor kills what is left of the whole process group."""
    _allow_open_files()
    load = partial(_load, os.getpid(), supervised, settings.log_level)
    Granian(
        "service.app:create_app",
        factory=True,
        address=_numeric(settings.host),
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=round(settings.header_seconds * 1000)),
        workers=settings.api_workers,
        backpressure=OPEN_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
        log_access=False,
        log_level=LogLevels(settings.log_level.lower()),
        log_dictconfig=_logging(settings.log_level),
    ).serve(target_loader=load, wrap_loader=False)
    return 0


def _load(server: int, supervised: bool, log_level: str) -> Any:
    """Runs in the worker process, before its event loop."""
    # SIGKILL, for a second gentle signal freezes granian's worker with the interpreter's lock held, and it would go on
    # taking a share of the port's connections. While the server lives it stops its workers gracefully by itself.
    end_with_parent(parent=server, by=signal.SIGKILL)
    if not supervised:
        # The same goes for a terminal's Ctrl-C, which would come besides the server's own request to stop.
        os.setpgid(0, 0)
    configure_logging(log_level)
    _end_streams_first()
    from service.app import create_app

    return create_app()


def _end_streams_first() -> None:
    """granian waits for open connections before it tells the application that it stops: a live stream would never end.

    So its handlers of signals are set again, with what must be told first in front.
    """
    given: Any = _signals.set_loop_signals

    def set_loop_signals(loop: asyncio.AbstractEventLoop) -> Any:
        event = given(loop)

        def stop() -> None:
            tell_of_the_end()
            event.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        return event

    _signals.set_loop_signals = set_loop_signals


def _numeric(host: str) -> str:
    """granian takes addresses and no names."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror:
        raise SettingsError(f"HOST: {host} cannot be resolved") from None


def _logging(level: str) -> dict[str, Any]:
    return {
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {"_granian": {"handlers": ["stderr"], "level": level, "propagate": False}},
    }


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
