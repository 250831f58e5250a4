"""The first command on an empty home: a demo that works at once, and that a second start finds as it was."""

import stat
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PRIVATE = 0o600
KEYS = {"url", "site", "page", "admin_token", "moderator_token", "moderator2_token"}


async def test_from_nothing_to_a_published_comment(tmp_path: Path) -> None:
    """On an empty home `demo` writes a private demo.json with all keys, and the first comment is published."""
    async with Installation(tmp_path / "deep" / "home") as here:
        here.home.parent.mkdir()
        await here.start()
        assert set(here.demo) == KEYS
        assert here.demo["url"] == here.url
        assert stat.S_IMODE((here.home / "demo.json").stat().st_mode) == PRIVATE
        assert stat.S_IMODE((here.home / "secret.key").stat().st_mode) == PRIVATE
        answer = await here.submit("A civil opinion.", author={"name": "Ada"}, wait=10)
        assert (answer.status_code, answer.json()["comment"]["status"]) == (201, "published")
        assert (await here.thread())["comments"][0]["author"]["name"] == "Ada"
        assert (await here.client.get("/demo")).status_code == 200


async def test_a_second_start_keeps_tokens_and_data(tmp_path: Path) -> None:
    """After Ctrl-C and a new start the tokens, the comments and the author's token are those of before."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        demo = here.demo
        sent = (await here.submit("A civil opinion.", wait=10)).json()
        assert await here.end() == 0
        await here.start()
        assert here.demo == demo
        assert (await here.thread())["thread"]["count"] == 1
        headers = {"authorization": f"Bearer {sent['author_token']}"}
        mine = (await here.client.get("/v1/sites/demo/mine", headers=headers)).json()
        assert [comment["id"] for comment in mine["comments"]] == [sent["comment"]["id"]]


@pytest.mark.parametrize("content", [None, '{"admin_token": 5, "moderator_token": "cq_wrong"}'])
async def test_a_lost_demo_file_is_made_anew(tmp_path: Path, content: str | None) -> None:
    """A start whose demo.json is missing, broken or out of date writes one whose tokens work."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        await here.end()
        path = here.home / "demo.json"
        path.unlink() if content is None else path.write_text(content)
        await here.start()
        sent = await here.submit("A civil opinion.", wait=10)
        assert await here.status(sent.json()["comment"]["id"]) == "published"


async def test_starting_twice_is_refused_in_one_line(tmp_path: Path) -> None:
    """A second start on the same home ends with code 2 and a sentence, and the first goes on."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        second = here.spawn("serve")
        await eventually(lambda: second.poll() is not None)
        assert second.wait() == 2
        [line] = [line for line in here.log.splitlines() if line.startswith("colloquy:")]
        assert "is served already" in line
        assert (await here.submit("A civil opinion.", wait=10)).status_code == 201


async def test_a_worker_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    """A second worker by hand on a port that is in use ends with code 2 and names the setting."""
    async with Installation(tmp_path / "home", WORKER_PORT="0") as here:
        await here.start()
        redis = f"unix://{here.home / 'redis.sock'}"
        second = here.spawn("work", REDIS_URL=redis, WORKER_PORT=str(here.port))
        await eventually(lambda: second.poll() is not None)
        assert second.wait() == 2
        assert f"WORKER_PORT: {here.port}" in here.log
