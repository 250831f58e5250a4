"""The examples of docs/identity.md make tokens that are taken."""

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.programs import need_program
from tests.service.publisher import SECRET, configure
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
DOCS = Path(__file__).parents[2] / "docs/identity.md"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is tokens."""
    return "sqlite"


def example(language: str) -> str:
    """Answer the page's example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found.group(1)


async def check(service: Service, token: str) -> None:
    """Use a token as the widget does."""
    await configure(service, issuer="https://daily.example", audience="colloquy-daily")
    service.clock.advance(1)
    me = (await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()
    assert (me["kind"], me["name"]) == ("signed", "Ada")


async def test_the_python_example_signs(service: Service) -> None:
    """What the page shows for Python is a token that we take."""
    names: dict[str, Any] = {}
    exec(example("python"), names)
    await check(service, names["comment_token"](SimpleNamespace(id=7, name="Ada"), SECRET))


async def test_the_node_example_signs(service: Service, tmp_path: Path) -> None:
    """What the page shows for Node is a token that we take."""
    script = tmp_path / "sign.mjs"
    script.write_text(example("js") + f'\nconsole.log(commentToken({{ id: 7, name: "Ada" }}, "{SECRET}"));\n')
    node = need_program("node", package="nodejs")
    token = subprocess.run([node, str(script)], check=True, capture_output=True, text=True).stdout.strip()  # noqa: ASYNC221
    await check(service, token)
