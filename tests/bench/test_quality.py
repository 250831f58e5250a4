"""bench.quality prints what was asked for, under keys that scripts rely on, and refuses broken files in one line."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.identities import groups_in
from bench.quality import hold_threshold, main
from moderation.policy import default_policy
from moderation.scores import Attribute
from moderation.signals import read_signals
from moderation.words import WordList
from tests.tiny_onnx import tiny_folder
from training.evasions import DISGUISES, EVASIONS

RUDE = ["You are an idiot.", "What a stupid moron you are.", "Shut up, you pathetic loser."]
CIVIL = ["The trams should run later.", "I agree with the author.", "Thank you for this article.", "What a day!"]
Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Seven labelled comments with groups."""
    path = tmp_path / "rows.csv"
    groups = ["a", "a;b", "", "a", "b", " b ; a ", ""]
    lines = [f'"{text}",{label},{group}' for (text, label), group in zip(
        [*((text, "True") for text in RUDE), *((text, "False") for text in CIVIL)], groups, strict=True)]  # fmt: skip
    path.write_text("\n".join(["comment,toxic,group", *lines]) + "\n")
    return path


@pytest.fixture
def measure(file: Path, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run the command on that file with the hashed model and answer its JSON."""

    def call(*more: str, path: Path = file, text: str = "comment", label: str = "toxic") -> dict[str, Any]:
        base = ["--scorer", "hashed", "--csv", str(path), "--text", text, "--label", label, "--json"]
        assert main([*base, *more]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return call


def test_the_keys_that_scripts_rely_on(measure: Measure) -> None:
    """The figures have their agreed names, and say of which model and how many rows they are."""
    found = measure()
    assert found["auc"] == 1.0
    assert found["average_precision"] == pytest.approx(1.0)
    assert found["recall_at_fpr"] == {"0.01": 1.0, "0.02": 1.0, "0.05": 1.0}
    assert 0 <= found["ece"] <= 1
    assert found["microseconds_per_text"] > 0
    assert found["model_id"].startswith("hashed-")
    assert (found["rows"], found["positive"], found["attribute"], found["scorer"]) == (7, 3, "toxicity", "hashed")
    assert found["hold_threshold"] == hold_threshold(default_policy(), Attribute.TOXICITY)


def test_only_what_is_asked_for_is_measured(measure: Measure) -> None:
    """Without their options the parts that cost time are absent."""
    assert not {"groups", "evasions", "review", "policy", "functionality"} & measure().keys()


def test_groups_of_a_column(measure: Measure) -> None:
    """A column may name several groups with ; between, and spaces around them do not matter."""
    groups = measure("--groups", "group")["groups"]
    assert {name: (one["rows"], one["positive"]) for name, one in groups.items()} == {"a": (4, 2), "b": (3, 1)}
    assert {"false_positive_rate", "subgroup_auc", "bpsn_auc", "bnsp_auc"} <= groups["a"].keys()


def test_groups_by_the_words_of_the_text(measure: Measure, tmp_path: Path) -> None:
    """Without a column the words of the text say which groups it names."""
    path = tmp_path / "named.csv"
    path.write_text("comment,toxic\nMuslims and women live here.,0\nGay men are idiots.,1\nThe tram is late.,0\n")
    groups = measure("--groups", path=path)["groups"]
    assert {name: one["rows"] for name, one in groups.items()} == {"muslim": 1, "female": 1, "homosexual": 1, "male": 1}


@pytest.mark.parametrize(
    ("text", "groups"),
    [("A Jewish bakery", {"jewish"}), ("womanly mentality", set()), ("a black-and-white film", {"black", "white"})],
)
def test_identity_words_are_whole_words(text: str, groups: set[str]) -> None:
    """A group's name within another word names nobody."""
    assert groups_in(text) == groups


def test_evasions_are_measured_beside_the_clean_recall(measure: Measure) -> None:
    """Each disguise has its recall, and the clean one stands first."""
    found = measure("--evasions")["evasions"]
    assert list(found) == ["clean", *EVASIONS]
    assert all(0 <= recall <= 1 for recall in found.values())
    assert found["clean"] == measure()["recall_at_hold"]


def test_review_never_makes_it_worse(measure: Measure) -> None:
    """Accuracy rises, or stays, as a person reads more, in either order."""
    review = measure("--review")["review"]
    assert set(review) == {"by_uncertainty", "by_score"}
    for order in review.values():
        assert list(order) == ["0.00", "0.01", "0.05", "0.10", "0.20"]
        assert list(order.values()) == sorted(order.values())


def test_the_policys_shares_add_up(measure: Measure) -> None:
    """Per label, published, held and rejected are shares of one whole."""
    policy = measure("--policy")["policy"]
    assert set(policy) == {"0", "1"}
    for shares in policy.values():
        assert list(shares) == ["published", "held", "rejected"]
        assert sum(shares.values()) == pytest.approx(1)


def test_a_functional_test_has_a_pass_rate_per_class(measure: Measure, tmp_path: Path) -> None:
    """With a functionality column each class tells how many rows fell on the right side of the hold threshold."""
    path = tmp_path / "cases.csv"
    lines = ["test_case,label_gold,functionality", f'"{RUDE[0]}",hateful,slur', f'"{RUDE[1]}",non-hateful,quote',
             f'"{CIVIL[0]}",non-hateful,quote']  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    found = measure(path=path, text="test_case", label="label_gold")["functionality"]
    assert found == {"quote": {"rows": 2, "pass_rate": 0.5}, "slur": {"rows": 1, "pass_rate": 1.0}}


def test_one_label_only_has_no_ranking(measure: Measure, tmp_path: Path) -> None:
    """A file of civil texts alone has false positives and no area, rather than an error."""
    path = tmp_path / "civil.csv"
    path.write_text("comment,toxic\n" + "".join(f'"{text}",0\n' for text in CIVIL))
    found = measure("--policy", "--review", "--groups", "--evasions", path=path)
    assert (found["auc"], found["average_precision"], found["recall_at_fpr"]["0.01"]) == (None, None, None)
    assert found["false_positive_rate_at_hold"] == 0
    assert list(found["policy"]) == ["0"]
    assert found["evasions"]["clean"] is None


def test_a_sample_is_the_same_each_time(measure: Measure) -> None:
    """A sample has so many rows, and its figures do not change from run to run."""
    first, second = (measure("--sample", "5") | {"microseconds_per_text": 0} for _ in range(2))
    assert first == second
    assert first["rows"] == 5


def test_an_exported_folder_is_measured_as_it_is(measure: Measure, tmp_path: Path) -> None:
    """A model given by its path is measured for any of its harms, and said to be uncalibrated where it is."""
    folder = tiny_folder(tmp_path / "tiny")
    found = measure("--scorer", f"onnx:{folder}", "--attribute", "insult", "--threads", "1", "--evasions")
    assert found["model_id"].startswith("tiny@")
    assert (found["attribute"], found["calibrated"], found["rows"]) == ("insult", False, 7)
    assert 0.5 < found["auc"] < 1
    assert found["evasions"]["clean"] == found["recall_at_hold"]


def test_tables_tell_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json everything is printed as tables."""
    options = ["--evasions", "--review", "--policy", "--groups", "group"]
    assert main(["--scorer", "hashed", "--csv", str(file), "--text", "comment", "--label", "toxic", *options]) == 0
    printed = capsys.readouterr().out
    for part in ("auc  1.0000", "recall at 5% FPR", "BPSN AUC", "zero width", "most uncertain", "published"):
        assert part in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "absent"], "has no column absent; it has comment, toxic, group"),
        (["--text", "absent"], "has no column absent"),
        (["--groups", "absent"], "has no column absent"),
        (["--label", "group"], "line 2: the label is not 0, 1, true or false"),
        (["--csv", "absent.csv"], "there is no such file"),
        (["--scorer", "absent"], "absent"),
        (["--attribute", "sexual_explicit"], "does not score sexual_explicit"),
    ],
)
def test_what_is_wrong_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """A wrong file, column, label, model or attribute is one line on the error stream, and exit code 2."""
    base = ["--scorer", "hashed", "--csv", str(file), "--text", "comment", "--label", "toxic", "--json"]
    assert main([*base, *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_changes_the_bytes_and_not_the_words(name: str) -> None:
    """Every disguise alters a text, twice alike, and keeps its letters in their order for somebody who reads it."""
    text = "You are a pathetic little liar, and everybody knows it."
    disguised = DISGUISES[name](text)
    assert disguised == DISGUISES[name](text) != text
    if name not in ("look_alikes", "leet", "drawn_out"):
        assert letters(disguised) == letters(text)


@pytest.mark.parametrize("name", sorted(set(EVASIONS) - set(DISGUISES)))
def test_what_is_put_around_a_text_is_always_the_same(name: str) -> None:
    """A padded or quoted text holds the text as it was, and the same words beside it every time."""
    text = "You are a pathetic little liar, and everybody knows it."
    assert text in EVASIONS[name](text)
    assert EVASIONS[name](text) == EVASIONS[name](text) != text


def letters(text: str) -> str:
    """Answer the letters alone, without width, marks and case."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text).lower() if "a" <= sign <= "z")


@pytest.mark.parametrize("text", ["", " ", "a", "ab", "\U0001f600", "\ud800", "a\n\nb"])
@pytest.mark.parametrize("name", EVASIONS)
def test_a_disguise_never_fails(name: str, text: str) -> None:
    """Texts without a word to disguise come back as text."""
    assert isinstance(EVASIONS[name](text), str)


def test_the_disguises_that_signals_name_are_found() -> None:
    """What the policy calls an evasion is what is measured as one."""
    found = {name: read_signals(change("You are a pathetic liar"), WordList(())).evasions
             for name, change in EVASIONS.items()}  # fmt: skip
    assert "zero_width" in found["zero_width"]
    assert "look_alikes" in found["look_alikes"]
    assert "spaced_letters" in found["spaced_letters"]
    assert "stacked_marks" in found["stacked_marks"]
