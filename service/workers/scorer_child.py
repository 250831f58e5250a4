"""The child process around a scorer: frames of texts in, frames of scores out, until the parent goes away."""

from __future__ import annotations

import logging
import os
import signal
import struct
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

import msgspec

from moderation.scorers import Scorer
from moderation.scores import Attribute, ScorerError, Scores, check_scores
from service.parent_watch import end_with_parent
from service.settings import SettingsError

WARM_UP = "This is a plain sentence."
"""Scored before a child says that it is there: a library that dies on this machine dies of it, not of a comment."""
LARGEST_FRAME = 64 * 1024 * 1024
HEADER = struct.Struct(">I")
"""Before every frame: the number of bytes that follow."""

_log = logging.getLogger(__name__)


class RefusalCode(StrEnum):
    """Why the child gave no scores."""

    RAISED = "raised"
    MALFORMED = "malformed"


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first frame of a child: what the loaded model is and can do."""

    model_id: str
    languages: list[str]
    attributes: list[Attribute]


class Scored(msgspec.Struct, frozen=True, tag=True):
    """The answer to one frame of texts."""

    scores: list[Scores]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A frame without scores; of an exception it carries the type's name and never the message."""

    code: RefusalCode
    exception: str


def framed(message: object) -> bytes:
    """Answer the bytes of one frame: a length and MessagePack."""
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body


def run_child(scorer: Scorer) -> None:
    """Score what arrives on standard input until it ends; no request ends the child."""
    run_child_of(lambda: scorer)


def run_child_of(build: Callable[[], Scorer]) -> None:
    """Like `run_child`, but nothing that is printed while the model is loaded reaches the stream either."""
    requests, answers = _claim_streams()
    _keep_texts_out_of_the_log()
    # SIGKILL, because a hung model would not notice a gentler signal.
    end_with_parent(by=signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        scorer = build()
        check_scores([WARM_UP], scorer.score([WARM_UP]))
        hello = framed(Hello(scorer.model_id, sorted(scorer.languages), list(scorer.attributes)))
    except Exception as error:
        # No comment has come this far, and our own errors of loading say what to do.
        why = {"why": str(error)} if isinstance(error, SettingsError | ScorerError) else {}
        _log.error("scorer.start_failed", extra=_described(error) | why)
        raise SystemExit(1) from None
    try:
        _write(answers, hello)
        while (body := _read_frame(requests)) is not None:
            _write(answers, _answer(scorer, body))
    except BrokenPipeError:
        return


def _claim_streams() -> tuple[BinaryIO, int]:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # What a library prints goes to standard error; on the stream it would be read as a frame.
    os.dup2(2, 1)
    return requests, answers


def _read_frame(requests: BinaryIO) -> bytes | None:
    header = requests.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    body = requests.read(size)
    return body if len(body) == size else None


def _write(answers: int, frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(answers, rest) :]


def _answer(scorer: Scorer, body: bytes) -> bytes:
    try:
        texts = msgspec.msgpack.decode(body, type=list[str])
    except msgspec.DecodeError as error:
        return framed(Refused(RefusalCode.MALFORMED, type(error).__name__))
    try:
        return framed(Scored(scorer.score(texts)))
    except BaseException as error:  # Even an exit that a library asks for must not end the child.
        _log.warning("scorer.raised", extra=_described(error))
        return framed(Refused(RefusalCode.RAISED, type(error).__name__))


def _described(error: BaseException) -> dict[str, str]:
    """Type and place of an exception; its message may quote a comment."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "exception": type(error).__name__,
        "at": f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
    }


def _keep_texts_out_of_the_log() -> None:
    """Python's own last resorts print messages of exceptions and warnings, which may quote a comment."""

    def on_thread_error(failure: threading.ExceptHookArgs) -> None:
        _log.error("scorer.thread_raised", extra={"exception": failure.exc_type.__name__})

    def on_error(_kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        _log.error("scorer.ended", extra=_described(error.with_traceback(trace)))

    def on_lost_error(failure: sys.UnraisableHookArgs) -> None:
        _log.error("scorer.lost_error", extra={"exception": failure.exc_type.__name__})

    threading.excepthook = on_thread_error
    sys.excepthook = on_error
    sys.unraisablehook = on_lost_error
    warnings.simplefilter("ignore")
