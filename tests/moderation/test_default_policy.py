"""The shipped policy with each of the shipped models: civil comments go out, abuse does not, disguise does not help."""

import pytest

from moderation.policy import Outcome, default_policy
from moderation.scorers import Scorer
from moderation.scorers.hashed import HashedScorer
from moderation.scorers.onnx import OnnxScorer
from moderation.signals import read_signals
from moderation.verdict import judge
from moderation.words import WordList
from service.scorers import COMPACT
from tests.moderation.samples import LANGUAGES
from training.unseen import UNSEEN_NEUTRAL

SCORERS: dict[str, Scorer] = {"compact": OnnxScorer.load(COMPACT), "hashed": HashedScorer.load()}
POLICY = default_policy()
WORDS = WordList(POLICY.words)


@pytest.fixture(params=SCORERS)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    """The default model, and the one that speaks in its place."""
    return SCORERS[request.param]


def outcome(scorer: Scorer, text: str) -> Outcome:
    """Return what the default policy proposes for a text."""
    return judge(scorer.score([text])[0], read_signals(text, WORDS), POLICY, languages=scorer.languages).outcome


CIVIL_SENTENCES = (
    "The council meets on Tuesday at seven to vote on the new budget for the library.",
    "The trains were late again this morning and nobody could say why.",
    "My grandmother took this tram every day.",
)
ABUSE = (
    "Kill all Muslims.", "Gas the Jews.", "You are an idiot.", "You fucking moron.", "Jews are rats.",
    "I will come to your house and kill you.", "You dumb cunt.", "Go back to Africa, monkey.",
)  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("abuse", ABUSE)
def test_one_abusive_sentence_is_not_drowned_by_civil_ones(abuse: str, count: int) -> None:
    """Before, after or around a few words of abuse, one to three civil sentences do not make them publishable."""
    civil = " ".join(CIVIL_SENTENCES[:count])
    places = (f"{abuse} {civil}", f"{civil} {abuse}", f"{civil} {abuse} {CIVIL_SENTENCES[2]}", f"{civil}\n\n{abuse}")
    assert Outcome.PUBLISH not in {outcome(SCORERS["compact"], text) for text in places}


@pytest.mark.parametrize("frame", ['He said: "{}"', '"{}"', "The report quotes: {}", "{} https://example.org/a/b"])
@pytest.mark.parametrize("abuse", ABUSE)
def test_a_short_frame_does_not_publish_abuse(abuse: str, frame: str) -> None:
    """Marked as a quotation, or with an address behind it, a few words of abuse wait for a person."""
    assert outcome(SCORERS["compact"], frame.format(abuse)) is not Outcome.PUBLISH


def test_gross_abuse_is_not_drowned_by_hundreds_of_civil_words(scorer: Scorer) -> None:
    """Around many insults, hundreds of civil words do not make a comment publishable, whichever model speaks."""
    civil = f"{CIVIL_SENTENCES[0]} " * 20
    abuse = "You are a stupid worthless idiot and I hope you die, you disgusting piece of shit, fuck you."
    assert outcome(scorer, civil + abuse + civil) is not Outcome.PUBLISH


@pytest.mark.parametrize("text", ["Hello! Jerusalem. Gaza. Thank you.", "Good morning. Ahmed, Fatima and Yusuf. Bye."])
def test_names_and_greetings_are_no_parts_that_hold_a_text(text: str) -> None:
    """What is nothing but names and courtesies is not judged word by word."""
    assert outcome(SCORERS["compact"], text) is Outcome.PUBLISH


DISGUISES = (
    "you are a st\u200bup\u200bid id\u200biot",
    "you are a stuріd іdіоt",
    "you are a stup1d 1d10t",
    "you are a s t u p i d  i d i o t",
    "you are a stuuuupid idiiiiot",
    "ｙｏｕ ａｒｅ ａ ｓｔｕｐｉｄ ｉｄｉｏｔ",
)


@pytest.mark.parametrize("text", DISGUISES)
def test_disguised_abuse_is_not_published(scorer: Scorer, text: str) -> None:
    """Abuse behind zero-width characters, look-alikes, leet or spaces is at the least held."""
    assert outcome(scorer, text) is not Outcome.PUBLISH


GROSS = (
    "You are a stupid worthless idiot and I hope you die",
    "Fuck you, you piece of shit",
    "Shut the fuck up you dumb bitch",
    "You people are disgusting vermin",
    "Go kill yourself, you pathetic loser",
    "What a bunch of fucking morons",
)


@pytest.mark.parametrize("text", GROSS)
def test_gross_abuse_is_not_published(scorer: Scorer, text: str) -> None:
    """Plain abuse is held or rejected by the default policy."""
    assert outcome(scorer, text) is not Outcome.PUBLISH


CIVIL = UNSEEN_NEUTRAL[:3]


@pytest.mark.parametrize("text", CIVIL)
def test_civil_sentences_with_hard_words_are_published(scorer: Scorer, text: str) -> None:
    """News of war and the names of faiths are not abuse."""
    assert outcome(scorer, text) is Outcome.PUBLISH


def test_few_unseen_civil_sentences_are_held_and_none_rejected(scorer: Scorer) -> None:
    """Of the civil sentences that training never saw, at most one in twelve waits and none is refused."""
    outcomes = [outcome(scorer, text) for text in UNSEEN_NEUTRAL]
    assert outcomes.count(Outcome.REJECT) == 0
    assert outcomes.count(Outcome.HOLD) * 12 <= len(outcomes)


def test_signals_hold_by_the_default_policy(scorer: Scorer) -> None:
    """Many links, shouting and long repeats wait for a person."""
    for text in (
        "look http://a.example http://b.example http://c.example",
        "THIS IS THE BEST ARTICLE EVER WRITTEN HERE",
        "nice " * 25,
    ):
        assert outcome(scorer, text) is Outcome.HOLD


def test_other_languages_are_held_not_guessed(scorer: Scorer) -> None:
    """A model that reads English does not publish a sentence in any of 31 other languages."""
    assert {code for code, text in LANGUAGES.items() if outcome(scorer, text) is Outcome.PUBLISH} == {"en"}
