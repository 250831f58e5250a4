"""One file from an HTTP server to the disk: goes on where it broke off, and never takes a part for the whole."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

PIECE = 1024 * 1024
"""Bytes read at once, at most."""
TIMEOUT_SECONDS = 30.0
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try of a transfer that brings no new byte."""
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})

Report = Callable[[int, int | None], None]
"""Told the bytes that are there and, where it is known, how many there will be."""
Pause = Callable[[float], None]


class PullError(Exception):
    """A file could not be brought here; the message says which and why."""


class UnreachableError(PullError):
    """The server could not be asked at all: no network, no such host, nobody listens."""


class NotThereError(PullError):
    """The server, or the folder, does not have the file."""


class _BrokenError(Exception):
    """A transfer that may go on at the next try."""

    def __init__(self, problem: str, *, unreachable: bool = False) -> None:
        super().__init__(problem)
        self.unreachable = unreachable


class _StaleError(Exception):
    """What lies here is not the beginning of what the server has."""


class _Seen(msgspec.Struct, frozen=True):
    """What the server said of the file of which a part lies here."""

    url: str
    etag: str | None
    total: int | None


def download(url: str, part: Path, report: Report, pause: Pause) -> bool:
    """Bring a whole file to `part`, going on with what is there, and answer whether that was in one piece.

    Raise PullError, which leaves the part in place. Only a digest can tell whether several pieces are of one file.
    """
    before = most = _size(part)
    idle = 0
    while True:
        problem = "the server has another file at every try"
        one_piece = _size(part) == 0
        try:
            _transfer(url, part, report)
            return one_piece
        except _StaleError:
            discard(part)
        except _BrokenError as broken:
            problem = str(broken)
            if broken.unreachable and most == before:
                raise UnreachableError(f"{url} cannot be reached ({problem})") from None
        idle = 0 if _size(part) > most else idle + 1
        most = max(most, _size(part))
        if idle > len(PAUSES):
            raise PullError(f"{url}: {problem}; run the command again, it goes on from where it is")
        pause(PAUSES[max(idle - 1, 0)])


def discard(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def finish(part: Path, target: Path) -> None:
    """Put a whole part in its place, at once and for good."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _note(part).unlink(missing_ok=True)


def _transfer(url: str, part: Path, report: Report) -> None:
    have, seen = _size(part), _seen(part)
    if have and seen is None:
        raise _StaleError
    if seen is not None and have == seen.total:
        # All of it came, and the run ended before it was named; what it is, the digest says.
        return report(have, have)
    with _opened(_request(url, have, seen)) as response:
        start, total = _start(response, have, url, seen)
        _note(part).write_bytes(msgspec.json.encode(_Seen(url, response.headers.get("ETag"), total)))
        done = _copy(response, part, start, total, report)
    if total is not None and done != total:
        raise _BrokenError(f"the connection ended after {done} of {total} bytes")
    return None


def _request(url: str, have: int, seen: _Seen | None) -> urllib.request.Request:
    if not re.match(r"https?://[^/]", url):
        raise PullError(f"{url} is no http or https address")
    headers = {"User-Agent": "colloquy", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if seen is not None and seen.url == url and seen.etag and not seen.etag.startswith("W/"):
            headers["If-Range"] = seen.etag
    return urllib.request.Request(url, headers=headers)  # noqa: S310 - The scheme was checked.


def _opened(request: urllib.request.Request) -> Any:
    url = request.full_url
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error, url) from None
    except urllib.error.URLError as error:
        raise _BrokenError(_reason(error), unreachable=True) from None
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenError(f"no answer ({type(error).__name__})") from None
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise PullError(f"{url} leads to an address that is not https")
    return response


def _refused(error: urllib.error.HTTPError, url: str) -> Exception:
    if error.code == 416:
        return _StaleError()
    if error.code in _LATER:
        return _BrokenError(f"the server answers {error.code}")
    kind = NotThereError if error.code in (404, 410) else PullError
    return kind(f"{url}: the server answers {error.code} {error.reason}")


def _start(response: Any, have: int, url: str, seen: _Seen | None) -> tuple[int, int | None]:
    """Answer at which byte the body begins and how long the whole is; what is sent from the start replaces the part."""
    if response.headers.get_content_type() == "text/html":
        raise PullError(f"{url} gives a web page, not a file: is there a login page or a proxy on the way?")
    if response.status == 200:
        total = _number(response.headers.get("Content-Length"))
        if total is None and not response.chunked:
            raise PullError(f"{url}: the server does not say how long the file is")
        return 0, total
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if response.status != 206 or found is None:
        raise PullError(f"{url}: the server answers {response.status} with no range that was asked for")
    start, total = map(int, found.groups())
    etag = response.headers.get("ETag")
    other = seen is not None and (
        (seen.total is not None and seen.total != total)
        or (seen.url == url and seen.etag is not None and seen.etag != etag)
    )
    if start != have or other:
        raise _StaleError
    return start, total


def _copy(response: Any, part: Path, start: int, total: int | None, report: Report) -> int:
    _check_room(part, (total or 0) - start)
    done = start
    report(done, total)
    # Unbuffered, so that what was reported is on the disk when the process is killed.
    with part.open("r+b" if start else "wb", buffering=0) as file:
        file.seek(start)
        while piece := _piece(response):
            file.write(piece)
            done += len(piece)
            report(done, total)
    return done


def _piece(response: Any) -> bytes:
    try:
        piece: bytes = response.read1(PIECE)
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenError(f"the connection broke ({type(error).__name__})") from None
    return piece


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise PullError(f"{part.parent} has {free // 10**6} MB free, and {needed // 10**6} MB are to come")


def _reason(error: urllib.error.URLError) -> str:
    reason = error.reason
    return (reason.strerror or type(reason).__name__) if isinstance(reason, OSError) else str(reason)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _seen(part: Path) -> _Seen | None:
    try:
        return msgspec.json.decode(_note(part).read_bytes(), type=_Seen)
    except (OSError, msgspec.MsgspecError):
        return None
