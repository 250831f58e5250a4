"""The receivers of docs/webhooks.md take what we send, and refuse what we did not."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.webhooks.signing import new_secret, signed_headers
from tests.eventually import eventually_now
from tests.journey.harness import Installation
from tests.leaks import plant
from tests.programs import need_program
from tests.test_docs import blocks, paste

DOCS = Path(__file__).parents[2] / "docs/webhooks.md"
BODY = json.dumps({"type": "comment.held", "data": {"text": "Grüße 🎉"}}, ensure_ascii=False).encode()
Receive = Callable[[dict[str, str], bytes, str], Any]
ID = "0190a0a0-0000-7000-8000-000000000001"


def example(language: str, number: int = 0) -> str:
    """Answer one of the page's examples in a language."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return found[number]


def by_library(headers: dict[str, str], body: bytes, secret: str) -> Any:
    """What the project Standard Webhooks publishes for Python."""
    return Webhook(secret).verify(body, headers)


def by_python(headers: dict[str, str], body: bytes, secret: str) -> Any:
    """What the page shows for Python."""
    names: dict[str, Any] = {}
    exec(example("python"), names)
    return names["receive"](headers, body, secret)


def _run(command: list[str], headers: dict[str, str], body: bytes, secret: str) -> Any:
    given = json.dumps({"headers": headers, "body": body.decode(), "secret": secret})
    done = subprocess.run(command, input=given.encode(), capture_output=True)
    said = done.stderr.decode() + done.stdout.decode()
    assert not re.search("TypeError|ReferenceError|Warning|Deprecated|Notice", said), said
    if done.returncode:
        raise ValueError(said[-2000:])
    return json.loads(done.stdout)


def by_node(headers: dict[str, str], body: bytes, secret: str) -> Any:
    """What the page shows for Node."""
    call = """
import { readFileSync } from "node:fs";
const given = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(receive(given.headers, Buffer.from(given.body), given.secret)));
"""
    node = need_program("node", package="nodejs")
    return _run([node, "--input-type=module", "-e", example("js") + call], headers, body, secret)


def by_php(headers: dict[str, str], body: bytes, secret: str) -> Any:
    """What the page shows for PHP."""
    php = need_program("php", package="php-cli")
    call = """
$given = json_decode(file_get_contents('php://stdin'), true);
echo json_encode(receive($given['headers'], $given['body'], $given['secret']), JSON_UNESCAPED_UNICODE);
"""
    shown = ["-d", "error_reporting=-1", "-d", "display_errors=stderr"]
    return _run([php, *shown, "-r", example("php").removeprefix("<?php") + call], headers, body, secret)


RECEIVERS = [by_library, by_python, by_node, by_php]


@pytest.mark.parametrize("receive", RECEIVERS)
def test_what_we_sign_is_taken(receive: Receive) -> None:
    """With one secret, and with either of two while they rotate."""
    old, new = new_secret(), new_secret()
    for keys, secret in (([old], old), ([new, old], old), ([new, old], new)):
        assert receive(signed_headers(keys, ID, BODY, at=datetime.now(UTC)), BODY, secret) == json.loads(BODY)


@pytest.mark.parametrize("receive", RECEIVERS)
def test_anything_else_is_refused(receive: Receive) -> None:
    """Another body, another id, another secret, an old time."""
    secret, now = new_secret(), datetime.now(UTC)
    right = signed_headers([secret], ID, BODY, at=now)
    for headers, body, key in (
        (right, BODY.replace(b"held", b"gone"), secret),
        ({**right, "webhook-id": ID.replace("1", "2")}, BODY, secret),
        (right, BODY, new_secret()),
        (signed_headers([secret], ID, BODY, at=now - timedelta(minutes=6)), BODY, secret),
        ({**right, "webhook-signature": "v1,"}, BODY, secret),
        ({**right, "webhook-signature": "Grüße 🎉"}, BODY, secret),
        ({**right, "webhook-timestamp": "soon"}, BODY, secret),
    ):
        with pytest.raises((ValueError, WebhookVerificationError)):
            receive(headers, body, key)


@pytest.mark.parametrize("receive", [by_python, by_node, by_php])
@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_request_without_our_headers_is_refused_plainly(receive: Receive, missing: str) -> None:
    """As a stranger's request, which is no reason for an error of the language's own or a warning."""
    secret = new_secret()
    headers = signed_headers([secret], ID, BODY, at=datetime.now(UTC))
    del headers[missing]
    with pytest.raises(ValueError, match=r"too old, or from the future|not signed by Colloquy"):
        receive(headers, BODY, secret)


SECRET = new_secret()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The page's whole receiver as it is pasted, and what it prints."""
    path, printed = tmp_path / "receiver.py", tmp_path / "printed"
    path.write_text(example("python") + example("python", 1))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SECRET": SECRET, "PORT": str(port)}
    with printed.open("w") as out, subprocess.Popen([sys.executable, path], env=environment, stdout=out) as process:
        eventually_now(lambda: answers(port))
        yield f"http://127.0.0.1:{port}/hook", printed
        process.terminate()


def test_the_whole_receiver_takes_each_event_once(running: tuple[str, Path]) -> None:
    """What is signed is answered with 204 and acted on once, however often it comes; what is not is a 400."""
    url, printed = running
    body = json.dumps({"type": "comment.held", "data": {"site": "daily"}}).encode()
    headers = signed_headers([SECRET], ID, body, at=datetime.now(UTC))
    statuses = [httpx.post(url, content=body, headers=headers).status_code for _ in range(2)]
    statuses.append(httpx.post(url, content=body + b" ", headers=headers).status_code)
    statuses.append(httpx.post(url).status_code)
    assert statuses == [204, 204, 400, 400]
    assert printed.read_text() == f"{ID} comment.held daily\n"


@pytest.mark.slow
@pytest.mark.anyio
async def test_five_minutes_work_when_pasted(tmp_path: Path) -> None:
    """On a fresh demo with the permission the page's first blocks name a receiver and send it an event."""
    need_program("curl", package="curl")
    home = tmp_path / "home"
    async with Installation(home, WEBHOOKS_ALLOW_LOOPBACK="1") as installation:
        await installation.start()
        made, sent = await paste(blocks(DOCS, "## In five minutes"), home)
    plant(made["secret"])
    assert (made["url"], made["events"]) == ("http://127.0.0.1:9000/hooks/comments", ["comment.*"])
    assert sent["event_type"] == "webhook.test"
