"""A scorer in a child process: a model that hangs, crashes or eats all memory never takes the worker with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from moderation.scorers import ScorerError, check_scores
from moderation.scores import Attribute, Scores
from service.workers.scorer_child import Hello, Refused, Scored, framed
from service.workers.scorer_pipe import ChildPipe, FrameTooLarge

TIMED_BYTES = 2_000
"""The longest text of a call that has to be done within the time-out; a longer one has proportionally longer."""

Answer = Hello | Scored | Refused

_log = logging.getLogger(__name__)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class ScorerFailure(StrEnum):
    """Why a batch has no scores: never started, too slow, died, raised, wrong count, unusable numbers."""

    START = "start"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    RAISED = "raised"
    COUNT = "count"
    INVALID = "invalid"


class ScorerFailed(Exception):  # noqa: N818 - Named for the fact.
    """A batch was not scored; `exception` is the type's name when the model raised, and no text is ever in it."""

    def __init__(self, reason: ScorerFailure, exception: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.exception = exception


class ScorerProcess:
    """Scores through a child process, one batch at a time; after any failure the next call finds a fresh child.

    Start it from a thread that lives as long as the worker: the kernel ends the child with that thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout_seconds: float,
        start_timeout_seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command)
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._start_timeout_seconds = start_timeout_seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._child: ChildPipe | None = None
        self._hello: Hello | None = None
        self._known: dict[str, frozenset[str]] = {}
        self._ready = False
        self._stopped = False
        self._busy_since: float | None = None

    @property
    def model_id(self) -> str | None:
        """The model that answered last, or None before the first start."""
        return self._hello.model_id if self._hello else None

    @property
    def languages(self) -> frozenset[str]:
        """The languages of that model, empty before the first start."""
        return frozenset(self._hello.languages) if self._hello else frozenset()

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the languages of a model that this process has run, none for any other."""
        return self._known.get(model_id, frozenset())

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The harms that model scores, none before the first start."""
        return tuple(self._hello.attributes) if self._hello else ()

    @property
    def running(self) -> bool:
        """True while a child that has loaded its model is alive."""
        return self._ready and self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def busy_since(self) -> float | None:
        """The clock's time at which the call in progress began, or None when idle."""
        return self._busy_since

    async def start(self) -> None:
        """Start the child and wait until its model is loaded; raise ScorerFailed(START) otherwise."""
        self._stopped = False
        async with self._lock:
            await self._running_child()

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one sound Scores per text, in order, or raise ScorerFailed."""
        async with self._lock:
            self._busy_since = self._clock()
            try:
                allowed = allowed_seconds(texts, self._timeout_seconds)
                return self._sound(texts, await self._ask(_request(texts), allowed))
            finally:
                self._busy_since = None

    async def stop(self) -> None:
        """End the child, at once when it is in the middle of a batch; only `start` brings it back."""
        self._stopped = True
        if self._lock.locked() and self._child:
            self._child.kill()
        async with self._lock:
            if self._child:
                await self._child.leave()
            await self._discard()

    async def _running_child(self) -> ChildPipe:
        if self._stopped:
            raise ScorerFailed(ScorerFailure.START)
        if self._child and self._ready and self._child.usable:
            return self._child
        await self._discard()
        try:
            async with asyncio.timeout(self._start_timeout_seconds):
                self._child = await ChildPipe.spawn(self._command, self._environment)
                if self._stopped:
                    raise EOFError
                hello = _answers.decode(await self._child.read())
        except BaseException as error:
            await self._discard()
            if _reason_of(error):
                raise ScorerFailed(ScorerFailure.START) from None
            raise
        if not isinstance(hello, Hello):
            await self._discard()
            raise ScorerFailed(ScorerFailure.START)
        self._hello, self._ready = hello, True
        self._known[hello.model_id] = frozenset(hello.languages)
        _log.info("scorer.started", extra={"pid": self._child.pid, "model_id": hello.model_id})
        return self._child

    async def _ask(self, request: bytes, allowed_seconds: float) -> Answer:
        child = await self._running_child()
        try:
            async with asyncio.timeout(allowed_seconds):
                body = await child.exchange(request)
            return _answers.decode(body)
        except BaseException as error:
            # The stream may hold half a frame or a late answer, so this child is never asked again.
            await self._discard()
            if (reason := _reason_of(error)) is None:
                raise
        raise ScorerFailed(reason)

    def _sound(self, texts: Sequence[str], answer: Answer) -> list[Scores]:
        if not isinstance(answer, Scored):
            raise ScorerFailed(ScorerFailure.RAISED, answer.exception if isinstance(answer, Refused) else None)
        if len(answer.scores) != len(texts):
            raise ScorerFailed(ScorerFailure.COUNT)
        expected = set(self.attributes)
        for one in answer.scores:
            if one.model_id != self.model_id or not expected <= one.values.keys():
                raise ScorerFailed(ScorerFailure.INVALID)
        with contextlib.suppress(ScorerError):
            return check_scores(texts, answer.scores)
        raise ScorerFailed(ScorerFailure.INVALID)

    async def _discard(self) -> None:
        child, self._child, self._ready = self._child, None, False
        if child:
            child.kill()
            await asyncio.shield(child.reap())


def allowed_seconds(texts: Sequence[str], timeout_seconds: float) -> float:
    """Answer how long a call may take: the time-out, or as many of them as its longest text is longer than usual.

    A text is read to its end and never has more tokens than bytes, so one that is longer may take longer.
    """
    longest = max((len(text.encode(errors="replace")) for text in texts), default=0)
    return timeout_seconds * max(1.0, longest / TIMED_BYTES)


def _request(texts: Sequence[str]) -> bytes:
    try:
        return framed(list(texts))
    except UnicodeEncodeError:
        pass  # Raised outside the handler, so that the text does not travel on as the error's context.
    raise ScorerFailed(ScorerFailure.RAISED, UnicodeEncodeError.__name__)


def _reason_of(error: BaseException) -> ScorerFailure | None:
    match error:
        case TimeoutError():
            return ScorerFailure.TIMEOUT
        case OSError() | EOFError():
            return ScorerFailure.CRASHED
        case msgspec.DecodeError() | FrameTooLarge():
            return ScorerFailure.INVALID
    return None
