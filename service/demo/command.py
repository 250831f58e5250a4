"""`demo --discussion`: the discussion is sent to the demo that runs, and a table tells what became of it."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from service.bulk.progress import Progress
from service.demo import discussion
from service.demo.outcome import Became, became, lines
from service.demo.readers import CannotSend, Client, Readers
from service.demo.site import SITE, read_demo
from service.settings import Settings

KEPT_FILE: Final = "discussion.json"
"""The name of the file in the home folder that holds what the readers' browsers would keep."""
_SCORER_SECONDS: Final = 60.0
_DECISION_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 0.25


def is_running(settings: Settings) -> bool:
    """Answer whether the demo of this home answers, and knows its own moderator."""
    try:
        demo = read_demo(settings.home)
        return _desk_of(demo).status_of(f"/v1/review/{SITE}/me") == http.HTTPStatus.OK
    except (CannotSend, KeyError):
        return False


class _Desk:
    """A moderator of the demo, who reads what became of each comment."""

    def __init__(self, client: Client, token: str) -> None:
        self._client, self._token = client, token

    def status_of(self, path: str) -> int:
        """Answer the status of what a moderator asks for."""
        return self._client.ask("GET", path, token=self._token).status

    def read(self, said: discussion.Said, comment_id: str) -> Became:
        """Answer what became of a comment, once it is decided or the time for that is over."""
        until = time.monotonic() + _DECISION_SECONDS
        while True:
            answer = self._client.ask("GET", f"/v1/review/{SITE}/comments/{comment_id}", token=self._token)
            if answer.status != http.HTTPStatus.OK:
                return Became(said, "gone")
            found = became(said, answer.body)
            if found.outcome != "pending" or time.monotonic() >= until:
                return found
            time.sleep(_LOOK_AGAIN_SECONDS)


def _desk_of(demo: dict[str, str]) -> _Desk:
    return _Desk(Client(demo["url"]), demo["moderator_token"])


def send(settings: Settings, say: Callable[[str], None]) -> int:
    """Send what was not sent yet, print the table, and answer the exit code: 1 when the demo did not take it."""
    demo = read_demo(settings.home)
    client, desk = Client(demo["url"]), _desk_of(demo)
    try:
        _await_scorer(client)
        readers = Readers(client, settings.home / KEPT_FILE)
        _forget_another(readers, desk)
        said = discussion.load()
        progress = Progress(sys.stderr, time.monotonic, total=len(said), unit="comments")
        count = readers.send(said, progress.reach)
        progress.end()
        say(f"{count} comments sent now, {len(said) - count} before: {demo['url']}{discussion.PATH}")
        for line in lines(list(_all(said, readers, desk))):
            say(line)
    except CannotSend as error:
        sys.stderr.write(f"colloquy: {error}; the same command goes on from there\n")
        return 1
    return 0


def _await_scorer(client: Client) -> None:
    """Wait until some worker scores, so that a comment is decided while its reader waits."""
    until = time.monotonic() + _SCORER_SECONDS
    while client.ask("GET", "/health/workers").status != http.HTTPStatus.OK:
        if time.monotonic() >= until:
            raise CannotSend("no worker scores; see /health/workers")
        time.sleep(_LOOK_AGAIN_SECONDS)


def _forget_another(readers: Readers, desk: _Desk) -> None:
    first = next(iter(readers.sent.values()), None)
    if first and desk.status_of(f"/v1/review/{SITE}/comments/{first}") == http.HTTPStatus.NOT_FOUND:
        readers.begin_anew()


def _all(said: list[discussion.Said], readers: Readers, desk: _Desk) -> Iterator[Became]:
    for one in said:
        if one.id in readers.refused:
            yield Became(one, "refused", (readers.refused[one.id],))
        else:
            yield desk.read(one, readers.sent[one.id])
