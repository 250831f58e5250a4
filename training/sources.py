"""The public data, a reader for each folder: what people, or Perspective, said of each text, attribute by attribute."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import msgspec

from moderation.scores import Attribute

TESTSET = "unintended-ml-bias/toxicity_nonfuzzed_testset.csv"
FUZZED = "unintended-ml-bias/toxicity_fuzzed_testset.csv"
ATTRIBUTES = (
    Attribute.TOXICITY,
    Attribute.INSULT,
    Attribute.OBSCENE,
    Attribute.IDENTITY_ATTACK,
    Attribute.THREAT,
)
"""The harms that the data can teach; the typed spans of toxic-spans name the last four."""
CIVIL = dict.fromkeys(ATTRIBUTES, 0.0)
PERSPECTIVE = "perspective-wikipedia-2k/perspective_wikipedia_2k_score_sample_20180829.csv"
_TYPES = {
    "Insult": Attribute.INSULT,
    "Profane/Obscene": Attribute.OBSCENE,
    "Identity based Attack": Attribute.IDENTITY_ATTACK,
    "Threat": Attribute.THREAT,
}
_COLUMNS = {
    Attribute.TOXICITY: "TOXICITY@6",
    Attribute.INSULT: "INSULT",
    Attribute.OBSCENE: "OBSCENE",
    Attribute.IDENTITY_ATTACK: "IDENTITY_ATTACK",
    Attribute.THREAT: "THREAT",
}
_SLURS = ("racial", "sexual orientation", "religious")
_PEOPLE_SHARE = 0.8
_HARMLESS = 0.1
_SEVERE = 2.0
_TEST_SHARE = 5
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+[\"'”’)]*|\n+|$)\s*")
_SHORTEST_SENTENCE = 20
_FEWEST_VOTES = 3
_CLEAR = 0.6
WRITTEN = Path(__file__).parent / "written"


class Example(msgspec.Struct, frozen=True):
    """One text, how much of each known harm is in it (in [0, 1]), where it is from, and the text it is a part of."""

    text: str
    targets: dict[Attribute, float]
    source: str
    test: bool = False
    whole: str | None = None

    @property
    def toxic(self) -> bool:
        """Whether most people called it toxic."""
        return self.targets[Attribute.TOXICITY] > 0.5


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


class _Judged(msgspec.Struct):
    """What the annotators of one news comment said: their number, who called it civil, and the spans of each."""

    votes: int = 0
    civil: int = 0
    everywhere: int = 0
    spans: dict[str, list[tuple[Attribute | None, int, int]]] = msgspec.field(default_factory=dict)


def _judgements(data: Path) -> dict[str, _Judged]:
    judged: dict[str, _Judged] = defaultdict(_Judged)
    comment_of = {}
    for row in read_rows(data / "toxic-spans/annotations.csv"):
        one = judged[row["comment_id"]]
        comment_of[row["annotation"]] = row["comment_id"]
        one.votes += 1
        one.civil += row["not toxic"] == "True"
        one.everywhere += row["all toxic"] == "True"
    for row in read_rows(data / "toxic-spans/spans.csv"):
        one = judged[comment_of[row["annotation"]]]
        span = (_TYPES.get(row["type"]), int(row["start"]), int(row["end"]))
        one.spans.setdefault(row["annotation"], []).append(span)
    return judged


def _harm_within(one: _Judged, start: int, end: int) -> dict[Attribute, float]:
    """Return the share of annotators, of those who said where, who saw each harm between two characters."""
    votes = one.votes - one.everywhere or 1
    seen: Counter[Attribute] = Counter()
    for spans in one.spans.values():
        kinds = {kind for kind, first, last in spans if first < end and last > start}
        seen.update({kind for kind in kinds if kind} | ({Attribute.TOXICITY} if kinds else set()))
    return {attribute: seen[attribute] / votes for attribute in ATTRIBUTES}


def news(data: Path) -> Iterator[Example]:
    """Yield comments under news (Civil Comments), all of them once picked as toxic, as their annotators saw them."""
    judged = _judgements(data)
    for row in read_rows(data / "toxic-spans/comments.csv"):
        one, text = judged.get(row["comment_id"]), row["comment_text"]
        if one and one.votes:
            targets = _harm_within(one, 0, len(text))
            targets[Attribute.TOXICITY] = 1 - one.civil / one.votes
            yield Example(text, targets, "toxic-spans", int(row["comment_id"]) % _TEST_SHARE == 0)


def news_sentences(data: Path) -> Iterator[Example]:
    """Yield the sentences of news comments: those that nobody marked are the civil news that the data lacks else."""
    judged = _judgements(data)
    for row in read_rows(data / "toxic-spans/comments.csv"):
        one, text = judged.get(row["comment_id"]), row["comment_text"]
        test = int(row["comment_id"]) % _TEST_SHARE == 0
        bounds = [match.start() for match in _SENTENCE.finditer(text)] + [len(text)]
        if one is None or one.votes - one.everywhere < _FEWEST_VOTES or test or len(bounds) < 3:
            continue
        for start, end in pairwise(bounds):
            sentence = text[start:end].strip()
            targets = _harm_within(one, start, end)
            doubtful = 0.0 < targets[Attribute.TOXICITY] < _CLEAR
            if len(sentence) >= _SHORTEST_SENTENCE and not doubtful:
                yield Example(sentence, targets, "news-sentences", whole=text)


def talk_pages(data: Path) -> Iterator[Example]:
    """Yield Wikipedia talk pages with Perspective's score, raised where people called the text toxic."""
    for name in ("gc", "gn"):
        for row in read_rows(data / f"context-toxicity/{name}.csv"):
            toxicity = max(float(row["api"] or 0), _PEOPLE_SHARE * (row["label"] == "1"))
            targets = CIVIL | {Attribute.TOXICITY: toxicity} if toxicity < _HARMLESS else {Attribute.TOXICITY: toxicity}
            yield Example(row["text"], targets, "context-toxicity")


def perspective(data: Path) -> Iterator[Example]:
    """Yield talk pages with what Perspective said of each harm; every fourth row is for testing."""
    for position, row in enumerate(read_rows(data / PERSPECTIVE)):
        targets = {attribute: float(row[column]) for attribute, column in _COLUMNS.items()}
        yield Example(row["comment_text"], targets, "perspective-wikipedia-2k", position % 4 == 0)


def tweets(data: Path) -> Iterator[Example]:
    """Yield tweets, toxic where the crowd said hate or offensive; who called what else is not known."""
    for row in read_rows(data / "davidson/labeled_data.csv"):
        toxic = row["class"] != "2"
        yield Example(row["tweet"], {Attribute.TOXICITY: 1.0} if toxic else CIVIL, "davidson")


def templates(data: Path) -> Iterator[Example]:
    """Yield short sentences about identities, half of them toxic by their adjective or verb alone."""
    for row in read_rows(data / "unintended-ml-bias/en_sentence_templates.csv"):
        toxic = row["toxicity"] == "toxic"
        yield Example(row["phrase"], {Attribute.TOXICITY: 1.0} if toxic else CIVIL, "unintended-ml-bias")


def lexicon(data: Path) -> Iterator[Example]:
    """Yield words and phrases that people rated as at least strongly profane, slurs apart."""
    for row in read_rows(data / "surge-profanity/profanity_en.csv"):
        if float(row["severity_rating"]) >= _SEVERE:
            slur = any(row[f"category_{n}"].startswith(_SLURS) for n in (1, 2, 3))
            targets = {Attribute.TOXICITY: 1.0, Attribute.THREAT: 0.0}
            yield Example(
                row["text"],
                targets | {Attribute.IDENTITY_ATTACK if slur else Attribute.OBSCENE: 1.0},
                "surge-profanity",
            )


def written() -> Iterator[Example]:
    """Yield the sentences that were written for these models and stand in this repository."""
    for name in ("civil_conflict", "civil_news", "civil_contrast", "civil_everyday"):
        for row in read_rows(WRITTEN / f"{name}.csv"):
            yield Example(row["text"], CIVIL, f"written-{name}")
    for name in ("hostile", "hostile_more"):
        for row in read_rows(WRITTEN / f"{name}.csv"):
            yield Example(row["text"], _hostile_targets(row), "written-hostile")


def _hostile_targets(row: Mapping[str, str]) -> dict[Attribute, float]:
    named = {attribute: float(row[attribute.value]) for attribute in ATTRIBUTES[1:]}
    return {Attribute.TOXICITY: 1.0, **named}


def held_out(data: Path, name: str = TESTSET) -> list[Example]:
    """Return the talk-page test rows of a file, which are for measuring alone."""
    return [
        Example(row["comment"], {Attribute.TOXICITY: float(row["toxic"] == "True")}, "talk-pages", True)
        for row in read_rows(data / name)
    ]
