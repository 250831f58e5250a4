"""A held comment shows its moderator the words that made the score, in real processes with the shipped model."""

from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RUDE = "Thank you for the article about the trams. 🚋 You are an idi\u200bot, and you know it."
INSULT = "idi\u200bot"


async def test_a_held_comment_shows_its_insult(tmp_path: Path) -> None:
    """Soon after it was held a comment has spans that cover the insult, whatever stands before and inside of it."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        sent = await here.submit(RUDE, wait=10)
        assert sent.json()["comment"]["status"] == "held", sent.text
        items: list[dict[str, Any]] = []

        async def explained() -> bool:
            # A lease of a second, so that the item can be looked at again while it is not explained yet.
            headers = {"authorization": f"Bearer {here.demo['moderator_token']}"}
            wanted = {"limit": 1, "lease_seconds": 1}
            answer = await here.client.post("/v1/review/demo/claims", json=wanted, headers=headers)
            items[:] = [item for item in answer.json()["items"] if item["spans"] is not None]
            return bool(items)

        await eventually(explained, 30)
        body, spans = items[0]["comment"]["body"], items[0]["spans"]
        place = body.index(INSULT)
        assert any(span["start"] <= place and place + len(INSULT) <= span["end"] for span in spans), spans
        assert body == RUDE
