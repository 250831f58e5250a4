"""Groups of people by the words that name them, for texts without a column that does; slurs are left out on purpose."""

from __future__ import annotations

import re

_WORDS = {
    "muslim": "muslims? islam islamic",
    "jewish": "jews? jewish judaism",
    "christian": "christians? christianity catholics? catholic protestants?",
    "hindu": "hindus? hinduism",
    "buddhist": "buddhists? buddhism",
    "atheist": "atheists? atheism",
    "black": "black african-americans? africans?",
    "white": "white caucasians?",
    "asian": "asians? chinese japanese koreans? indians?",
    "latino": "latin[oax]s? hispanics? mexicans?",
    "arab": "arabs? arabic palestinians?",
    "roma": "roma sinti",
    "immigrant": "immigrants? migrants? refugees?",
    "homosexual": "gays? lesbians? homosexuals? homosexuality queer bisexuals?",
    "heterosexual": "straight heterosexuals?",
    "transgender": "trans transgender transsexuals?",
    "female": "wom[ae]n females? girls?",
    "male": "m[ae]n males? boys?",
    "disabled": "disabled disability disabilities blind deaf paraly[sz]ed wheelchairs?",
    "mentally_ill": "depressed bipolar schizophreni[ac]s? autis(?:m|tic)",
    "old": "old elderly older",
    "young": "young younger teenagers?",
}
_PATTERNS = {name: re.compile(rf"\b(?:{'|'.join(words.split())})\b", re.IGNORECASE) for name, words in _WORDS.items()}


def groups_in(text: str) -> set[str]:
    """Return the groups that a text names."""
    return {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
