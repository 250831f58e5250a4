"""Compare what a model says with what the Perspective API was recorded to say, before somebody changes the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from moderation.agreement import THRESHOLDS, AtThreshold, at_threshold, rank_agreement, same_share_from
from moderation.language import detect_language, may_judge
from moderation.perspective import attribute_of
from moderation.scale import is_scaled, on_perspective_scale
from moderation.scorers import Scorer
from moderation.scores import Scores
from service.bulk.recorded import Call, Skipped, read_call
from service.bulk.score import PERSPECTIVE, score_each
from service.settings import SettingsError

_CHUNK = 64


class Pairs:
    """What both sides said of one attribute; of some texts it is only known that theirs was under a threshold."""

    def __init__(self) -> None:
        self._ours: list[float] = []
        self._theirs: list[float] = []
        self._beside_hidden: list[float] = []
        self._under: list[float] = []
        self.thresholds = set(THRESHOLDS)

    def add(self, ours: float, theirs: float) -> None:
        """Take a text that both have scored."""
        self._ours.append(ours)
        self._theirs.append(theirs)

    def add_hidden(self, ours: float, under: float) -> None:
        """Take a text whose score was not told, since it was under a threshold."""
        self._beside_hidden.append(ours)
        self._under.append(under)

    def figures(self) -> dict[str, Any]:
        """Answer the agreement, None where no text can tell it."""
        ours, theirs = np.asarray(self._ours), np.asarray(self._theirs)
        return {
            "rows": len(self._ours),
            "rows_under_a_threshold": len(self._under),
            "spearman": _rounded(rank_agreement(ours, theirs) if ours.size > 1 else None),
            "mean_absolute_error": _rounded(float(np.abs(ours - theirs).mean()) if ours.size else None),
            "at": {f"{threshold:g}": self._at(threshold) for threshold in sorted(self.thresholds)},
        }

    def _at(self, threshold: float) -> dict[str, Any]:
        # Under the threshold that hid it a score is under each higher one as well; under a lower one nobody knows.
        known = [one for one, under in zip(self._beside_hidden, self._under, strict=True) if under <= threshold]
        ours, theirs = [*self._ours, *known], [*self._theirs, *([0.0] * len(known))]
        one = at_threshold(ours, theirs, threshold)
        return _told(one) | {"same_share_from": _rounded(same_share_from(ours, theirs, threshold) if ours else None)}


def _told(one: AtThreshold) -> dict[str, Any]:
    return {
        "rows": one.rows,
        "agree": _rounded(one.agree if one.rows else None),
        "both": one.both,
        "ours": one.ours,
        "theirs": one.theirs,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


class Shadow:
    """Takes recorded calls and counts; it keeps numbers, and no text."""

    def __init__(self, scorer: Scorer, scale: str) -> None:
        """Take the model, and whether it speaks on Perspective's scale, as the endpoint would."""
        self._scorer, self._scale = scorer, scale
        self._pairs: dict[str, Pairs] = {}
        self._skipped: Counter[str] = Counter()
        self._not_measured: Counter[str] = Counter()
        self._read = self._compared = 0
        self._scored = False

    def take(self, lines: Iterable[bytes], reach: Callable[[int], None]) -> None:
        """Compare every line that is not blank; SettingsError where the model refuses all of several texts."""
        whole = (line for line in lines if line.strip())
        while chunk := list(islice(whole, _CHUNK)):
            self._read += len(chunk)
            self._take(list(self._calls(chunk)))
            reach(self._read)
        if self._skipped[Skipped.REFUSED] > 1 and not self._scored:
            raise SettingsError("the model refuses every text")

    def _calls(self, lines: Sequence[bytes]) -> Iterator[Call]:
        for line in lines:
            call = read_call(line)
            if isinstance(call, Skipped):
                self._skipped[call] += 1
            elif not self._reads(call):
                self._skipped[Skipped.LANGUAGE] += 1
            else:
                yield call

    def _reads(self, call: Call) -> bool:
        """Answer whether the endpoint would score a text, by the same rule."""
        return may_judge(self._scorer.languages, call.languages, detect_language(call.text))

    def _take(self, calls: Sequence[Call]) -> None:
        for call, scores in zip(calls, score_each(self._scorer, [call.text for call in calls]), strict=True):
            self._scored = self._scored or scores is not None
            if scores is None:
                self._skipped[Skipped.REFUSED] += 1
            elif self._compare(call, scores):
                self._compared += 1
            else:
                self._skipped[Skipped.NO_SCORE] += 1

    def _compare(self, call: Call, scores: Scores) -> bool:
        measured = False
        for name in (*call.scores, *call.hidden):
            ours = self._value(name, scores)
            if ours is None:
                self._not_measured[name] += 1
                continue
            measured, pairs = True, self._pairs.setdefault(name, Pairs())
            if name in call.scores:
                pairs.add(ours, call.scores[name])
            else:
                pairs.add_hidden(ours, call.hidden[name])
            if name in call.thresholds:
                pairs.thresholds.add(call.thresholds[name])
        return measured

    def _value(self, name: str, scores: Scores) -> float | None:
        attribute = attribute_of(name)
        said = None if attribute is None else scores.values.get(attribute)
        if attribute is None or said is None or self._scale != PERSPECTIVE:
            return said
        return on_perspective_scale(scores.model_id, attribute, said)

    def report(self) -> dict[str, Any]:
        """Answer what was found, in names and numbers."""
        names = sorted(self._pairs)
        unscaled = [name for name in names if not self._is_scaled(name)] if self._scale == PERSPECTIVE else []
        return {
            "model_id": self._scorer.model_id,
            "scale": self._scale,
            "without_a_map": unscaled,
            "lines": self._read,
            "compared": self._compared,
            "skipped": dict(self._skipped.most_common()),
            "not_measured": dict(self._not_measured.most_common()),
            "attributes": {name: self._pairs[name].figures() for name in names},
        }

    def _is_scaled(self, name: str) -> bool:
        attribute = attribute_of(name)
        return attribute is not None and is_scaled(self._scorer.model_id, attribute)
