"""A real installation for journeys: `python -m service` on a free port, with a home, a Redis and a model of its own."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.eventually import eventually, eventually_now
from tests.leaks import plant, search
from tests.service.processes import is_gone

CIVIL = "I think the trams should run later in the evening, number {}."
Condition = Callable[[], bool | Awaitable[bool]]
START_SECONDS = 30.0
END_SECONDS = 20.0


class Installation:
    """One `python -m service` with everything beneath it; leaving it ends all of its processes by their ids."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.AsyncClient(base_url=self.url, timeout=15)
        self._arguments = arguments or ("demo",)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()
        self._search_log()
        if self._process is not None and self._process.poll() is None:
            # First the one that would start the others again.
            self._process.kill()
            self._process.wait()
        while left := self.pids():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            eventually_now(lambda: all(map(is_gone, left)))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor, which is the process that the operator started."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What the processes said."""
        return self.home.with_suffix(".log").read_text()

    def _search_log(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            plant(*(value for name, value in self.demo.items() if name.endswith("token")))
        for secret in (self.home / "secret.key",):
            with contextlib.suppress(OSError):
                plant(secret.read_text().strip())
        with contextlib.suppress(OSError):
            search(self.log, f"what {self.home} said")

    @property
    def demo(self) -> dict[str, str]:
        """What `demo.json` holds."""
        found: dict[str, str] = json.loads((self.home / "demo.json").read_text())
        return found

    def spawn(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one more command on this home, as an operator would on the same terminal."""
        settings = {"COLLOQUY_HOME": str(self.home), "PORT": str(self.port), "SWEEP_INTERVAL_SECONDS": "0.5"}
        with self.home.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "service", *arguments],
                env=_bare_environment() | settings | self._environment | more,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    async def start(self, until: Condition | None = None) -> Self:
        """Start it and wait until its scorer scores, or for another condition."""
        self._process = process = self.spawn(*self._arguments)
        await eventually(until or self.scores, START_SECONDS)
        assert process.poll() is None, self.log
        return self

    async def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """Send a signal to the process group, as a terminal does, and answer the exit code."""
        os.killpg(self.pid, by)
        await eventually(lambda: self.process.poll() is not None, END_SECONDS)
        return self.process.wait()

    def pids(self, word: str = "") -> list[int]:
        """The processes of this home, those of which the command line holds the word; the supervisor is not counted."""
        home = os.fsencode(self.home.resolve())
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) not in (os.getpid(), self._process and self.pid):
                with contextlib.suppress(OSError):
                    command, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
                    mine = b"COLLOQUY_HOME=" + home + b"\0" in variables or home in command
                    if mine and word.encode() in command.replace(b"\0", b" ") and not is_gone(int(folder.name)):
                        found.append(int(folder.name))
        return sorted(found)

    def pid_of(self, word: str) -> int:
        """The first process of which the command line holds the word, once there is one."""
        eventually_now(lambda: bool(self.pids(word)))
        return self.pids(word)[0]

    def kill(self, word: str) -> int:
        """Kill such a process without mercy and answer its id."""
        pid = self.pid_of(word)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def health(self, of: str) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of a health page; 0 while nobody answers."""
        try:
            answer = await self.client.get(f"/health/{of}")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def scores(self) -> bool:
        """True when a worker reports that its scorer is up."""
        return (await self.health("workers"))[0] == 200

    async def submit(self, body: str, *, page: str = "page", wait: int = 0, **fields: Any) -> httpx.Response:
        """Submit a comment to the demo site."""
        path = f"/v1/sites/demo/threads/{page}/comments"
        headers = {"prefer": f"wait={wait}"} if wait else {}
        plant(body)
        return await self.client.post(path, json={"body": body, **fields}, headers=headers)

    async def submit_many(self, count: int, *, page: str = "page") -> list[str]:
        """Submit civil comments at once and answer the ids of those that were answered 201 or 202: all of them."""
        answers = await asyncio.gather(*(self.submit(CIVIL.format(number), page=page) for number in range(count)))
        assert {answer.status_code for answer in answers} <= {201, 202}, [answer.text for answer in answers]
        return [answer.json()["comment"]["id"] for answer in answers]

    async def submit_until_it_breaks(self, page: str = "page") -> list[str]:
        """Submit one after the other until the API is gone, and answer the ids that it confirmed."""
        confirmed = []
        with contextlib.suppress(httpx.TransportError):
            for number in range(10_000):
                answer = await self.submit(CIVIL.format(number), page=page)
                if answer.status_code in (201, 202):
                    confirmed.append(answer.json()["comment"]["id"])
        return confirmed

    async def status(self, comment_id: str) -> str:
        """The status of a comment, as its moderators see it."""
        headers = {"authorization": f"Bearer {self.demo['moderator_token']}"}
        try:
            answer = await self.client.get(f"/v1/sites/demo/comments/{comment_id}", headers=headers)
        except httpx.TransportError:
            return "unreachable"
        return str(answer.json()["comment"]["status"]) if answer.status_code == 200 else str(answer.status_code)

    async def statuses(self, comment_ids: list[str]) -> set[str]:
        """The statuses that the comments have between them."""
        return {await self.status(comment_id) for comment_id in comment_ids}

    async def all_published(self, comment_ids: list[str]) -> None:
        """Wait until every one of the comments is published, and check that each has exactly one decision."""
        left = list(comment_ids)
        deadline = time.monotonic() + 40
        while left:
            assert time.monotonic() < deadline, f"{len(left)} of {len(comment_ids)} are not published\n{self.log}"
            left = [comment_id for comment_id in left if await self.status(comment_id) != "published"]
        for comment_id in comment_ids:
            assert len(await self.decisions(comment_id)) == 1

    async def decisions(self, comment_id: str) -> list[dict[str, Any]]:
        """Every decision on a comment."""
        headers = {"authorization": f"Bearer {self.demo['moderator_token']}"}
        answer = await self.client.get(f"/v1/review/demo/comments/{comment_id}/decisions", headers=headers)
        found: list[dict[str, Any]] = answer.json()["decisions"]
        return found

    async def thread(self, page: str = "page") -> dict[str, Any]:
        """The first page of a thread."""
        answer = await self.client.get(f"/v1/sites/demo/threads/{page}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def frozen(pid: int) -> AsyncIterator[None]:
    """Stop a process as a hang would, and let it go on in the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _bare_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}
