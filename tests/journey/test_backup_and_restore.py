"""A whole installation is copied while readers write, and another one goes on from the copy."""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.database_fixture import PostgreSql
from tests.eventually import eventually
from tests.journey.harness import Installation, frozen

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HELD = "You are an idiot and you know it."
COMMAND_SECONDS = 60.0


@pytest.fixture
async def databases(database_kind: str, request: pytest.FixtureRequest) -> AsyncIterator[list[str]]:
    """The addresses of two empty databases; on SQLite each home has its own file."""
    if database_kind == "sqlite":
        yield ["", ""]
        return
    cluster: PostgreSql = request.getfixturevalue("postgresql")
    names = [f"journey_{uuid.uuid4().hex}" for _ in range(2)]
    for name in names:
        await cluster.execute(f"CREATE DATABASE {name}")
    yield [cluster.url(name) for name in names]
    for name in names:
        await cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command and answer its exit code."""
    await eventually(lambda: process.poll() is not None, COMMAND_SECONDS)
    return process.wait()


async def claimable(here: Installation) -> list[str]:
    """Claim what waits for a person and answer the ids of its comments."""
    headers = {"authorization": f"Bearer {here.demo['moderator_token']}"}
    answer = await here.client.post("/v1/review/demo/claims", json={"limit": 10}, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return [item["comment"]["id"] for item in answer.json()["items"]]


async def test_what_was_confirmed_before_the_backup_lives_on(tmp_path: Path, databases: list[str]) -> None:
    """A backup made while comments come in, restored elsewhere without its Redis: the thread is there, what waited for
    a score is scored, what waited for a person can be claimed, and the record of acts holds."""
    copy, password = tmp_path / "copy", tmp_path / "password"
    password.write_text("correct horse battery staple\n")
    sealed = ("--key-password-file", str(password))
    async with Installation(tmp_path / "first", DATABASE_URL=databases[0]) as first:
        await first.start()
        published = await first.submit_many(5)
        await first.all_published(published)
        held = (await first.submit(HELD, wait=10)).json()["comment"]
        assert held["status"] == "held"
        async with frozen(first.pid_of("service work")):
            waiting = await first.submit_many(5)
            going_on = asyncio.create_task(first.submit_until_it_breaks())
            backup = first.spawn("backup", str(copy), *sealed)
            assert await ended(backup) == 0, first.log
            await first.end()
        assert len(await going_on) > 5
    async with Installation(tmp_path / "second", DATABASE_URL=databases[1]) as second:
        assert await ended(second.spawn("restore", str(copy), *sealed)) == 0, second.log
        await second.start()
        await second.all_published([*published, *waiting])
        assert (await second.thread())["thread"]["count"] >= len(published) + len(waiting)
        assert await claimable(second) == [held["id"]]
        assert await ended(second.spawn("audit", "verify")) == 0, second.log
        assert (await second.submit("A civil opinion after it all.", wait=10)).json()["comment"][
            "status"
        ] == "published"


async def test_the_doctor_sees_what_happens(tmp_path: Path) -> None:
    """A running demo has no problem; with a worker that hangs it has one, which ends the command with 1."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        assert await ended(here.spawn("doctor")) == 0, here.log
        async with frozen(here.pid_of("service work")):
            await eventually(lambda: is_silent(here))
            assert await ended(here.spawn("doctor", "--no-scorer")) == 1
        assert "none reports: comments are accepted and stay hidden" in here.log


async def is_silent(here: Installation) -> bool:
    """True when no worker's report counts any more."""
    return not await here.scores()
