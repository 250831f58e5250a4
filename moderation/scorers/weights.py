"""The file of a hashed model: a magic line, a JSON header, int8 weights and a SHA-256 of all before it."""

import hashlib
from pathlib import Path

import msgspec

from moderation.calibration import CalibrationMap
from moderation.scorers.ngrams import FEATURES
from moderation.scores import Attribute, ScorerError

_MAGIC = b"CLQHASH1"
_SIZE = 4
_DIGEST = 32
_ID_DIGITS = 8


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute's linear model: a raw score is bias + scale * the sum of its int8 weights, then calibrated."""

    attribute: Attribute
    bias: float
    scale: float
    calibration: CalibrationMap


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the numbers of the file mean; heads follow each other in the order of their weights."""

    name: str
    languages: tuple[str, ...]
    heads: tuple[Head, ...]


class Weights(msgspec.Struct, frozen=True):
    """A checked file: the sha256 of its bytes, its header and, for each head, FEATURES signed bytes."""

    digest: str
    header: Header
    tables: tuple[bytes, ...]

    @property
    def model_id(self) -> str:
        """The name and the first digits of the digest."""
        return f"{self.header.name}@{self.digest[:_ID_DIGITS]}"


def pack(header: Header, tables: tuple[bytes, ...]) -> bytes:
    """Return the bytes of a weights file; the same input gives the same bytes."""
    head = msgspec.json.encode(header)
    body = _MAGIC + len(head).to_bytes(_SIZE, "big") + head + b"".join(tables)
    return body + hashlib.sha256(body).digest()


def unpack(data: bytes) -> Weights:
    """Read a weights file, or raise ScorerError when any byte of it is missing, added or changed."""
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise ScorerError("the weights file is truncated or damaged")
    start = len(_MAGIC) + _SIZE
    end = start + int.from_bytes(body[len(_MAGIC) : start], "big")
    try:
        header = msgspec.json.decode(body[start:end], type=Header)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ScorerError("the header of the weights file cannot be read") from error
    if not header.heads or len(body) - end != FEATURES * len(header.heads):
        raise ScorerError("the weights file does not have one table for each head")
    tables = tuple(body[at : at + FEATURES] for at in range(end, len(body), FEATURES))
    return Weights(digest=hashlib.sha256(data).hexdigest(), header=header, tables=tables)


def read_weights(path: Path) -> Weights:
    """Read the weights file at a path, or raise ScorerError when it is absent or not whole."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScorerError(f"the weights file {path.name} cannot be read") from error
    return unpack(data)
