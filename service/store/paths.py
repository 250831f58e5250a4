"""Materialised paths: where a comment stands in its thread, so that one index gives pre-order and subtrees.

A path is the concatenation of one segment for each ancestor and one for the comment itself. A segment is the
comment's UUIDv7 in 22 characters of an alphabet in ASCII order, so comparing paths byte by byte walks the tree in
pre-order with siblings oldest first. Nothing is allocated: a viral thread has no hot row.
"""

from __future__ import annotations

from uuid import UUID

_ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
SEGMENT = 22
#: Sorts after every character of the alphabet: `path < prefix + AFTER` bounds a subtree.
AFTER = "~"


def segment(comment_id: str) -> str:
    """Answer the 22 characters of one comment id; their order is the order of the ids."""
    number = UUID(comment_id).int
    characters = []
    for _ in range(SEGMENT):
        number, value = divmod(number, 64)
        characters.append(_ALPHABET[value])
    return "".join(reversed(characters))


def comment_id_of(part: str) -> str:
    """Answer the comment id that a segment stands for."""
    number = 0
    for character in part:
        number = number * 64 + _VALUE[character]
    return str(UUID(int=number))


def child_path(parent_path: str, comment_id: str) -> str:
    """Answer the path of a comment under a parent (the empty path for a root)."""
    return parent_path + segment(comment_id)


def ancestor_ids(path: str) -> list[str]:
    """Answer the ids of a path's ancestors, the root first, without the comment itself."""
    return [comment_id_of(path[start : start + SEGMENT]) for start in range(0, len(path) - SEGMENT, SEGMENT)]


def depth(path: str) -> int:
    """Answer how deep a path is; a root is 0."""
    return len(path) // SEGMENT - 1
