"""How far a long command is: a line that is drawn over on a terminal, and one every ten seconds elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TextIO

_WIDTH: Final = 24
_DRAWN_EVERY_SECONDS: Final = 0.2
_SAID_EVERY_SECONDS: Final = 10.0
_MINUTE: Final = 60


class Progress:
    """Tells the share that is done, the speed of this run, and the time that is left."""

    def __init__(self, stream: TextIO, clock: Callable[[], float], *, total: int, done: int = 0, unit: str) -> None:
        """Take where to tell it, and what an earlier run has done already."""
        self._stream, self._clock, self._total, self._unit = stream, clock, total, unit
        self._terminal = stream.isatty()
        self._began = self._said = clock()
        self._before = self._done = done

    def reach(self, done: int) -> None:
        """Tell that so many are done now, if enough time went by since it was told last."""
        self._done, now = done, self._clock()
        if now - self._said >= (_DRAWN_EVERY_SECONDS if self._terminal else _SAID_EVERY_SECONDS):
            self._said = now
            self._write(now)

    def end(self) -> None:
        """Leave the last state standing on a terminal."""
        if self._terminal:
            self._write(self._clock())
            self._stream.write("\n")

    def _write(self, now: float) -> None:
        line = self._line(now)
        # Over the line before, and what that was longer.
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._stream.flush()

    def _line(self, now: float) -> str:
        share = self._done / self._total if self._total else 1.0
        bar = f"[{'#' * int(share * _WIDTH):{_WIDTH}}] " if self._terminal else ""
        line = f"{bar}{self._done:,} of {self._total:,} {self._unit} ({share:.0%})"
        speed = (self._done - self._before) / (now - self._began) if now > self._began else 0.0
        return line if not speed else f"{line}, {speed:,.0f} a second, {_time((self._total - self._done) / speed)} left"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
