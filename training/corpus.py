"""The public data as labelled texts, with the fixed test rows set apart before anything is learned."""

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from training.hostile import hostile_texts
from training.neutral import identity_texts, neutral_texts

SEED = 20180829
TESTSET = "unintended-ml-bias/toxicity_nonfuzzed_testset.csv"
FUZZED = "unintended-ml-bias/toxicity_fuzzed_testset.csv"
_PERSPECTIVE = "perspective-wikipedia-2k/perspective_wikipedia_2k_score_sample_20180829.csv"
_KEY_LENGTH = 120
_DAVIDSON_ROWS = 5000
_TEMPLATE_ROWS = 6000
_SEVERE = 2.0


class Example(msgspec.Struct, frozen=True):
    """One text, whether people called it toxic, the folder it came from, and Perspective's score where known."""

    text: str
    toxic: bool
    source: str
    test: bool = False
    perspective: float | None = None


class Corpus(msgspec.Struct, frozen=True):
    """Examples by use; no two parts share a text and no test text is in the others."""

    train: list[Example]
    calibrate: list[Example]
    dev: list[Example]
    test: list[Example]


def key_of(text: str) -> str:
    """Return the first 120 letters and digits of a text, folded: texts with one key count as the same."""
    return "".join(character for character in text.casefold() if character.isalnum())[:_KEY_LENGTH]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _news(data: Path) -> Iterator[Example]:
    votes: dict[str, list[bool]] = defaultdict(list)
    for row in _rows(data / "toxic-spans/annotations.csv"):
        votes[row["comment_id"]].append(row["not toxic"] == "True")
    for row in _rows(data / "toxic-spans/comments.csv"):
        against = votes[row["comment_id"]]
        if against:
            toxic = sum(against) * 2 < len(against)
            yield Example(row["comment_text"], toxic, "toxic-spans", int(row["comment_id"]) % 5 == 0)


def _talk_pages(data: Path) -> Iterator[Example]:
    for name in ("gc", "gn"):
        for row in _rows(data / f"context-toxicity/{name}.csv"):
            score = float(row["api"]) if row["api"] else None
            yield Example(row["text"], row["label"] == "1", "context-toxicity", perspective=score)


def _perspective(data: Path) -> Iterator[Example]:
    for position, row in enumerate(_rows(data / _PERSPECTIVE)):
        score = float(row["TOXICITY@6"])
        test = position % 4 == 0
        yield Example(row["comment_text"], score > 0.5, "perspective-wikipedia-2k", test, score)


def _tweets(data: Path, chance: random.Random) -> list[Example]:
    rows = [Example(row["tweet"], row["class"] != "2", "davidson") for row in _rows(data / "davidson/labeled_data.csv")]
    return chance.sample(rows, _DAVIDSON_ROWS)


def _templates(data: Path, chance: random.Random) -> list[Example]:
    path = data / "unintended-ml-bias/en_sentence_templates.csv"
    rows = [Example(row["phrase"], row["toxicity"] == "toxic", "unintended-ml-bias") for row in _rows(path)]
    return chance.sample(rows, _TEMPLATE_ROWS)


def _lexicon(data: Path) -> Iterator[Example]:
    for row in _rows(data / "surge-profanity/profanity_en.csv"):
        if float(row["severity_rating"]) >= _SEVERE:
            yield Example(row["text"], True, "surge-profanity")


def _written() -> Iterator[Example]:
    for text in (*neutral_texts(), *identity_texts()):
        yield Example(text, False, "written")
    for text in hostile_texts():
        yield Example(text, True, "written")


def held_out(data: Path, name: str = TESTSET) -> list[Example]:
    """Return the talk-page test rows of a file, which are for measuring alone."""
    return [Example(row["comment"], row["toxic"] == "True", "talk-pages", True) for row in _rows(data / name)]


def _all_examples(data: Path) -> list[Example]:
    chance = random.Random(SEED)
    return [
        *_news(data), *_talk_pages(data), *_perspective(data), *_tweets(data, chance),
        *_templates(data, chance), *_lexicon(data), *_written(),
    ]  # fmt: skip


def _without_repeats(examples: Iterable[Example], seen: set[str]) -> Iterator[Example]:
    for example in examples:
        key = key_of(example.text)
        if key and key not in seen:
            seen.add(key)
            yield example


def load_corpus(data: Path) -> Corpus:
    """Read every folder and split it by a hash of the text: 8 parts train, 1 calibrates, 1 is for development."""
    examples = _all_examples(data)
    test = [example for example in examples if example.test]
    barred = {key_of(one.text) for one in (*test, *held_out(data), *held_out(data, FUZZED))}
    parts: list[list[Example]] = [[] for _ in range(10)]
    for example in _without_repeats(examples, barred):
        parts[crc32(key_of(example.text).encode()) % 10].append(example)
    train = [example for part in parts[:8] for example in part]
    return Corpus(train=train, calibrate=parts[8], dev=parts[9], test=test)
