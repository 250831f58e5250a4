"""All examples, split by a hash of their text, with the fixed test rows set apart before anything is learned."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from moderation.scores import Attribute
from training import sources
from training.hostile import hostile_texts
from training.neutral import identity_texts, neutral_texts
from training.sources import CIVIL, FUZZED, TESTSET, Example, held_out

SEED = 20180829
_KEY_LENGTH = 120
_DAVIDSON_ROWS = 5000
_TEMPLATE_ROWS = 6000


class Corpus(msgspec.Struct, frozen=True):
    """Examples by use; no two parts share a text and no test text is in the others."""

    train: list[Example]
    calibrate: list[Example]
    dev: list[Example]
    test: list[Example]


def key_of(text: str) -> str:
    """Return the first 120 letters and digits of a text, folded: texts with one key count as the same."""
    return "".join(character for character in text.casefold() if character.isalnum())[:_KEY_LENGTH]


def _composed() -> Iterator[Example]:
    for text in (*neutral_texts(), *identity_texts()):
        yield Example(text, CIVIL, "composed")
    for text, harm in hostile_texts():
        yield Example(text, {Attribute.TOXICITY: 1.0} | ({harm: 1.0} if harm else {}), "composed")


def _all_examples(data: Path) -> list[Example]:
    chance = random.Random(SEED)
    tweets = chance.sample(list(sources.tweets(data)), _DAVIDSON_ROWS)
    templates = chance.sample(list(sources.templates(data)), _TEMPLATE_ROWS)
    return [
        *sources.news(data), *sources.talk_pages(data), *sources.perspective(data), *tweets, *templates,
        *sources.lexicon(data), *_composed(), *sources.written(), *sources.news_sentences(data),
    ]  # fmt: skip


def _without_repeats(examples: Iterable[Example], seen: set[str]) -> Iterator[Example]:
    for example in examples:
        key = key_of(example.text)
        if key and key not in seen:
            seen.add(key)
            yield example


def load_corpus(data: Path) -> Corpus:
    """Read every folder and split it by a hash of the text: 8 parts train, 1 calibrates, 1 is for development.

    A sentence goes where the comment goes that it is a part of.
    """
    examples = _all_examples(data)
    test = [example for example in examples if example.test]
    barred = {key_of(one.text) for one in (*test, *held_out(data, TESTSET), *held_out(data, FUZZED))}
    parts: list[list[Example]] = [[] for _ in range(10)]
    for example in _without_repeats(examples, set(barred)):
        whole = key_of(example.whole or example.text)
        if whole not in barred:
            parts[crc32(whole.encode()) % 10].append(example)
    train = [example for part in parts[:8] for example in part]
    return Corpus(train=train, calibrate=parts[8], dev=parts[9], test=test)
