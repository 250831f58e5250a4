"""The API processes behind one port, as one page of metrics: whoever is asked asks the others, each over a socket.

The sockets have names and no files (unix(7), "abstract"): they end with their process, and a container has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

PATIENCE_SECONDS: Final = 1.0
#: Linux' list of sockets; elsewhere there is none, and each process tells of itself alone.
_LIST: Final = Path("/proc/net/unix")

logger = logging.getLogger(__name__)


class Siblings:
    """The processes of one server, of which this is one."""

    def __init__(self, server: int, process: int, page: Callable[[], bytes]) -> None:
        self._prefix = f"colloquy-api-{server}-"
        self._process = str(process)
        self._page = page

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell the others of this process while the block runs."""
        listening = socket.socket(socket.AF_UNIX)
        try:
            listening.bind(f"\0{self._prefix}{self._process}")
        except OSError as error:
            logger.warning("other processes cannot ask this one", extra={"exception": type(error).__name__})
            listening.close()
            yield
            return
        server = await asyncio.start_unix_server(self._tell, sock=listening)
        try:
            yield
        finally:
            server.close()

    async def page(self) -> bytes:
        """Answer the metrics of all processes, each with a label that names its process."""
        others = [one for one in self._known() if one != self._process]
        told = await asyncio.gather(*(self._ask(one) for one in others))
        pages = {one: page.decode() for one, page in zip(others, told, strict=True) if page}
        return together({self._process: self._page().decode(), **pages}).encode()

    def _known(self) -> list[str]:
        try:
            lines = _LIST.read_text().splitlines()
        except OSError:
            return []
        names = {line.rpartition("@")[2] for line in lines if f"@{self._prefix}" in line}
        return sorted(name.removeprefix(self._prefix) for name in names)

    async def _ask(self, process: str) -> bytes:
        """Answer another's page; nothing where it has ended, or does not answer in time."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                # By hand, for uvloop takes no such name for the path of a socket.
                asking = socket.socket(socket.AF_UNIX)
                asking.setblocking(False)
                with asking:
                    await asyncio.get_running_loop().sock_connect(asking, f"\0{self._prefix}{process}")
                    return await _all_of(asking)
        return b""

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self._page())
            await writer.drain()
        writer.close()


async def _all_of(asking: socket.socket) -> bytes:
    loop, parts = asyncio.get_running_loop(), bytearray()
    while part := await loop.sock_recv(asking, 65_536):
        parts += part
    return bytes(parts)


def together(pages: Mapping[str, str]) -> str:
    """Answer several pages of Prometheus' text format as one, each sample with the label `process`."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for process, page in pages.items():
        family = ""
        for line in page.splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
            if line.startswith("#"):
                head = heads.setdefault(family, [])
                head += [line] if line not in head else []
            elif line:
                samples.setdefault(family, []).append(_labelled(line, process))
    return "".join(f"{line}\n" for family, head in heads.items() for line in [*head, *samples.get(family, [])])


def _labelled(line: str, process: str) -> str:
    name, space, value = line.partition(" ")
    if "{" not in name:
        return f'{name}{{process="{process}"}}{space}{value}'
    name, _, rest = line.partition("{")
    return f'{name}{{process="{process}",{rest}'
