"""Learn which words are common and which harsh: python -m training.vocabulary --data DIR --out moderation/models/."""

import argparse
import re
from collections import Counter
from pathlib import Path

from moderation.vocabulary import pack_words
from training.corpus import load_corpus
from training.sources import Example, read_rows

FEWEST_TEXTS = 4
"""A common word stands in at least so many training texts."""
FEWEST_SPANS = 6
HARSH_SHARE = 0.6
"""A harsh word was, at least so often, a marked span by itself where it stood in a text."""
_SEVERE = 1.6
_SHORTEST = 3
_WORD = re.compile(r"[a-z]+")
_LISTED = re.compile(r"[a-z]{3,}")


def _marked_words(data: Path) -> Counter[str]:
    """Count, over all annotators, the single words that were marked as a whole span."""
    texts = {row["comment_id"]: row["comment_text"] for row in read_rows(data / "toxic-spans/comments.csv")}
    comment_of = {row["annotation"]: row["comment_id"] for row in read_rows(data / "toxic-spans/annotations.csv")}
    marked: Counter[str] = Counter()
    for row in read_rows(data / "toxic-spans/spans.csv"):
        comment = comment_of[row["annotation"]]
        if int(comment) % 5:
            word = texts[comment][int(row["start"]) : int(row["end"])].strip(" .,!?\"'").casefold()
            marked.update([word] if _LISTED.fullmatch(word) else [])
    return marked


def _counts(examples: list[Example]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(set(_WORD.findall(example.text.casefold())))
    return counts


def harsh_words(data: Path, examples: list[Example]) -> set[str]:
    """Return words that people marked as the harm itself, and words of the lists that are rated strong."""
    news = _counts([one for one in examples if one.source == "toxic-spans"])
    marked = _marked_words(data)
    votes = 3  # Each text was read by three or four people.
    spans = {word for word, seen in marked.items() if seen >= FEWEST_SPANS and seen / votes >= HARSH_SHARE * news[word]}
    listed = {
        row["text"].casefold()
        for row in read_rows(data / "surge-profanity/profanity_en.csv")
        if float(row["severity_rating"]) >= _SEVERE
    }
    listed |= set((data / "ldnoobw/en").read_text(encoding="utf-8").casefold().split("\n"))
    return {word for word in spans | listed if _LISTED.fullmatch(word)}


def main() -> None:
    """Write words.bin into the folder given by --out and print how many words it knows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write words.bin into")
    arguments = parser.parse_args()
    examples = load_corpus(arguments.data).train
    # Lists of words and templates would make anything common.
    texts = [one for one in examples if one.source not in ("surge-profanity", "unintended-ml-bias", "composed")]
    harsh = harsh_words(arguments.data, texts)
    common = {
        word for word, seen in _counts(texts).items() if seen >= FEWEST_TEXTS and len(word) <= 24 and word not in harsh
    }
    (arguments.out / "words.bin").write_bytes(pack_words(common, harsh))
    print(f"{len(common)} common words, {len(harsh)} harsh ones")


if __name__ == "__main__":
    main()
