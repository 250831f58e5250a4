"""The sides of the comparison, started in one run: Colloquy, the floor on its server, nginx, and isso."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import asked, rivals
from bench.asked import always
from bench.bare import Ready, running_bare
from bench.cells import Side
from bench.kept import connected, written
from bench.processes import memory_mib, parts, tree
from bench.running import Running, running_service
from bench.same_comments import fill_isso, fill_ours, large, read_ours, small
from bench.static_nginx import running_nginx
from service.store.migrate import upgrade

#: The scorer that costs least, where scoring is not what is measured.
QUICKEST = "hashed"
#: More than any side can be asked: what is measured is the answer, not the refusal.
_NO_LIMIT = {"limit": 1_000_000, "per_seconds": 1}
_LIMITED = ("read_per_network", "submit_per_network", "submit_per_site", "submit_per_commenter")


class Ours(NamedTuple):
    """A running Colloquy with its database file."""

    service: Running
    side: Side
    database: Path

    def memory(self) -> dict[str, dict[str, float]]:
        """Answer what each of its parts holds."""
        return {name: memory_mib(found) for name, found in parts(self.service.process.pid).items()}


class Isso(NamedTuple):
    """A running isso; each size has one of its own, for it reads through its whole table."""

    side: Side

    def memory(self) -> dict[str, float]:
        """Answer what it holds."""
        return memory_mib(tree(self.side.process))


@contextmanager
def running_ours(file: Path, scorer: str, *, checkout: Path | None = None, name: str = "colloquy") -> Iterator[Ours]:
    """Serve from a database file until the block ends, with limits out of the way."""
    with running_service(checkout, **_settings(file, scorer)) as service:
        asyncio.run(without_limits(service))
        yield Ours(service, Side(name, service.port, service.process.pid), file)


def _settings(file: Path, scorer: str) -> dict[str, str]:
    # One key for all, since the copies of a database have what was encrypted with it.
    return {"DATABASE_URL": url_of(file), "SCORER": scorer, "SECRET_KEY": "a-key-for-a-bench-that-is-long-enough"}


def url_of(file: Path) -> str:
    """Answer the address of a database file."""
    return f"sqlite+aiosqlite:///{file}"


async def without_limits(service: Running) -> None:
    """Raise the demo site's limits beyond what can be asked."""
    headers = {"authorization": f"Bearer {service.demo['admin_token']}", "content-type": "application/json"}
    body = json.dumps(dict.fromkeys(_LIMITED, _NO_LIMIT)).encode()
    connection = await connected(service.port)
    status, _ = await connection.ask(written("PUT", "/v1/admin/sites/demo/limits", headers, body))
    connection.close()
    assert status == 200, f"the limits were answered {status}"


def filled(folder: Path, sizes: Sequence[int], number_of_small: int) -> Path:
    """Answer a database file with a demo site, a thread of each size, and small threads."""
    file = folder / "colloquy.db"
    upgrade(url_of(file))
    # The demo site is made by a first start.
    with running_service(**_settings(file, QUICKEST)):
        pass
    asyncio.run(fill_ours(url_of(file), sizes, number_of_small))
    return file


def copied(file: Path, target: Path) -> Path:
    """Answer a copy of a database that may be in use."""
    with sqlite3.connect(file) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    return target


@contextmanager
def running_issos(file: Path, folder: Path, wanted: dict[str, Sequence[str] | None]) -> Iterator[dict[str, Isso]]:
    """Serve an isso for each name, with the comments of its pages (None: all small ones) out of our database.

    None runs where PyPI cannot be reached.
    """
    found: dict[str, Isso] = {}
    with ExitStack() as stack:
        for name, pages in wanted.items():
            try:
                one = stack.enter_context(rivals.running_isso(folder / f"isso-{name}", "http://localhost"))
            except rivals.UnreachableError as error:
                print(f"\nisso is left out. {error}")
                break
            fill_isso(one.file, asyncio.run(read_ours(url_of(file), pages)))
            found[name] = Isso(Side("isso", one.port, one.process))
        yield found


class Floor(NamedTuple):
    """What the page of a size was answered, by its kind, and the two that send these answers."""

    answers: dict[str, Ready]
    bare: Side
    nginx: Side | None


@contextmanager
def running_floor(ours: Ours, sizes: Sequence[int], counted: bytes) -> Iterator[Floor]:
    """Ask us for every page once, and serve just that from memory and from files until the block ends."""
    answers = {path: one for size in sizes for path, one in _kinds(ours, size).items()}
    answers["/counts"] = asked.received(ours.side.port, counted)
    folder = Path(tempfile.mkdtemp(prefix="colloquy-bench-"))
    try:
        with running_bare(folder, answers) as bare, running_nginx(folder, answers) as nginx:
            yield Floor(answers, Side("bare", *bare), Side("nginx", *nginx) if nginx else None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kinds(ours: Ours, size: int) -> dict[str, Ready]:
    port, name = ours.side.port, large(size)
    plain = asked.received(port, asked.page(name))
    assert plain.status == 200, f"the page of {size} was answered {plain.status}"
    found = {f"/{size}/page": plain}
    packed = asked.received(port, asked.page(name, accept_encoding="gzip"))
    if packed.header("content-encoding") == "gzip":
        found[f"/{size}/gzip"] = packed
    found[f"/{size}/304"] = asked.received(port, asked.page(name, if_none_match=plain.header("etag") or ""))
    return found


def asks_of_ours(size: int, kind: str, etag: str) -> bytes:
    """Answer the request to us whose answer is of a kind."""
    given = {"gzip": {"accept_encoding": "gzip"}, "304": {"if_none_match": etag}}
    return asked.page(large(size), **given.get(kind, {}))


def asks_of_nginx(nginx: Side, size: int, kind: str) -> Callable[[], Sequence[bytes]]:
    """Answer the same for nginx, whose files have ETags of its own."""
    if kind != "304":
        return always(written("GET", f"/{size}/{kind}"))
    etag = asked.received(nginx.port, written("GET", f"/{size}/page")).header("etag") or ""
    return always(written("GET", f"/{size}/page", {"if-none-match": etag}))


def pages_of(sizes: Sequence[int]) -> dict[str, Sequence[str] | None]:
    """Answer the pages of each size's isso: its own thread, and small ones to count beside it."""
    return {str(size): [large(size), *small(asked.COUNTED - 1)] for size in sizes}


def whole(memory: dict[str, Any]) -> float:
    """Answer the memory of all parts together, each shared page once."""
    return float(sum(one["pss"] for one in memory.values()))
