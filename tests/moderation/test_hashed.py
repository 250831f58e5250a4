"""The shipped scorer reads anything and refuses damaged weights."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.policy import default_policy
from moderation.scorers import Scorer, ScorerError, check_scores
from moderation.scorers.hashed import SHIPPED, WINDOW, HashedScorer, windows
from moderation.scorers.ngrams import FEATURES, slots_of, tokens
from moderation.scorers.weights import unpack
from moderation.scores import Attribute, Scores, checked
from tests.moderation.samples import LANGUAGES

SCORER = HashedScorer.load()


def toxicity(text: str) -> float:
    """Return what the shipped model says about a text."""
    return SCORER.score([text])[0].values[Attribute.TOXICITY]


def test_the_default_policy_lets_it_stand_in() -> None:
    """New weights without a word in the policy would hold every comment, so they cannot be shipped apart."""
    assert default_policy().fallback_model == SCORER.model_id


def test_the_model_id_is_its_bytes() -> None:
    """The id ends with the first digits of the hash of the file, so other weights have another id."""
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    scorer: Scorer = SCORER
    assert scorer.model_id == f"hashed-2@{digest[:8]}"
    assert scorer.languages == frozenset({"en"})
    assert scorer.attributes[0] is Attribute.TOXICITY
    assert len(scorer.attributes) == 5


def test_the_card_names_the_shipped_model() -> None:
    """The numbers of the model card are those of the file beside it."""
    assert SCORER.model_id in SHIPPED.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("keep", [0, 7, 40, 1000, -1])
def test_truncated_weights_are_refused(tmp_path: Path, keep: int) -> None:
    """A file cut anywhere is an error at load, not a model that answers."""
    path = tmp_path / "cut.bin"
    path.write_bytes(SHIPPED.read_bytes()[:keep])
    with pytest.raises(ScorerError):
        HashedScorer.load(path)


@given(st.integers(0, SHIPPED.stat().st_size - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused(position: int, change: int) -> None:
    """No single changed byte of the weights goes unnoticed."""
    data = bytearray(SHIPPED.read_bytes())
    data[position] ^= change
    with pytest.raises(ScorerError):
        unpack(bytes(data))


@pytest.mark.parametrize("head", [b"{}", b"not json", b'{"name":"x","languages":[],"heads":[]}'])
def test_a_signed_file_with_a_wrong_header_is_refused(head: bytes) -> None:
    """A header that is whole but not a header is refused too."""
    body = b"CLQHASH1" + len(head).to_bytes(4, "big") + head + bytes(FEATURES)
    with pytest.raises(ScorerError):
        unpack(body + hashlib.sha256(body).digest())


def test_a_missing_file_is_a_scorer_error(tmp_path: Path) -> None:
    """An absent file is told by its name alone."""
    with pytest.raises(ScorerError, match=r"^the weights file none.bin cannot be read$"):
        HashedScorer.load(tmp_path / "none.bin")


STRANGE = (
    "",
    " ",
    "\x00",
    "\ud800",
    "👍🏽👩\u200d👩\u200d👧",
    "\u202e\u200f",
    "!!!",
    "0",
    "\n" * 99,
    *LANGUAGES.values(),
)


def test_any_text_has_scores() -> None:
    """Empty, invisible, emoji and 32 languages each get one sound answer, in order."""
    assert len(check_scores(STRANGE, SCORER.score(STRANGE))) == len(STRANGE)
    assert SCORER.score(STRANGE) == [SCORER.score([text])[0] for text in STRANGE]
    assert SCORER.score([]) == []


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_scoring_is_total(text: str) -> None:
    """Any text is scored within bounds, twice the same."""
    assert 0.0 <= toxicity(text) == toxicity(text) <= 1.0


@pytest.mark.parametrize("text", ["word " * 200_000, "x" * 1_000_000, "!" * 1_000_000, "ab1 " * 250_000])
def test_a_megabyte_is_scored(text: str) -> None:
    """A million characters are scored, and their features stay in proportion."""
    assert 0.0 <= toxicity(text) <= 1.0


def test_features_stay_in_the_table() -> None:
    """Every slot of any of the languages lies in the weights."""
    words = tokens(" ".join(LANGUAGES.values()))
    assert all(0 <= slot < FEATURES for slot in slots_of(words))


@given(st.integers(0, 5 * WINDOW))
def test_windows_cover_every_word(count: int) -> None:
    """No word of a long text escapes all windows, and no window is longer than allowed."""
    words = [str(number) for number in range(count)]
    seen = list(windows(words))
    assert set().union(*seen) == set(words)
    assert max(map(len, seen)) <= WINDOW


def test_scores_are_checked() -> None:
    """Answers of the wrong number or with unsound values are errors."""
    good = checked("m", {Attribute.TOXICITY: 0.5}, calibrated=True)
    assert check_scores(["a"], [good]) == [good]
    with pytest.raises(ScorerError):
        check_scores(["a", "b"], [good])
    for value in (float("nan"), float("inf"), -0.1, 1.1):
        with pytest.raises(ScorerError):
            checked("m", {Attribute.TOXICITY: value}, calibrated=True)
        with pytest.raises(ScorerError):
            check_scores(["a"], [Scores("m", True, {Attribute.TOXICITY: value})])
    with pytest.raises(ScorerError):
        checked("m", {}, calibrated=True)


def test_scores_cross_the_wire() -> None:
    """Scores survive JSON, attribute names and all."""
    scores = SCORER.score(["hello"])[0]
    assert msgspec.json.decode(msgspec.json.encode(scores), type=Scores) == scores
