"""Promise 6: a receiver that does everything wrong, killed workers and a database that crashes lose no event."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service import schemas
from service.composition import open_context
from service.embedded_redis import EmbeddedRedis
from service.errors import Problem
from service.flow import manage_webhooks, webhook_log
from service.flow.context import Context
from service.flow.ids import Uuid7
from service.settings import Settings
from service.store import tables as t
from service.store.migrate import upgrade_async
from tests.contracts.walker import Walker
from tests.database_fixture import PostgreSql, in_thread
from tests.eventually import eventually
from tests.leaks import plant, search
from tests.raw_server import Received
from tests.receiver import OK, Answer, Receiver, receivers
from tests.service.delivering_process import FastClock

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.postgres]
SPEED = 12.0
COMMENTS = 40
#: Wrong in so many different ways; a third of all first, second and third requests meet one of them.
WRONG = [
    Answer(500, body=b"x" * 100),
    Answer(503, headers=("retry-after: 2",)),
    Answer(manner="hang"),
    Answer(manner="reset"),
    Answer(302, headers=("location: http://127.0.0.1:1/secret",)),
    Answer(200, body=b"y" * 10_000_000),
    Answer(200, body=b"slow", manner="slow"),
]


def hostile(number: int, request: Received) -> Answer:
    """Answer badly 30 times in 100; the fourth time all is well."""
    lot = crc32(f"{request.headers['webhook-id']} {number}".encode()) % 1000
    return WRONG[lot % len(WRONG)] if number <= 3 and lot < 300 else OK


class Workers:
    """Processes that deliver; any of them can be killed."""

    def __init__(self, environment: dict[str, str], epoch: float, log: Path) -> None:
        self._environment = environment
        self._epoch = epoch
        self._log = log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """One more."""
        command = [sys.executable, "-m", "tests.service.delivering_process", str(SPEED), str(self._epoch)]
        with self._log.open("ab") as log:
            self.running.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))

    def kill_one(self) -> None:
        """The oldest one, in the middle of whatever it does; another takes its place."""
        process = self.running.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.start()

    def end(self) -> list[int]:
        """All of them, as a supervisor does; answer their exit codes."""
        for process in self.running:
            process.terminate()
        return [process.wait(20) for process in self.running]


@asynccontextmanager
async def self_signed(folder: Path) -> AsyncIterator[int]:
    """A receiver over TLS whose certificate nobody vouches for; it counts what it is told after the handshake."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"", "something was sent to a receiver whose certificate is wrong"
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def cluster() -> AsyncIterator[PostgreSql]:
    """A database server of this test's own, since it crashes."""
    with tempfile.TemporaryDirectory(prefix="colloquy-crash-", ignore_cleanup_errors=True) as home:
        made = PostgreSql(Path(home))
        in_thread(made.start)
        await made.execute("CREATE DATABASE colloquy")
        await upgrade_async(made.url("colloquy"))
        yield made
        made.stop()


async def named(context: Context, walker: Walker, url: str) -> str:
    """Name a receiver of everything about comments; answer its id."""
    wanted = schemas.WebhookInput(url=url, events=["comment.*", "review.*"])
    made = await manage_webhooks.create(context, walker.site, "test", wanted)
    plant(made.secret)
    return made.id


async def live(walker: Walker, first: int) -> None:
    """Comments are written, held, decided, edited, taken down and given back."""
    written = [
        await walker.submit("civil" if n % 3 else "rude", f"page-{n % 5}") for n in range(first, first + COMMENTS)
    ]
    await walker.drain()
    for item in await walker.claim():
        await walker.decide(item, "approve")
    for number, one in enumerate(written):
        assert one is not None
        if number % 2:
            await walker.edit(one, "civil")
    await walker.drain()
    for number, one in enumerate(written):
        assert one is not None
        if number % 4 == 0:
            await walker.act(one, "remove")
            await walker.act(one, "restore")


async def all_events(context: Context) -> list[Any]:
    """What was committed, as it happened."""
    async with context.database.reading() as connection:
        query = sa.select(t.outbox).where(t.outbox.c.comment_id.is_not(None)).order_by(t.outbox.c.seq)
        return list((await connection.execute(query)).all())


def check_order(receiver: Receiver, events: list[Any]) -> None:
    """Every event came, those of a comment in the order in which they happened, and again only as what it was."""
    happened: dict[str, list[str]] = defaultdict(list)
    came: dict[str, list[str]] = defaultdict(list)
    comment_of = {event.id: event.comment_id for event in events}
    for event in events:
        happened[event.comment_id].append(event.id)
    for event_id in receiver.ids:
        came[comment_of[event_id]].append(event_id)
    assert came == happened
    type_of = {event.id: event.type for event in events}
    for request, body in zip(receiver.took, receiver.events, strict=True):
        assert body["type"] == type_of[request.headers["webhook-id"]]


async def test_no_event_is_lost(
    cluster: PostgreSql, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """Hundreds of events, a third of the answers wrong, three workers killed, a crash of the database: all arrive."""
    given = {
        "COLLOQUY_HOME": str(tmp_path / "home"),
        "DATABASE_URL": cluster.url("colloquy"),
        "REDIS_URL": redis_server.url,
        "REDIS_PREFIX": redis_prefix,
        "SECRET_KEY": "a-secret-key-for-tests-that-is-long-enough",
        "WEBHOOKS_ALLOW_LOOPBACK": "1",
        "WEBHOOK_TIMEOUT_SECONDS": "0.5",
    }
    epoch, log = time.time(), tmp_path / "workers.log"
    clock = FastClock(SPEED, epoch)
    workers = Workers({**os.environ, **given}, epoch, log)
    async with (
        receivers("/hostile", "/calm") as (bad, calm),
        self_signed(tmp_path) as tls_port,
        open_context(Settings.from_environment(given), now=clock, new_id=Uuid7(clock.nanoseconds)) as context,
    ):
        bad.rule = hostile
        await context.author_tokens.ensure_key(now=clock())
        walker = await Walker(context).begin()
        for url in (bad.url, calm.url):
            await named(context, walker, url)
        wrong = await named(context, walker, f"https://localhost:{tls_port}/")
        await live(walker, 0)
        try:
            for _ in range(2):
                workers.start()
            for share in (10, 30, 60):
                await eventually(lambda share=share: len(bad.took) >= share, 60)  # type: ignore[misc]
                workers.kill_one()
            in_thread(cluster.restart)
            await eventually(lambda: reconnected(context), 30)
            await live(walker, COMMENTS)
            events = await all_events(context)
            await eventually(lambda: len(bad.ids) == len(events) and len(calm.ids) == len(events), 150)
            assert workers.end() == [0, 0]
        finally:
            for process in workers.running:
                process.kill()
                process.wait()
        assert len(events) > 300
        for receiver in (bad, calm):
            check_order(receiver, events)
        assert len(bad.requests) > 1.2 * len(events)
        assert not any(one.target == "/secret" for one in bad.server.received)
        found = await webhook_log.list_deliveries(
            context, walker.site, wrong, before=None, limit=1, state="pending", type_=None, comment_id=None
        )
        assert found.deliveries
        async with context.database.reading() as connection:
            query = sa.select(t.webhook_attempts.c.error).distinct()
            errors = set((await connection.execute(query)).scalars())
        assert {"tls", "status", "timeout", "redirect"} <= errors
    search(log.read_text(), "what the workers said")


async def reconnected(context: Context) -> bool:
    """Whether the database answers again."""
    try:
        async with context.database.reading() as connection:
            await connection.execute(sa.text("SELECT 1"))
    except Problem:
        return False
    return True
