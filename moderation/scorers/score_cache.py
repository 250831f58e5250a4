"""A bounded memory in front of a slow model: a text that was scored lately is not scored again."""

import hashlib
from collections import OrderedDict

from moderation.scores import Scores


def key_of(model_id: str, text: str) -> bytes:
    """Return what a text's scores by a model are remembered under; the text cannot be read back from it.

    Lone surrogates are kept apart from each other, so that two texts never share a key by their encoding.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=_person(model_id)).digest()


def _person(model_id: str) -> bytes:
    return hashlib.blake2b(model_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class ScoreCache:
    """The scores of the `entries` texts that were asked for last, by text and model; about 0.6 KB each."""

    def __init__(self, entries: int) -> None:
        """Take how many texts to remember; 0 remembers nothing."""
        self._entries = entries
        self._known: OrderedDict[bytes, Scores] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        """Return how many texts are remembered."""
        return len(self._known)

    def find(self, model_id: str, text: str) -> Scores | None:
        """Return what the model said of the text, or None when that is not remembered; counts a hit or a miss."""
        key = key_of(model_id, text) if self._entries else b""
        found = self._known.get(key)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
            self._known.move_to_end(key)
        return found

    def keep(self, text: str, scores: Scores) -> None:
        """Remember what a model said of a text, and forget what was not asked for the longest."""
        if not self._entries:
            return
        key = key_of(scores.model_id, text)
        self._known[key] = scores
        self._known.move_to_end(key)
        if len(self._known) > self._entries:
            self._known.popitem(last=False)
