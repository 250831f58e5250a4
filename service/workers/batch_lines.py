"""Who waits for a scorer, in lines by priority, and what is gathered from a line into one call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from moderation.scores import Scores


class Priority(StrEnum):
    """Who asks: the pipeline that decides comments, somebody who waits for an answer, or anybody else."""

    COMMENTS = "comments"
    QUESTIONS = "questions"
    OTHERS = "others"


SHARES = {Priority.COMMENTS: 3, Priority.QUESTIONS: 1, Priority.OTHERS: 1}
"""Characters scored for each while both wait: neither starves the other, and who is alone has everything."""


class Request:
    """The texts of one caller that still have to be scored; `at` is the next that was not sent."""

    __slots__ = ("alone", "answers", "at", "done", "left", "remember", "since", "texts")

    def __init__(self, texts: Sequence[str], since: float, *, remember: bool = True) -> None:
        self.texts = texts
        self.remember = remember
        self.answers: dict[str, Scores] = {}
        self.at = 0
        self.left = len(texts)
        self.alone = False
        self.since = since
        self.done: asyncio.Future[dict[str, Scores]] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        """Tell the caller, if there still is one."""
        if not self.done.done():
            self.done.set_exception(error)


class Line:
    """The requests of one priority, in order, and how much was done for them."""

    def __init__(self, priority: Priority) -> None:
        self.priority = priority
        self.share = SHARES[priority]
        self.requests: deque[Request] = deque()
        self.served = 0.0
        self.texts = 0
        self.characters = 0

    def add(self, request: Request, *, first: bool = False) -> None:
        """Put a request at the end of the line, or before all others."""
        (self.requests.appendleft if first else self.requests.append)(request)
        self._count(request, 1)

    def take(self, request: Request) -> None:
        """Count the next text of a request as sent."""
        self.texts -= 1
        self.characters -= len(request.texts[request.at])
        request.at += 1

    def drop(self, request: Request) -> None:
        """Count what was not sent of an abandoned request as gone; it is passed over when its turn comes."""
        self._count(request, -1)
        request.at = len(request.texts)

    def _count(self, request: Request, sign: int) -> None:
        self.texts += sign * (len(request.texts) - request.at)
        self.characters += sign * sum(len(text) for text in request.texts[request.at :])


class Call:
    """One call to the scorer: distinct texts, and which requests each answers."""

    def __init__(self, line: Line, most_texts: int, most_characters: float) -> None:
        self.line = line
        self.texts: dict[str, list[Request]] = {}
        self.characters = 0
        self.requests: list[Request] = []
        self._most_texts, self._most_characters = most_texts, most_characters

    def gather(self) -> None:
        """Take from the line until the call is full; a request that failed in company goes alone."""
        waiting = self.line.requests
        while waiting:
            request = waiting[0]
            if request.done.done() or request.at == len(request.texts):
                waiting.popleft()
            elif (request.alone and self.requests) or not self._take(request):
                return
            else:
                waiting.popleft()
                if request.alone:
                    return

    def _take(self, request: Request) -> bool:
        """Take what fits of a request; answer whether that was the rest of it."""
        taken = False
        while request.at < len(request.texts):
            text = request.texts[request.at]
            if text not in self.texts and not self._fits(text):
                break
            self.characters += 0 if text in self.texts else len(text)
            self.texts.setdefault(text, []).append(request)
            self.line.take(request)
            taken = True
        if taken:
            self.requests.append(request)
        return request.at == len(request.texts)

    def _fits(self, text: str) -> bool:
        if not self.texts:
            return True
        return len(self.texts) < self._most_texts and self.characters + len(text) <= self._most_characters

    def answer(self, scores: Sequence[Scores]) -> None:
        """Hand out the scores; a caller is told when it has all of them."""
        for (text, requests), one in list(zip(self.texts.items(), scores, strict=True)):
            for request in requests:
                request.answers[text] = one
                request.left -= 1
                if request.left == 0 and not request.done.done():
                    request.done.set_result(request.answers)
