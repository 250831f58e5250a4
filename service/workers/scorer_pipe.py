"""One child process and its two pipes: write a frame, read a frame, kill, reap; nothing of it is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence

from service.workers.scorer_child import HEADER, LARGEST_FRAME

LEAVE_SECONDS = 2.0
REAP_SECONDS = 5.0
_STREAM_LIMIT = 1 << 16

_log = logging.getLogger(__name__)


class FrameTooLarge(Exception):  # noqa: N818 - Named for the fact.
    """The child announced a frame that no batch could need: the stream is not ours any more."""


class ChildPipe:
    """A process in a group of its own, spoken to in frames."""

    def __init__(self, transport: asyncio.SubprocessTransport, process: Process) -> None:
        self._transport = transport
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.pid = process.pid

    @classmethod
    async def spawn(cls, command: Sequence[str], environment: Mapping[str, str] | None = None) -> ChildPipe:
        """Start the command, in this environment or our own; raise OSError when there is no such program."""
        loop = asyncio.get_running_loop()
        # What create_subprocess_exec does, with the transport kept: closing it is the only way to drop the pipes.
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=_STREAM_LIMIT, loop=loop),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=None,
            start_new_session=True,
            env=environment,
        )
        return cls(transport, Process(transport, protocol, loop))

    @property
    def alive(self) -> bool:
        """True until the end of the process was noticed."""
        return self._process.returncode is None

    @property
    def usable(self) -> bool:
        """True while nothing speaks against sending another request."""
        return self.alive and not self._stdout.at_eof() and not self._stdin.is_closing()

    async def exchange(self, request: bytes) -> bytes:
        """Send one frame and answer the body of the next."""
        self._stdin.write(request)
        await self._stdin.drain()
        return await self.read()

    async def read(self) -> bytes:
        """Answer the body of the next frame; raise EOFError when the child is gone."""
        (size,) = HEADER.unpack(await self._stdout.readexactly(HEADER.size))
        if size > LARGEST_FRAME:
            raise FrameTooLarge
        return await self._stdout.readexactly(size)

    def kill(self) -> None:
        """Kill the whole group."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def leave(self) -> None:
        """Let the child end by itself at the end of its input, for a bounded time."""
        self._stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._process.wait()

    async def reap(self) -> None:
        """Close the pipes and collect the dead process."""
        # asyncio's wait() also waits for the pipes, which a grandchild may hold open, so they go first.
        for number in (0, 1):
            if pipe := self._transport.get_pipe_transport(number):
                pipe.close()
        try:
            async with asyncio.timeout(REAP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            _log.error("scorer.not_reaped", extra={"pid": self.pid})
        self._transport.close()
