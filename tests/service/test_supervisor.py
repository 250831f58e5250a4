"""The supervisor: what dies comes back, what stops does so in order, and nothing outlives its supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.home import only_one
from service.serve import CannotServe, handed_on, specs, wait_for_port
from service.settings import Settings, SettingsError
from service.supervisor import Backoff
from tests.eventually import eventually_now
from tests.service.processes import events, is_gone


class Run:
    """A supervisor in a process of its own, and the journal of everything beneath it."""

    def __init__(self, folder: Path, *specs: str) -> None:
        self.journal = folder / "journal"
        arguments = "".join(f", spec(journal, {one})" for one in specs)
        program = f"from tests.service.processes import *; journal = Path({str(self.journal)!r}); "
        program += f"supervise(journal{arguments})"
        self.process = subprocess.Popen([sys.executable, "-c", program])

    def pids(self, name: str) -> list[int]:
        return [int(line[2]) for line in events(self.journal) if line[:2] == [name, "started"]]

    def started(self, name: str, times: int = 1) -> int:
        eventually_now(lambda: len(self.pids(name)) >= times)
        return self.pids(name)[-1]

    def count(self, *words: str) -> int:
        return sum(line[: len(words)] == list(words) for line in events(self.journal))

    def ended(self) -> list[str]:
        return [line[0] for line in events(self.journal) if line[1] == "stopped"]


@contextmanager
def supervising(folder: Path, *specs: str) -> Iterator[Run]:
    """A run of which nothing is left in the end."""
    run = Run(folder, *specs)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        for line in events(run.journal):
            if line[1] == "started" and len(line) > 2 and not is_gone(int(line[2])):
                os.kill(int(line[2]), signal.SIGKILL)


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    """A process that is killed comes back, and its neighbour is left alone."""
    with supervising(tmp_path, "'api'", "'worker'") as run:
        run.started("worker")
        os.kill(run.started("api"), signal.SIGKILL)
        assert run.started("api", times=2)
        assert len(run.pids("worker")) == 1


def test_the_rest_of_a_dead_group_is_killed(tmp_path: Path) -> None:
    """When a process dies, what it had started dies before its successor begins."""
    with supervising(tmp_path, "'api', 'parent_of_one'") as run:
        orphan = run.started("api-child")
        os.kill(run.started("api"), signal.SIGKILL)
        run.started("api", times=2)
        eventually_now(lambda: is_gone(orphan))


def test_a_dead_server_is_started_again(tmp_path: Path) -> None:
    """The server beneath comes back without a restart of the processes that use it."""
    with supervising(tmp_path, "'api'") as run:
        run.started("api")
        (tmp_path / "dead").touch()
        eventually_now(lambda: run.count("redis", "started") == 2)
        assert len(run.pids("api")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """The process that takes comments in stops first, the server last, and the exit code says that all went well."""
    with supervising(tmp_path, "'api'", "'worker'") as run:
        run.started("api")
        run.started("worker")
        run.process.send_signal(number)
        assert run.process.wait(timeout=10) == 0
        assert run.ended() == ["api", "worker", "redis"]


def test_processes_have_sessions_of_their_own(tmp_path: Path) -> None:
    """Ctrl-C on a terminal reaches the supervisor alone, because no process shares its session."""
    with supervising(tmp_path, "'api'", "'worker'") as run:
        pids = {run.started("api"), run.started("worker")}
        sessions = {int(line[3]) for line in events(run.journal) if len(line) > 3}
        assert sessions == pids


def test_a_process_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """Past its time to stop a process is killed, and the next in order is still asked politely."""
    with supervising(tmp_path, "'api', 'stubborn', 0.3", "'worker'") as run:
        stubborn = run.started("api")
        run.started("worker")
        run.process.terminate()
        assert run.process.wait(timeout=10) == 0
        assert is_gone(stubborn)
        assert run.ended() == ["worker", "redis"]


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """Whoever asks twice is not kept waiting: everything is killed and the exit code says so."""
    with supervising(tmp_path, "'api', 'stubborn', 60", "'worker'") as run:
        stubborn, worker = run.started("api"), run.started("worker")
        run.process.terminate()
        eventually_now(lambda: run.count("api", "refused") > 0)
        run.process.terminate()
        assert run.process.wait(timeout=10) == 1
        assert is_gone(stubborn)
        assert is_gone(worker)
        assert run.ended() == ["redis"]


def test_processes_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    """When the supervisor itself is killed, its processes end by themselves."""
    with supervising(tmp_path, "'api'", "'worker'") as run:
        pids = [run.started("api"), run.started("worker")]
        run.process.kill()
        eventually_now(lambda: all(is_gone(pid) for pid in pids), within_seconds=2)


def test_a_process_that_always_dies_is_started_ever_less_often(tmp_path: Path) -> None:
    """A process that cannot live is started at once the first time and then waited for, while others go on."""
    with supervising(tmp_path, "'api', 'short_lived'", "'worker'") as run:
        run.started("api", times=3)
        assert len(run.pids("worker")) == 1


@pytest.mark.parametrize(
    ("before", "ended_by"),
    [
        ("", signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN);", signal.SIGKILL),
    ],
)
def test_the_watch_needs_no_help_from_the_kernel(before: str, ended_by: signal.Signals) -> None:
    """A process whose parent is not the expected one asks itself to end, and does not take no for an answer."""
    program = (
        f"import signal; from service.parent_watch import end_with_parent; {before}"
        "end_with_parent(0.01, parent=1, grace_seconds=0.05); [signal.pause() for _ in iter(int, 1)]"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -ended_by


def test_backoff_doubles_up_to_its_limit() -> None:
    """Quick deaths wait 0, 0.25, 0.5, 1, 2, 4 and then always 5 seconds; a long life forgets them all."""
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(9)] == [0, 0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert backoff.after(3600) == 0
    assert [backoff.after(0.1) for _ in range(2)] == [0, 0.25]


def test_a_home_is_served_once(tmp_path: Path) -> None:
    """A second supervisor of one home is refused by name of the home; the lock ends with its holder."""
    with only_one(tmp_path), pytest.raises(SettingsError, match=str(tmp_path)), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_a_taken_port_is_named() -> None:
    """A port that stays taken, even by a server willing to share it, is refused by its number."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotServe, match=f"PORT: {port} is held"):
            wait_for_port("127.0.0.1", port, seconds=0)
    wait_for_port("127.0.0.1", port, seconds=0)


def test_a_port_that_becomes_free_is_waited_for() -> None:
    """A port that a dying predecessor still holds is taken over once it is free."""
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True);"
        "s.settimeout(0.2); s.accept()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as other:
        assert other.stdout
        wait_for_port("127.0.0.1", int(other.stdout.readline()), seconds=10)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    """An address on which this machine cannot listen is refused at once by its name."""
    with pytest.raises(CannotServe, match=f"^HOST.*{host}"):
        wait_for_port(host, 8000)


def test_processes_are_given_what_the_start_found_out(tmp_path: Path) -> None:
    """Processes get the absolute home, the Redis in use and the secret as it was given; only the worker gets a name."""
    settings = Settings(colloquy_home=str(tmp_path))
    environment = handed_on(settings, {"SECRET_KEY": "s" * 40, "PORT": "9000"}, redis_url="unix:///r.sock")
    api, worker = specs(environment)
    assert api.environment["COLLOQUY_HOME"] == str(tmp_path.resolve())
    assert api.environment["REDIS_URL"] == "unix:///r.sock"
    assert api.environment["SECRET_KEY"] == "s" * 40
    assert "WORKER_NAME" not in api.environment
    assert (worker.environment["WORKER_NAME"], worker.environment["WORKER_PORT"]) == ("embedded", "0")


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["api"], {}, "REDIS_URL"),
        (["work"], {}, "REDIS_URL"),
        (["work"], {"PORT": "many"}, "PORT"),
        (["api"], {"SECRET_KEY": "short"}, "SECRET_KEY"),
    ],
)
def test_a_refusal_is_one_line(arguments: list[str], environment: dict[str, str], named: str) -> None:
    """A setting that cannot be used is one line with its name and exit code 2, never a traceback."""
    clean = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "PORT", "SECRET_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"colloquy: {named}: ")
    assert done.stderr.count("\n") == 1


def test_a_crash_of_a_command_shows_no_message() -> None:
    """An unforeseen exception is logged with its type and frames, and its message, which may quote text, is not."""
    program = (
        "import sys, types; plugged = types.ModuleType('service.composition')\n"
        "async def run_worker(settings): raise ValueError('words-a-reader-wrote')\n"
        "plugged.run_worker = run_worker; sys.modules['service.composition'] = plugged\n"
        "from service.__main__ import main; sys.exit(main(['work']))"
    )
    environment = os.environ | {"REDIS_URL": "redis://127.0.0.1:1/0", "COLLOQUY_SUPERVISOR": str(os.getpid())}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert '"exception": "ValueError"' in done.stderr
    assert "words-a-reader-wrote" not in done.stderr


def test_the_scorer_child_loads_no_server() -> None:
    """The scorer's process imports neither the web framework nor the database's: its start is waited for."""
    program = "import sys; from service.__main__ import main; main(['scorer']); sys.stderr.write(' '.join(sys.modules))"
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "service.workers.scorer_child" in loaded
    assert not loaded & {"litestar", "sqlalchemy", "granian", "uvicorn", "redis"}
