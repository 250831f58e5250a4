"""The readers of the demo: they send a discussion over HTTP from outside, each comment once, as browsers do."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from service.demo import discussion
from service.demo.discussion import Said
from service.demo.site import SITE, write_private

_THREAD: Final = f"/v1/sites/{SITE}/threads/{quote(discussion.PAGE, safe='')}/comments"
_DECISION_SECONDS: Final = 10
_REQUEST_SECONDS: Final = 30.0
_LONGEST_PATIENCE_SECONDS: Final = 300.0
_UNSHOWN_PARENT: Final = ("parent.unknown", "parent.too_deep")
_COME_AGAIN: Final = (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)


class CannotSend(Exception):  # noqa: N818 - Named for the fact.
    """The demo does not take the discussion, said in one line."""


class Answer(NamedTuple):
    """What the service said."""

    status: int
    retry_after_seconds: float
    body: dict[str, Any]


class Kept(msgspec.Struct):
    """What the readers' browsers keep: the seed of the keys of retries, author tokens, and what was sent or refused."""

    seed: str
    tokens: dict[str, str] = {}
    sent: dict[str, str] = {}
    refused: dict[str, str] = {}


class Client:
    """Asks one address; raises CannotSend when nobody answers there."""

    def __init__(self, url: str) -> None:
        """Take where the service is."""
        self.url = url
        self._parts = urlsplit(url)

    def ask(self, method: str, path: str, *, token: str | None = None, body: Any = None, **headers: str) -> Answer:
        """Answer what one request brings; header names have `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if body is not None:
            sent["content-type"] = "application/json"
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request(method, path, json.dumps(body) if body is not None else None, sent)
                answer = connection.getresponse()
                return Answer(
                    answer.status, _seconds(answer.getheader("retry-after")), json.loads(answer.read() or b"{}")
                )
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotSend(f"{self.url} does not answer as Colloquy does ({type(error).__name__})") from None

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=_REQUEST_SECONDS)


class Readers:
    """Everybody who writes in the discussion, each under the own author token; what they keep outlives a run."""

    def __init__(self, client: Client, path: Path, wait: Callable[[float], None] = time.sleep) -> None:
        """Take whom to ask, the file of what is kept, and how to wait."""
        self._client, self._path, self._wait = client, path, wait
        self._kept = _read(path)
        self._parents: dict[str, str | None] = {}

    @property
    def sent(self) -> dict[str, str]:
        """The ids that the service gave to what was taken in."""
        return self._kept.sent

    @property
    def refused(self) -> dict[str, str]:
        """The codes of what was not taken in."""
        return self._kept.refused

    def begin_anew(self) -> None:
        """Forget what was kept: it is of another installation."""
        self._kept = _fresh()

    def send(self, said: Sequence[Said], reach: Callable[[int], None]) -> int:
        """Send what was not sent yet, one after the other; answer how many that were."""
        count = 0
        for number, one in enumerate(said, 1):
            self._parents[one.id] = one.parent
            if one.id not in self._kept.sent and one.id not in self._kept.refused:
                self._send(one)
                write_private(self._path, json.dumps(msgspec.to_builtins(self._kept), indent=2) + "\n")
                count += 1
            reach(number)
        return count

    def _send(self, one: Said) -> None:
        above = self._sent_above(one.parent)
        answer = self._patiently(one, above)
        # Nobody can answer what is not shown: who meant to, writes below what that answered, or a comment of its own.
        while above is not None and answer.body.get("code") in _UNSHOWN_PARENT:
            above = self._sent_above(self._parents[above])
            answer = self._patiently(one, above)
        if answer.status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED, http.HTTPStatus.ACCEPTED):
            self._kept.sent[one.id] = answer.body["comment"]["id"]
            if answer.body.get("author_token"):
                self._kept.tokens[one.author] = answer.body["author_token"]
        elif answer.body.get("code") == "comment.duplicate":
            self._kept.refused[one.id] = answer.body["code"]
        else:
            raise CannotSend(f"{one.id} was refused: {answer.status} {answer.body.get('code', '')}".rstrip())

    def _sent_above(self, parent: str | None) -> str | None:
        while parent is not None and parent not in self._kept.sent:
            parent = self._parents[parent]
        return parent

    def _patiently(self, one: Said, parent: str | None) -> Answer:
        """Submit, and come again when the service says."""
        waited = 0.0
        while True:
            answer = self._submit(one, parent)
            if answer.status not in _COME_AGAIN or waited >= _LONGEST_PATIENCE_SECONDS:
                return answer
            self._wait(answer.retry_after_seconds)
            waited += answer.retry_after_seconds

    def _submit(self, one: Said, parent: str | None) -> Answer:
        body: dict[str, Any] = {
            "body": one.text,
            "author": {"name": one.author},
            "title": discussion.TITLE,
            "url": discussion.PAGE,
        }
        if parent is not None:
            body["parent_id"] = self._kept.sent[parent]
        return self._client.ask(
            "POST",
            _THREAD,
            token=self._kept.tokens.get(one.author),
            body=body,
            origin=self._client.url,
            prefer=f"wait={_DECISION_SECONDS}",
            idempotency_key=str(uuid.uuid5(uuid.UUID(self._kept.seed), one.id)),
        )


def _seconds(retry_after: str | None) -> float:
    return max(1.0, float(retry_after)) if retry_after and retry_after.isdecimal() else 1.0


def _read(path: Path) -> Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return _fresh()


def _fresh() -> Kept:
    return Kept(seed=str(uuid.uuid4()))
