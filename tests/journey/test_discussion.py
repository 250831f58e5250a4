"""The demo's discussion of a missile decision, sent over HTTP to the real service with the shipped compact model."""

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from service.demo import discussion
from service.demo.outcome import OUTCOMES
from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.service.test_discussion import MEASURED

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THREAD = f"/v1/sites/demo/threads/{quote(discussion.PAGE, safe='')}"
#: What the run of 2026-11-28 published against a person's mind: a veiled threat, one just below the line, polite spam.
MISSED = {"threat-polite", "threat-user", "spam-coin"}
STARTED = re.compile(r"\d+ comments: a person agrees with \d+")


async def send(here: Installation) -> list[str]:
    """Run the command beside the demo, as somebody on another terminal; answer what it printed."""
    environment = {"PATH": os.environ["PATH"], "COLLOQUY_HOME": str(here.home)}
    done = await anyio.run_process([sys.executable, "-m", "service", "demo", "--discussion"], env=environment)
    return done.stdout.decode().splitlines()


async def shown(here: Installation) -> list[str]:
    """The ids of everything that readers see of the thread, replies beside roots."""
    found, after = [], None
    while True:
        more: dict[str, Any] = {"after": after} if after else {}
        page = (await here.client.get(THREAD, params={"limit": 10, "replies": 50, "sort": "oldest", **more})).json()
        waiting = list(page["comments"])
        while waiting:
            one = waiting.pop()
            found.append(one["id"])
            waiting += one["replies"]
        if (after := page["next"]) is None:
            return found


def counted(lines: list[str]) -> dict[str, Counter[str]]:
    """The numbers of the table at the end, by what a person would do and by what was done."""
    rows = {}
    for line in lines[-5:-1]:
        expected, *numbers = re.split(r"\s{2,}", line.strip())
        rows[expected] = Counter(dict(zip(OUTCOMES, map(int, numbers), strict=True)))
    return rows


async def test_a_fair_person_would_agree(tmp_path: Path) -> None:
    """Nothing civil is rejected and most of it published, of the abusive no more than was measured; no run repeats."""
    every = discussion.load()
    async with Installation(tmp_path / "home") as here:
        await here.start()
        told, again = await send(here), await send(here)
        seen = await shown(here)
        count = (await here.client.get(THREAD)).json()["thread"]["count"]
        kept = json.loads((here.home / "discussion.json").read_text())
        assert (await here.client.get(discussion.PATH)).status_code == 200
    assert told[0].startswith(f"{len(every)} comments sent now, 0 before")
    assert again[0].startswith(f"0 comments sent now, {len(every)} before")
    assert told[1:] == again[1:]
    assert len(kept["sent"]) + len(kept["refused"]) == len(every)
    assert len(seen) == len(set(seen)) == count

    rows = counted(told)
    assert sum(sum(row.values()) for row in rows.values()) == len(every)
    assert rows["publish"]["rejected"] == rows["publish"]["refused"] == 0
    assert rows["publish"]["published"] >= MEASURED["publish"][0]
    visible = {one.id for one in every if kept["sent"].get(one.id) in seen}
    assert {one.id for one in every if "publish" not in one.expected} & visible <= MISSED
    assert kept["refused"] == {"peace-talks-double": "comment.duplicate"}


async def test_without_a_demo_it_starts_one(tmp_path: Path) -> None:
    """On an empty home the command starts the demo, sends to it, tells how it went, and goes on serving."""
    async with Installation(tmp_path / "home", "demo", "--discussion", SCORER="hashed") as here:
        await here.start()
        await eventually(lambda: STARTED.search(here.log) is not None, 90.0)
        assert await shown(here)
        assert here.process.poll() is None


async def test_a_demo_that_goes_away_is_told_in_one_line(tmp_path: Path) -> None:
    """Where the demo ends in the middle, the command says so with exit code 1, and the next one goes on."""
    async with Installation(tmp_path / "home", SCORER="hashed") as here:
        await here.start()
        sender = here.spawn("demo", "--discussion")
        await eventually(lambda: (here.home / "discussion.json").exists(), 60.0)
        await here.end()
        await eventually(lambda: sender.poll() is not None, 60.0)
        assert sender.wait() == 1
        [line] = [line for line in here.log.splitlines() if line.startswith("colloquy:")]
        assert "the same command goes on from there" in line
        await here.start()
        [first, *_] = await send(here)
        assert (here.home / "discussion.json").exists()
    assert re.fullmatch(r"\d+ comments sent now, [1-9]\d* before: .*", first)
