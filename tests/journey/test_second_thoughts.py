"""Asking before sending, in real processes with the shipped model: named in time, no for an answer in any outage."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.leaks import plant

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INSULT = "idi\u200bot"
RUDE = f"Thank you for the article about the trams. 🚋 You are an {INSULT}, and you know it, unspoken-words-of-mine."
SECRET = b"unspoken-words-of-mine"
NO_CONCERN = {"concern": False, "reasons": [], "words": []}
#: Far more than is promised, and far less than a wait for what is away would last.
BOUND_SECONDS = 10.0
AGAIN_SECONDS = 60.0


async def thought(here: Installation) -> dict[str, Any]:
    """Ask before sending."""
    began = time.monotonic()
    answer = await here.client.post("/v1/sites/demo/second-thoughts", json={"body": RUDE})
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - began < BOUND_SECONDS
    found: dict[str, Any] = answer.json()
    assert found["concern"] or found == NO_CONCERN
    return found


async def test_an_insult_is_named_before_it_is_sent(tmp_path: Path) -> None:
    """The insult is named; without worker, and without Redis, there is no concern, and both are back by themselves."""
    plant(RUDE, SECRET.decode())
    async with Installation(tmp_path / "home") as here:
        await here.start()
        headers = {"authorization": f"Bearer {here.demo['admin_token']}"}
        change = {"second_chance": True}
        changed = await here.client.patch("/v1/admin/sites/demo", json=change, headers=headers)
        assert changed.status_code == 200, changed.text

        async def is_named() -> bool:
            # On a machine that is busy with other things the words may come too late.
            found = await thought(here)
            place = RUDE.index(INSULT)
            return any(begin <= place and place + len(INSULT) <= end for begin, end in found["words"])

        await eventually(is_named, AGAIN_SECONDS)
        for word in ("service work", "redis"):
            here.kill(word)
            await thought(here)
            await eventually(is_named, AGAIN_SECONDS)
        here.kill("scorer")
        await thought(here)
        await eventually(is_named, AGAIN_SECONDS)
        held = [path for path in here.home.rglob("*") if path.is_file() and SECRET in path.read_bytes()]
        assert held == []
