"""Our own files as they are served: compressed once, with a strong ETag, asked for again only when they changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from litestar import Request, Response
from zopfli.gzip import compress

from service.coded import matches

T = TypeVar("T")
_LOOK_AGAIN_SECONDS: Final = 1.0


class Packed(NamedTuple):
    """A file as it is, and as gzip."""

    body: bytes
    packed: bytes
    etag: str
    media_type: str


def pack(text: str, media_type: str) -> Packed:
    """Answer a text as it goes out."""
    body = text.encode()
    return Packed(body, compress(body), f'"{hashlib.sha256(body).hexdigest()[:24]}"', media_type)


class Built(Generic[T]):
    """What is made of the files in a folder: made once, and anew when a file changed."""

    def __init__(self, folder: Path, make: Callable[[], T]) -> None:
        self._folder = folder
        self._make = make
        self._made: T | None = None
        self._of: float | None = None
        self._look_at = 0.0

    def __call__(self) -> T:
        """Answer it. Whether a file changed is looked at once in a second."""
        now = time.monotonic()
        if self._made is None or now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_SECONDS
            changed = max(path.stat().st_mtime for path in self._folder.rglob("*"))
            if self._made is None or changed != self._of:
                self._made, self._of = self._make(), changed
        return self._made


def answer_packed(request: Request[Any, Any, Any], file: Packed, headers: Mapping[str, str]) -> Response[bytes | None]:
    """Answer a file as gzip where it is taken, or that what the asker has is the same."""
    headers = {**headers, "etag": file.etag, "vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), file.etag):
        return Response(None, status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)
