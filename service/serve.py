"""Everything on one machine: a private Redis where none is given, the migrations, one API and one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from service.home import make_home, only_one
from service.settings import Settings, SettingsError
from service.supervisor import ProcessSpec, Server, Supervisor

SUPERVISOR_VARIABLE = "COLLOQUY_SUPERVISOR"
"""Set for the processes of a supervisor: its process id, with which they end."""
PORT_WAIT_SECONDS = 5.0
API_STOP_SECONDS = 8.0
SCORER_WAIT_SECONDS = 5.0
WORKER_STOP_SECONDS = 12.0

_log = logging.getLogger(__name__)


class CannotServe(SettingsError):  # noqa: N818 - Named for the fact.
    """Something on this machine is in the way of a setting, said in one line for the operator."""


def serve(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    demo: bool,
    say: Callable[[str], None],
    then: Callable[[], object] | None = None,
) -> int:
    """Run until a signal and answer the exit code; raise CannotServe when another program is in the way.

    What comes `then` is done once it is up, beside it.
    """
    began_at = time.monotonic()
    make_home(settings)
    with only_one(settings.home), _exit_on_termination(), contextlib.ExitStack() as undo:
        wait_for_port(settings.host, settings.port)
        wait_for_worker_port(settings, environment)
        with _undisturbed():
            server, redis_url = _redis(settings)
            if server:
                undo.callback(server.stop)
        given = handed_on(settings, environment, redis_url=redis_url)
        lines = _prepare(Settings.from_environment(given), demo=demo)
        up = threading.Event()
        undo.callback(up.set)
        threading.Thread(target=_announce, args=(settings, lines, began_at, up, say, then), daemon=True).start()
        return Supervisor(specs(given), server=server).run()


def specs(environment: Mapping[str, str]) -> list[ProcessSpec]:
    """Answer the processes in the order in which they stop: first the one that takes comments in."""
    command = (sys.executable, "-m", "service")
    return [
        ProcessSpec(name="api", command=(*command, "api"), environment=environment, stop_seconds=API_STOP_SECONDS),
        ProcessSpec(
            name="worker",
            command=(*command, "work"),
            environment={**environment, "WORKER_NAME": "embedded", "WORKER_PORT": _worker_port(environment)},
            stop_seconds=WORKER_STOP_SECONDS,
        ),
    ]


def _worker_port(environment: Mapping[str, str]) -> str:
    """The default port is for a worker on its own; here the page is on a socket file, and a port is asked for."""
    return environment.get("WORKER_PORT") or "0"


def handed_on(settings: Settings, environment: Mapping[str, str], *, redis_url: str) -> dict[str, str]:
    """Answer the environment of the processes: as given, with what this start has found out."""
    return {
        **environment,
        "COLLOQUY_HOME": str(settings.home.resolve()),
        "REDIS_URL": redis_url,
        SUPERVISOR_VARIABLE: str(os.getpid()),
    }


def wait_for_port(host: str, port: int, *, setting: str = "PORT", seconds: float = PORT_WAIT_SECONDS) -> None:
    """Wait until nothing listens there any more; raise CannotServe when something still does at the end."""
    deadline = time.monotonic() + seconds
    while (refusal := _bind_refusal(host, port)) is not None:
        if refusal != errno.EADDRINUSE:
            raise CannotServe(f"HOST, {setting}: cannot listen on {host}:{port}: {os.strerror(refusal)}")
        if time.monotonic() >= deadline:
            raise CannotServe(f"{setting}: {port} is held by another program; set {setting} to a free one")
        time.sleep(0.1)


def wait_for_worker_port(settings: Settings, environment: Mapping[str, str]) -> None:
    """Do the same for the worker's page where the operator asked for one, which must not be the API's own port."""
    port = int(_worker_port(environment))
    if port == settings.port:
        raise CannotServe(f"WORKER_PORT: {port} is the PORT of the API; set another one")
    if port:
        wait_for_port(settings.worker_host, port, setting="WORKER_PORT")


def _bind_refusal(host: str, port: int) -> int | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Without SO_REUSEPORT, which the API uses: with it a second server would share the port unnoticed.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise CannotServe(f"HOST: {host} cannot be resolved") from error
    except OSError as error:
        return error.errno or errno.EINVAL
    return None


def _redis(settings: Settings) -> tuple[Server | None, str]:
    if settings.redis_url:
        return None, settings.redis_url
    from service.embedded_redis import EmbeddedRedis
    from service.redis_home import RedisWouldNotStart

    server = EmbeddedRedis(settings.home)
    try:
        server.start()
    except RedisWouldNotStart as error:
        raise CannotServe(str(error)) from None
    return server, server.url


def _prepare(settings: Settings, *, demo: bool) -> list[str]:
    from service.composition import check_keys, finish_upgrade
    from service.store.migrate import upgrade

    upgrade(settings.database)
    asyncio.run(check_keys(settings))
    asyncio.run(finish_upgrade(settings))
    if not demo:
        return []
    from service.demo.site import prepare

    return asyncio.run(prepare(settings))


@contextlib.contextmanager
def _exit_on_termination() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does, until the supervisor listens for it."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let an order to stop wait for the end of the block: what is started must be known to who ends it."""
    waiting: list[int] = []
    # Handlers and not a mask, which a process started in the block would inherit.
    former = {
        number: signal.signal(number, lambda number, _frame: waiting.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])


def _announce(
    settings: Settings,
    lines: list[str],
    began_at: float,
    ended: threading.Event,
    say: Callable[[str], None],
    then: Callable[[], object] | None,
) -> None:
    while not answers(settings, "/health/live"):
        if ended.wait(0.05):
            return
    # A comment sent in the first moment shall find a scorer; one that is broken keeps nobody from reading this.
    patience = time.monotonic() + SCORER_WAIT_SECONDS
    while not answers(settings, "/health/workers") and time.monotonic() < patience:
        if ended.wait(0.05):
            return
    seconds = round(time.monotonic() - began_at, 2)
    _log.info("serve.up", extra={"url": settings.url, "seconds": seconds})
    say(f"Colloquy is up after {seconds} s: {settings.url}")
    for line in lines:
        say(f"  {line}")
    if then is not None:
        then()


def answers(settings: Settings, path: str) -> bool:
    """True when the API answers 200 on its own address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
