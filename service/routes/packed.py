"""Our own files as they are served: compressed once, with a strong ETag, asked for again only when they changed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from litestar import Request, Response

from service.routes.threads import matches


class Packed(NamedTuple):
    """A file as it is, and as gzip."""

    body: bytes
    packed: bytes
    etag: str
    media_type: str


def pack(text: str, media_type: str) -> Packed:
    """Answer a text as it goes out."""
    body = text.encode()
    # How much of it makes a block decides the size, one way or the other.
    packed = min((_gzipped(body, memory) for memory in range(5, 10)), key=len)
    return Packed(body, packed, f'"{hashlib.sha256(body).hexdigest()[:24]}"', media_type)


def answer_packed(request: Request[Any, Any, Any], file: Packed, headers: Mapping[str, str]) -> Response[bytes | None]:
    """Answer a file as gzip where it is taken, or that what the asker has is the same."""
    headers = {**headers, "etag": file.etag, "vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), file.etag):
        return Response(None, status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)


def _gzipped(body: bytes, memory: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, memory)
    return packer.compress(body) + packer.flush()
