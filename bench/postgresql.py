"""A PostgreSQL of the benchmark's own that keeps what it has committed, unlike the one of the tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.database_fixture import PostgreSql, in_thread


class Durable(PostgreSql):
    """One cluster on a free loopback port, with the settings that it comes with."""

    @property
    def process(self) -> int:
        """The process id of the server."""
        assert self._process is not None
        return self._process.pid

    def _command_of(self, data: Path) -> list[str]:
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200"]
        return [self._postgres, "-D", str(data), *options]


@contextmanager
def running_postgresql() -> Iterator[tuple[str, int]]:
    """Serve an empty database until the block ends; answer its address and the server's process id."""
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-", ignore_cleanup_errors=True) as home:
        cluster = Durable(Path(home))
        in_thread(cluster.start)
        try:
            in_thread(asyncio.run, cluster.execute("CREATE DATABASE bench"))
            yield cluster.url("bench"), cluster.process
        finally:
            cluster.stop()
