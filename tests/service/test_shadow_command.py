"""`shadow` compares recorded Perspective answers with ours, tells what it left out and why, and never shows a text."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.scale import on_perspective_scale
from moderation.scorers.hashed import HashedScorer
from moderation.scores import Attribute, ScorerError, Scores
from service import __main__ as command_line
from service import shadow_command
from service.bulk.recorded import LONGEST_TEXT_BYTES, Call, Skipped, read_call
from service.bulk.shadow import Shadow

SECRET = "marzipan"
RUDE, CIVIL = f"You are an idiot, {SECRET}.", f"Thank you for this lovely article about {SECRET}."
Run = Callable[..., dict[str, Any]]


def call(
    text: str, scores: dict[str, float], *, thresholds: dict[str, float] | None = None, **request: Any
) -> dict[str, Any]:
    """Answer one recorded call as Perspective's clients send it."""
    wanted: dict[str, Any] = {name: {} for name in scores}
    wanted |= {name: {"scoreThreshold": value} for name, value in (thresholds or {}).items()}
    answered = {name: {"summaryScore": {"value": value, "type": "PROBABILITY"}} for name, value in scores.items()}
    return {
        "request": {"comment": {"text": text}, "requestedAttributes": wanted} | request,
        "response": {"attributeScores": answered, "languages": ["en"]},
    }


class SaidScorer:
    """A model that says the number at the end of each text."""

    model_id, languages, attributes = "said@1", frozenset({"en"}), (Attribute.TOXICITY, Attribute.OBSCENE)

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer that number for each harm, or refuse a text that ends in a word."""
        if not all(text[-1].isdecimal() for text in texts):
            raise ScorerError("refused")
        return [Scores(self.model_id, True, dict.fromkeys(self.attributes, float(text.split()[-1]))) for text in texts]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Write calls into a file, run the command over it, and answer its JSON; nothing shows a text on the way."""
    monkeypatch.setenv("COLLOQUY_HOME", str(tmp_path / "home"))

    def run(lines: Sequence[Any], *more: str, hashed: bool = False) -> dict[str, Any]:
        if not hashed:
            monkeypatch.setattr(shadow_command, "build_scorer", lambda *_: SaidScorer())
        path = tmp_path / "calls.jsonl"
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
        for options in ([], ["--json"]):
            assert command_line.main(["shadow", "--file", str(path), *more, *options]) == 0
            said = capsys.readouterr()
            assert SECRET not in said.out + said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    return run


def test_agreement_is_told_for_each_attribute_and_threshold(run: Run) -> None:
    """Thresholds are those that sites mostly use and those of the requests, each with who found what."""
    pairs = [(0.9, 0.95), (0.75, 0.6), (0.3, 0.72), (0.1, 0.05)]
    calls = [call(f"{SECRET} {ours}", {"TOXICITY": theirs}) for ours, theirs in pairs]
    calls[0] = call(f"{SECRET} 0.9", {"TOXICITY": 0.95}, thresholds={"TOXICITY": 0.93})
    found = run(calls)
    assert (found["model_id"], found["lines"], found["compared"], found["skipped"]) == ("said@1", 4, 4, {})
    one = found["attributes"]["TOXICITY"]
    assert (one["rows"], one["rows_under_a_threshold"]) == (4, 0)
    assert one["spearman"] == pytest.approx(0.8)
    assert list(one["at"]) == ["0.5", "0.7", "0.8", "0.93"]
    assert one["at"]["0.7"] == {
        "rows": 4, "agree": 0.5, "both": 1, "ours": 2, "theirs": 2, "same_share_from": 0.75,
    }  # fmt: skip
    assert one["at"]["0.93"]["theirs"] == 1
    assert found["without_a_map"] == ["TOXICITY"]


def test_a_score_that_was_not_told_was_under_its_threshold(run: Run) -> None:
    """It counts at this threshold and above, where it must be under, and nowhere below, where nobody knows."""
    hidden = call(f"{SECRET} 0.8", {}, thresholds={"TOXICITY": 0.6})
    found = run([hidden, call(f"{SECRET} 0.9", {"TOXICITY": 0.9})])
    one = found["attributes"]["TOXICITY"]
    assert (one["rows"], one["rows_under_a_threshold"]) == (1, 1)
    assert {at: (row["rows"], row["ours"], row["theirs"]) for at, row in one["at"].items()} == {
        "0.5": (1, 1, 1), "0.6": (2, 2, 1), "0.7": (2, 2, 1), "0.8": (2, 2, 1),
    }  # fmt: skip


def test_what_is_left_out_is_counted_by_its_reason(run: Run) -> None:
    """Each line that is not compared has one reason; attributes that no model here measures are named."""
    error = {"request": {"comment": {"text": SECRET}}, "response": {"error": {"code": 400, "message": SECRET}}}
    german = call(f"Der Zug kommt heute leider viel zu spät, {SECRET} 1", {"TOXICITY": 0.5})
    found = run([
        call(f"{SECRET} 0.5", {"TOXICITY": 0.5, "FLIRTATION": 0.1}),
        f"{SECRET}", f'["{SECRET}"]', {"request": SECRET, "response": {}},
        call("  ", {"TOXICITY": 0.5}), call(SECRET * 3000, {"TOXICITY": 0.5}), error, german,
        call(f"{SECRET} 0.5", {}), call(f"{SECRET} 0.5", {"FLIRTATION": 0.5}), call(SECRET, {"TOXICITY": 0.5}),
    ])  # fmt: skip
    assert (found["lines"], found["compared"]) == (11, 1)
    assert found["skipped"] == {
        Skipped.NOT_JSON: 3, Skipped.NO_TEXT: 1, Skipped.TOO_LONG: 1, Skipped.ERROR: 1, Skipped.LANGUAGE: 1,
        Skipped.NO_SCORE: 2, Skipped.REFUSED: 1,
    }  # fmt: skip
    assert found["not_measured"] == {"FLIRTATION": 2}


def test_texts_that_are_refused_together_end_no_run(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chunk of which the model refuses all is counted; a model that scores nothing at all is told."""
    refused = [call(SECRET, {"TOXICITY": 0.5})] * 70
    found = run([*refused, call(f"{SECRET} 0.5", {"TOXICITY": 0.5})])
    assert (found["compared"], found["skipped"]) == (1, {Skipped.REFUSED: 70})
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, refused)))
    assert command_line.main(["shadow", "--file", str(tmp_path / "calls.jsonl")]) == 2
    assert "refuses every text" in capsys.readouterr().err


def test_the_scale_is_the_one_of_the_endpoint(run: Run) -> None:
    """By default our values go through the model's maps, and --scale probability leaves them as they are."""
    model, calls = HashedScorer.load(), [call(RUDE, {"TOXICITY": 0.9, "PROFANITY": 0.4})]
    said = model.score([RUDE])[0].values
    for scale, wanted in (
        ("perspective", on_perspective_scale(model.model_id, Attribute.TOXICITY, said[Attribute.TOXICITY])),
        ("probability", said[Attribute.TOXICITY]),
    ):
        found = run(calls, "--scale", scale, "--scorer", "hashed", hashed=True)
        error = found["attributes"]["TOXICITY"]["mean_absolute_error"]
        assert error == pytest.approx(abs(0.9 - wanted), abs=1e-4)
        assert found["without_a_map"] == []
        assert found["attributes"]["PROFANITY"]["rows"] == 1


def test_names_in_either_style_are_read() -> None:
    """Clients write camelCase or snake_case; both tell the same."""
    camel = call(CIVIL, {"TOXICITY": 0.1}, thresholds={"INSULT": 0.4}, languages=["en"])
    text = json.dumps(camel)
    for name in ("requestedAttributes", "attributeScores", "summaryScore", "scoreThreshold"):
        text = text.replace(name, "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name))
    expected = Call(CIVIL, ("en",), {"TOXICITY": 0.1}, {"INSULT": 0.4}, {"INSULT": 0.4})
    assert read_call(text.encode()) == read_call(json.dumps(camel).encode()) == expected


@pytest.mark.parametrize("value", [True, "0.5", None, -0.1, 1.1, [0.5]])
def test_what_is_no_score_is_none(value: Any) -> None:
    """A value that is not a number in [0, 1] is no score to compare."""
    assert read_call(json.dumps(call(CIVIL, {"TOXICITY": value})).encode()) is Skipped.NO_SCORE


def test_a_name_that_is_no_attributes_is_not_shown(run: Run) -> None:
    """A recording whose names hold something else leads to no such word in the report."""
    found = run([call(CIVIL + " 0.5", {"TOXICITY": 0.5, f"\x1b[2J{SECRET}": 0.5})])
    assert found["not_measured"] == {}
    assert list(found["attributes"]) == ["TOXICITY"]


def test_the_longest_text_is_compared() -> None:
    """A text of the API's own limit is one that it answered."""
    assert isinstance(read_call(json.dumps(call("x" * LONGEST_TEXT_BYTES, {"TOXICITY": 0.5})).encode()), Call)
    assert read_call(json.dumps(call("x" * (LONGEST_TEXT_BYTES + 1), {"TOXICITY": 0.5})).encode()) is Skipped.TOO_LONG


NAMES = st.sampled_from(
    ["request", "response", "comment", "text", "attributeScores", "summaryScore", "value", "TOXICITY", "error",
     "requestedAttributes", "scoreThreshold", "languages"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, JSON)
def test_any_recording_is_a_call_or_a_reason(request: Any, response: Any) -> None:
    """Whatever was recorded is read as a call or left out for a reason, and never ends the run."""
    line = json.dumps({"request": request, "response": response}).encode()
    assert isinstance(read_call(line), Call | Skipped)
    shadow = Shadow(SaidScorer(), "perspective")
    shadow.take([line, b"\n", line[:-1], b"\xff"], lambda _: None)
    assert shadow.report()["lines"] == 3


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path is told in one line."""
    assert command_line.main(["shadow", "--file", str(tmp_path / "absent.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
