"""The quick start's blocks, pasted: a site, a page of one's own on another origin, and a moderator."""

import json
import os
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from tests.eventually import eventually
from tests.journey.harness import Installation, free_port
from tests.test_docs import ROOT, blocks

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PAGE, MEMBER = blocks(ROOT / "docs/quickstart.md", "## Five minutes, on your own machine")
COMMENTS = "/v1/sites/daily/threads/more-trams/comments"


def adapted(block: str, here: Installation, port: int) -> str:
    """Answer the block with the ports and the folder of this test; the environment is there already."""
    changed = {
        ". .venv/bin/activate\n": "",
        "127.0.0.1:8000": f"127.0.0.1:{here.port}",
        "127.0.0.1:9000": f"127.0.0.1:{port}",
        "http.server 9000": f"http.server {port}",
        ".colloquy/page": str(here.home / "page"),
    }
    for old, new in changed.items():
        block = block.replace(old, new)
    return block


async def paste(block: str, here: Installation) -> str:
    """Run a block in a shell in the repository's folder and answer what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = await anyio.run_process(
        ["sh", "-c", f"set -eu\n{block}"], env={"PATH": path, "COLLOQUY_HOME": str(here.home)}, cwd=ROOT
    )
    return done.stdout.decode()


async def test_the_blocks_work_when_pasted(tmp_path: Path) -> None:
    """A page on another origin gets the widget and takes comments; the moderator that is named sees what waits."""
    port = free_port()
    async with Installation(tmp_path / "home") as here:
        await here.start()
        # The page's server outlives the block: it is ended by its id, and holds no pipe of ours open.
        served = adapted(PAGE, here, port).replace(
            f"{here.home / 'page'} &\n", f"{here.home / 'page'} >/dev/null 2>&1 &\necho $!\n"
        )
        printed = await paste(served, here)
        pid = int(printed.split()[-1])
        try:
            async with httpx.AsyncClient() as reader:
                await eventually(lambda: _answers(reader, port))
                page = (await reader.get(f"http://127.0.0.1:{port}/")).text
        finally:
            os.kill(pid, 15)
        headers = {"origin": f"http://127.0.0.1:{port}", "prefer": "wait=10"}
        civil = {"body": "The tram runs every ten minutes.", "author": {"name": "Ada"}}
        rude = {"body": "You are an idiot and you know it.", "author": {"name": "Bob"}}
        answers = [await here.client.post(COMMENTS, json=body, headers=headers) for body in (civil, rude)]
        token = json.loads(await paste(adapted(MEMBER, here, port), here))["token"]
        queue = await here.client.get("/v1/review/daily/queue", headers={"authorization": f"Bearer {token}"})
    assert f"http://127.0.0.1:{here.port}/widget.js" in page
    assert '<colloquy-thread site="daily" page="more-trams">' in page
    assert [answer.json()["comment"]["status"] for answer in answers] == ["published", "held"]
    assert answers[0].headers["access-control-allow-origin"] == f"http://127.0.0.1:{port}"
    assert queue.json()["depth"] == 1


async def _answers(reader: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await reader.get(f"http://127.0.0.1:{port}/")).status_code == 200
    except httpx.TransportError:
        return False
