"""The way of a text through any transformer: normalised, cut into windows, batched, and the worst window counts.

A model may be asked about the parts of a text too, each by itself; the worst of them then counts too.
What turns texts into tokens and tokens into logits is given, so that every model takes this one way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from moderation.batching import batches_of, windows_of
from moderation.calibration import CalibrationMap, sigmoid
from moderation.parts import Place, Weighing, as_sentence, is_no_sentence, parts_of
from moderation.scores import Attribute, ScorerError, Scores, checked
from moderation.text import normalise

OVERLAP = 64
"""Tokens that neighbouring windows share, so that a sentence cut by one is whole in the other."""
MOST_TOKENS = 65_536
"""Tokens of one text; more is refused, never cut. The largest request of the default settings has no more bytes."""
MOST_ROWS = 64
"""Windows in one batch, whatever their length, where the model sets no smaller number."""
BATCH_TOKENS = 512
"""Padded tokens in one batch, where the caller names no other budget: more leaves a processor's cache and is slower."""
_UNREADABLE = "replace"

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]


class Encoded(msgspec.Struct, frozen=True):
    """The tokens of a text without special ones, and the characters [start, end) that each was read from."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


class Framing(msgspec.Struct, frozen=True):
    """What stands around the tokens of every window, what fills a row up, and how long a row may be at most."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    pad_id: int
    longest: int
    marks: frozenset[int] = frozenset()
    """Ids of the model's special tokens, the unknown one apart: they are never read from a text."""

    @property
    def room(self) -> int:
        """Tokens of the text in one window."""
        return self.longest - len(self.before) - len(self.after)

    def without_marks(self, encoded: Encoded) -> Encoded:
        """Return a text's tokens without special ones, which some vocabularies find where somebody writes `<s>`."""
        if self.marks.isdisjoint(encoded.ids):
            return encoded
        kept = [(one, place) for one, place in zip(encoded.ids, encoded.offsets, strict=True) if one not in self.marks]
        return Encoded([one for one, _ in kept], [place for _, place in kept])


Encode = Callable[[Sequence[str]], Sequence[Encoded]]
"""Tokens of each text, whole: nothing cut, nothing padded, no special tokens."""
Forward = Callable[[Tokens, Tokens], Logits]
"""Logits [rows, labels] of token ids and mask, both [rows, longest of them]."""


class Outputs(msgspec.Struct, frozen=True):
    """What the columns of the logits are: attributes, and maps to probabilities where they were fitted.

    Where it is said how parts are weighed they are judged by themselves too, and of two logits for an attribute the
    higher one counts: the whole text's, or the worst part's as weighed.
    """

    labels: tuple[Attribute, ...]
    calibration: Mapping[Attribute, CalibrationMap] | None = None
    parts: Weighing | None = None

    def values(self, logits: Sequence[float]) -> dict[Attribute, float]:
        """Return the value in [0, 1] of each label: calibrated where there are maps, else the logit's sigmoid."""
        maps = self.calibration or {}
        read = [maps[label].apply if label in maps else sigmoid for label in self.labels]
        return {label: apply(logit) for label, apply, logit in zip(self.labels, read, logits, strict=True)}


class Transformer:
    """Scores texts through given functions; the model's wrapper adds what it is called and what it knows."""

    def __init__(
        self,
        model_id: str,
        outputs: Outputs,
        framing: Framing,
        *,
        encode: Encode,
        forward: Forward,
        normalised: bool = True,
        batch_tokens: int = BATCH_TOKENS,
        most_rows: int = MOST_ROWS,
        at_once: int = 1,
    ) -> None:
        """Take the model's parts; ScorerError when a window would have no room for a text.

        `at_once` batches go through `forward` side by side, which must then be safe to call from several threads.
        """
        self._overlap = min(OVERLAP, framing.room // 4)
        if framing.room < 1 or batch_tokens < 1:
            raise ScorerError(f"{model_id} reads {framing.longest} tokens at once, which leaves no room for a text")
        self._model_id, self._outputs, self._framing = model_id, outputs, framing
        self._encode, self._forward = encode, forward
        self._normalised, self._batch_tokens, self._most_rows = normalised, batch_tokens, most_rows
        self._calls = ThreadPoolExecutor(at_once, "forward") if at_once > 1 else None

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Return the scores of each raw text, in order; equal texts go through the model once."""
        read = [self._read(text) for text in texts]
        distinct = list(dict.fromkeys(read))
        known = dict(zip(distinct, self._score_distinct(distinct), strict=True))
        return [known[text] for text in read]

    def _read(self, text: str) -> str:
        if self._normalised:
            return normalise(text).text
        # Half of a character pair is no character, and tokenizers refuse it.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", _UNREADABLE)

    def _score_distinct(self, texts: Sequence[str]) -> list[Scores]:
        parts = [self._parts(text) for text in texts]
        wholes = [self._whole(text) for text in texts]
        # A part is often said in several texts, or is a text by itself.
        distinct = list(dict.fromkeys([*wholes, *(part for cut in parts for part in cut.values())]))
        worst = dict(zip(distinct, self._worst(distinct), strict=True))
        read = zip(texts, wholes, parts, strict=True)
        return [
            self._scores(worst[whole], self._worst_of_parts(cut, worst), length=len(text)) for text, whole, cut in read
        ]

    def _whole(self, text: str) -> str:
        """Return a text as it is read whole: a single word is ended as parts are, or a name is taken for abuse."""
        return as_sentence(text) if self._outputs.parts is not None and is_no_sentence(text) else text

    def _parts(self, text: str) -> dict[Place, str]:
        if self._outputs.parts is None:
            return {}
        return {place: as_sentence(text[slice(*place)]) for place in parts_of(text)}

    def _worst(self, texts: Sequence[str]) -> list["_Worst"]:
        """Return the highest logits of each text's windows, and the place of the first attribute's."""
        if not texts:
            return []
        encoded = [self._framing.without_marks(one) for one in self._encode(texts)]
        windows = [self._windows(one) for one in encoded]
        owners = [owner for owner, cut in enumerate(windows) for _ in cut]
        rows = [self._row(encoded[owner], window) for owner, cut in enumerate(windows) for window in cut]
        logits = self._logits(rows)
        of_text: list[list[int]] = [[] for _ in texts]
        for row, owner in enumerate(owners):
            of_text[owner].append(row)
        return [_worst_of(one, cut, logits[its]) for one, cut, its in zip(encoded, windows, of_text, strict=True)]

    def _worst_of_parts(self, parts: Mapping[Place, str], worst: Mapping[str, "_Worst"]) -> "_Worst | None":
        if not parts or self._outputs.parts is None:
            return None
        logits = np.stack([worst[part].logits for part in parts.values()])
        weighed = np.minimum(logits.max(axis=0) - self._outputs.parts.margin, self._outputs.parts.most)
        return _Worst(weighed.astype(np.float32), list(parts)[int(logits[:, 0].argmax())])

    def _windows(self, encoded: Encoded) -> list[tuple[int, int]]:
        if len(encoded.ids) > MOST_TOKENS:
            raise ScorerError(
                f"a text of {len(encoded.ids)} tokens is longer than the {MOST_TOKENS} that are scored; none was cut"
            )
        return windows_of(len(encoded.ids), longest=self._framing.room, overlap=self._overlap)

    def _row(self, encoded: Encoded, window: tuple[int, int]) -> list[int]:
        return [*self._framing.before, *encoded.ids[slice(*window)], *self._framing.after]

    def _logits(self, rows: Sequence[Sequence[int]]) -> Logits:
        logits = np.full((len(rows), len(self._outputs.labels)), np.nan, dtype=np.float32)
        batches = list(self._batches(rows))
        given = [ids for _, ids, _ in batches], [mask for _, _, mask in batches]
        answers = self._calls.map(self._forward, *given) if self._calls else map(self._forward, *given)
        for (batch, _, _), answer in zip(batches, answers, strict=True):
            if answer.shape != (len(batch), len(self._outputs.labels)):
                raise ScorerError(f"{self._model_id} gave logits of a shape that does not fit its labels")
            logits[batch] = answer
        if not np.isfinite(logits).all():
            raise ScorerError(f"{self._model_id} gave logits that are not finite numbers")
        return logits

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Tokens, Tokens]]:
        lengths = [len(row) for row in rows]
        for batch in batches_of(lengths, budget=self._batch_tokens, most=self._most_rows):
            longest = lengths[batch[0]]
            ids = np.full((len(batch), longest), self._framing.pad_id, dtype=np.int64)
            mask = np.zeros_like(ids)
            for place, index in enumerate(batch):
                ids[place, : lengths[index]] = rows[index]
                mask[place, : lengths[index]] = 1
            yield batch, ids, mask

    def _scores(self, whole: "_Worst", part: "_Worst | None", *, length: int) -> Scores:
        logits, window = whole.logits, whole.window
        if part is not None:
            logits = np.maximum(logits, part.logits)
            window = part.window if part.logits[0] > whole.logits[0] else window
        if window is not None:
            # A full stop that was added is no character of the text.
            window = (window[0], min(window[1], length))
        values = self._outputs.values(logits.tolist())
        calibrated = self._outputs.calibration is not None
        return checked(self._model_id, values, calibrated=calibrated, window=window)


def forget_words(tokenizer: Any) -> None:
    """Empty the memory of words that some kinds of tokenizers have, so that none outlives the call that had it."""
    forget = getattr(getattr(tokenizer, "model", None), "_clear_cache", None)
    if forget is not None:
        forget()


class _Worst(msgspec.Struct, frozen=True):
    """The highest logits of some places in a text, and the place of the first attribute's where it is not all of it."""

    logits: Logits
    window: Place | None


def _worst_of(encoded: Encoded, windows: Sequence[tuple[int, int]], logits: Logits) -> _Worst:
    window = None
    if len(windows) > 1:
        start, end = windows[int(logits[:, 0].argmax())]
        window = (encoded.offsets[start][0], encoded.offsets[end - 1][1])
    return _Worst(logits.max(axis=0), window)
