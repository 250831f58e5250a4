"""The receivers of docs/webhooks.md take what we send, and refuse what we did not."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.webhooks.signing import new_secret, signed_headers
from tests.programs import need_program

DOCS = Path(__file__).parents[2] / "docs/webhooks.md"
BODY = json.dumps({"type": "comment.held", "data": {"text": "Grüße 🎉"}}, ensure_ascii=False).encode()
Receive = Callable[[dict[str, str], bytes, str], Any]
ID = "0190a0a0-0000-7000-8000-000000000001"


def example(language: str) -> str:
    """Answer the page's example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found.group(1)


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
    if done.returncode:
        raise ValueError(done.stderr.decode()[-300:])
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
    php = shutil.which("php")
    if php is None:
        pytest.skip("PHP is not on this machine")
    call = """
$given = json_decode(file_get_contents('php://stdin'), true);
echo json_encode(receive($given['headers'], $given['body'], $given['secret']), JSON_UNESCAPED_UNICODE);
"""
    return _run([php, "-r", example("php").removeprefix("<?php") + call], headers, body, secret)


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
    ):
        with pytest.raises((ValueError, WebhookVerificationError)):
            receive(headers, body, key)
