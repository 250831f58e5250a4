"""`score` gives every row its scores and its model, whatever the cells hold, and goes on where a kill ended it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import parquet

from moderation.scale import maps_version, on_perspective_scale
from moderation.scorers.hashed import HashedScorer
from moderation.scores import Attribute, ScorerError, Scores
from service import __main__ as command_line
from service import score_command
from service.bulk import score as bulk_score
from service.bulk.score import CHUNK_ROWS
from tests.eventually import eventually_now

RUDE, CIVIL, GERMAN = (
    "You are an idiot.",
    "Thank you all for this lovely article.",
    "Der Zug kommt heute leider viel zu spät an.",
)
QUIRKS = (
    'a "quoted" word, a comma',
    "two\nlines",
    "two\r\nlines",
    "a lone \r sign",
    "\ttabbed\t",
    "ünïcödé 😀",
    "=1+1",
    "'",
)
Score = Callable[..., int]


class CountingScorer:
    """A model whose answers depend on the texts beside them, as batches of some models do; it remembers its calls."""

    model_id, digest = "counting@01234567", "01234567" + 56 * "0"
    languages, attributes = frozenset({"en"}), (Attribute.TOXICITY, Attribute.INSULT)

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer a number of the text and of all texts together; refuse what says so."""
        if any(text == "refused" for text in texts):
            raise ScorerError("refused")
        self.calls.append(len(texts))
        whole = sum(map(len, texts)) % 97 / 97
        values = [{Attribute.TOXICITY: whole, Attribute.INSULT: len(text) % 7 / 7} for text in texts]
        return [Scores(self.model_id, True, one) for one in values]


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Run the command in the test's folder with the hashed model and answer its exit code."""
    monkeypatch.setenv("SCORER", "hashed")
    monkeypatch.setenv("COLLOQUY_HOME", str(tmp_path / "home"))

    def call(source: str, *more: str, out: str = "") -> int:
        target = tmp_path / (out or f"out{Path(source).suffix}")
        return command_line.main(["score", str(tmp_path / source), "--out", str(target), *more])

    return call


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> CountingScorer:
    """Plug the counting model in."""
    scorer = CountingScorer()
    monkeypatch.setattr(score_command, "build_scorer", lambda *_: scorer)
    return scorer


def csv_bytes(rows: Sequence[Sequence[str]], *, bom: bool = False, delimiter: str = ",") -> bytes:
    """Answer a file as Excel writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Answer the rows of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_every_row_has_scores_and_their_model(score: Score, tmp_path: Path) -> None:
    """A row keeps its cells and gets the model, its whole digest, the language and each harm, to six digits."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["id", "text"], ["1", RUDE], ["2", CIVIL]]))
    assert score("in.csv") == 0
    model = HashedScorer.load()
    for row, text in zip(read_csv(tmp_path / "out.csv"), (RUDE, CIVIL), strict=True):
        assert (row["text"], row["model_id"], row["model_digest"]) == (text, model.model_id, model.digest)
        assert (row["scale"], row["not_scored"]) == ("probability", "")
        [said] = model.score([text])
        assert {name: row[name] for name in model.attributes} == {
            name: f"{value:.6f}" for name, value in said.values.items()
        }
    assert not (tmp_path / "out.csv.part").exists()


def test_on_perspectives_scale(score: Score, tmp_path: Path) -> None:
    """With --scale perspective each value went through the model's map, whose version stands beside it."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [RUDE]]))
    assert score("in.csv", "--scale", "perspective") == 0
    [row] = read_csv(tmp_path / "out.csv")
    model = HashedScorer.load()
    raw = model.score([RUDE])[0].values[Attribute.TOXICITY]
    assert row["scale"] == f"perspective {maps_version(model.model_id)}"
    assert float(row["toxicity"]) == pytest.approx(
        on_perspective_scale(model.model_id, Attribute.TOXICITY, raw), abs=1e-6
    )


def test_a_model_without_maps_has_no_such_scale(
    score: Score, counting: CountingScorer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No number is called Perspective's that no map was fitted for."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [RUDE]]))
    assert score("in.csv", "--scale", "perspective") == 2
    assert "has no maps" in capsys.readouterr().err
    assert counting.calls == []


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("bom", [False, True])
def test_quirks_of_cells_survive(score: Score, tmp_path: Path, suffix: str, delimiter: str, bom: bool) -> None:
    """Quotes, commas, tabs, line ends of each kind in a cell, and a mark of byte order, change no text and no row."""
    content = csv_bytes(
        [["text", "n"], *([text, str(n)] for n, text in enumerate(QUIRKS))], bom=bom, delimiter=delimiter
    )
    (tmp_path / f"in.{suffix}").write_bytes(content)
    assert score(f"in.{suffix}") == 0
    rows = read_csv(tmp_path / f"out.{suffix}", delimiter)
    assert [(row["text"], row["n"]) for row in rows] == [(text, str(n)) for n, text in enumerate(QUIRKS)]
    assert all(row["toxicity"] for row in rows)


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_any_cell_survives(score: Score, counting: CountingScorer, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Whatever stands in the cells of a CSV file stands in those of the output, row for row."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text", "more"], *rows]))
    assert score("in.csv", "--restart") == 0
    assert [(row["text"], row["more"]) for row in read_csv(tmp_path / "out.csv")] == rows


def test_json_lines_keep_what_they_hold(score: Score, tmp_path: Path) -> None:
    """Values of any kind stay, blank lines are no rows, and half of a character pair goes as it came."""
    lines: list[dict[str, Any]] = [
        {"text": RUDE, "more": {"a": [1, 2.5, None]}},
        {"text": None},
        {"text": "half \ud83d of a pair", "é": "ü"},
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + "\n\n".join(map(json.dumps, lines)).encode())
    assert score("in.jsonl") == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in line} for row, line in zip(found, lines, strict=True)] == lines
    assert [row["not_scored"] for row in found] == ["", "empty", ""]
    assert found[1]["toxicity"] is None
    assert found[0]["toxicity"] > 0.5


def test_parquet_keeps_its_columns(score: Score, tmp_path: Path) -> None:
    """Columns of any type stay as they are, and scores are numbers, null where there are none."""
    table = pyarrow.table(
        {"text": [RUDE, None, CIVIL], "tags": [["a"], [], None], "n": pyarrow.array([1, 2, 3], "int8")}
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    assert score("in.parquet") == 0
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.select(["text", "tags", "n"]).equals(table)
    assert found.column("toxicity").type == pyarrow.float64()
    assert [value is None for value in found.column("toxicity").to_pylist()] == [False, True, False]
    first = (tmp_path / "out.parquet").read_bytes()
    assert score("in.parquet", "--restart") == 0
    assert (tmp_path / "out.parquet").read_bytes() == first


def test_parquet_with_broken_text_is_one_line(score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column of text that is none in UTF-8, or of numbers, is refused before anything is scored."""
    broken = pyarrow.array([b"secr\xffet"]).view(pyarrow.string())
    for column, message in ((broken, "is not text in UTF-8"), (pyarrow.array([1]), "holds int64, not text")):
        parquet.write_table(pyarrow.table({"text": column}), tmp_path / "in.parquet")
        assert score("in.parquet") == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.slow
def test_without_its_package_parquet_is_one_line(tmp_path: Path) -> None:
    """Without pyarrow the command says what to install, and CSV needs none."""
    (tmp_path / "in.parquet").write_bytes(b"PAR1")
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    program = (
        "import sys; sys.modules['pyarrow'] = None; from service.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, "score", name, "--out", f"out.{name}"]
        environment = {**os.environ, "SCORER": "hashed", "PYTHONPATH": str(Path.cwd())}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    refused = run("in.parquet")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "Parquet needs pyarrow" in refused.stderr
    assert run("in.csv").returncode == 0


def test_what_a_model_does_not_read_it_does_not_score(score: Score, tmp_path: Path) -> None:
    """A text in another language has no scores and the reason, unless they are asked for all the same."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [GERMAN], [CIVIL], ["  "]]))
    assert score("in.csv") == 0
    rows = read_csv(tmp_path / "out.csv")
    assert [(row["language"], row["not_scored"]) for row in rows] == [("de", "language"), ("en", ""), ("", "empty")]
    assert [bool(row["toxicity"]) for row in rows] == [False, True, False]
    assert score("in.csv", "--any-language", "--restart") == 0
    assert [bool(row["toxicity"]) for row in read_csv(tmp_path / "out.csv")] == [True, True, False]


def test_one_text_that_is_refused_takes_no_other_with_it(
    score: Score, counting: CountingScorer, tmp_path: Path
) -> None:
    """A text that the model refuses is told in its row; those beside it have their scores."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL], ["refused"], [RUDE]]))
    assert score("in.csv") == 0
    assert [row["not_scored"] for row in read_csv(tmp_path / "out.csv")] == ["", "failed", ""]


def test_a_model_that_refuses_all_ends_the_run(
    score: Score, counting: CountingScorer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that is broken fills no file with empty cells."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], ["refused"], ["refused"]]))
    assert score("in.csv") == 2
    assert "refuses every text" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_chunk_that_is_refused_ends_no_run_whose_model_is_well(
    score: Score, counting: CountingScorer, tmp_path: Path
) -> None:
    """Texts that the model refuses may lie together, at the begin of a file or at its end."""
    rows = [["refused"]] * CHUNK_ROWS + [[CIVIL]] + [["refused"]] * (2 * CHUNK_ROWS)
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], *rows]))
    assert score("in.csv") == 0
    said = [row["not_scored"] for row in read_csv(tmp_path / "out.csv")]
    assert (said.count(""), said.count("failed")) == (1, 3 * CHUNK_ROWS)


def test_a_model_that_breaks_on_the_way_is_gone_on_with(
    score: Score, counting: CountingScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a model refuses that scores nothing any more is not kept: once it is well the rows have their scores."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], *([f"{CIVIL} {n}"] for n in range(CHUNK_ROWS + 3))]))

    def broken(texts: Sequence[str]) -> list[Scores]:
        if len(texts) != CHUNK_ROWS:
            raise ScorerError("the device is gone")
        return CountingScorer.score(counting, texts)

    with monkeypatch.context() as patch:
        patch.setattr(counting, "score", broken)
        assert score("in.csv") == 2
    assert score("in.csv") == 0
    assert {row["not_scored"] for row in read_csv(tmp_path / "out.csv")} == {""}


def test_json_lines_stay_byte_for_byte(score: Score, counting: CountingScorer, tmp_path: Path) -> None:
    """Numbers that Python would write otherwise, names twice, spaces and escapes stay; so they do beside what goes."""
    line = '{ "text" : "a\\u0062", "n":1e999,"m": 1.10000000000000000001, "text":"b" ,"more": {"x" :[ ]}, "é": 1 }'
    (tmp_path / "in.jsonl").write_text(f"{line}\n", encoding="utf-8")
    assert score("in.jsonl") == 0
    out = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert out.startswith(f'{line[:-1]}, "model_id": "counting@01234567", ')
    assert score("in.jsonl", "--restart", "--without", "text") == 0
    out = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    kept = '{"n":1e999, "m": 1.10000000000000000001, "more": {"x" :[ ]}, "é": 1, "model_id": '
    assert out.startswith(kept)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    assert score("in.jsonl", "--restart", "--without", "text") == 0
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["model_id"] == "counting@01234567"


def test_files_of_others_are_not_written_over(
    score: Score, counting: CountingScorer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies at OUT.part or OUT.new and is not ours stays, with a line end in it or without; a torn head is ours."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    part, new = tmp_path / "out.csv.part", tmp_path / "out.csv.new"
    new.write_text("mine")
    for theirs in ("mine", "mine\nmore", '{"job":"another', "x" * 10_000):
        part.write_text(theirs)
        assert score("in.csv") == 2
        assert "is no journal" in capsys.readouterr().err
        assert part.read_text() == theirs
    part.write_text('{"job":"')
    assert score("in.csv") == 0
    assert new.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.glob("out.csv*")) == ["out.csv", "out.csv.new"]


def test_another_release_does_not_go_on(
    score: Score, counting: CountingScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a text is read may change with Colloquy itself, and rows of two releases would stand side by side."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        assert score("in.csv") == 2
    with monkeypatch.context() as patch:
        patch.setattr(bulk_score, "VERSION", "99")
        assert score("in.csv") == 2
    assert score("in.csv") == 0


def test_a_column_can_be_left_out(score: Score, tmp_path: Path) -> None:
    """Texts that may not be passed on stay behind, and added columns can have a word before their names."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text", "toxicity"], [RUDE, "theirs"]]))
    assert score("in.csv", "--without", "text", "--prefix", "our_") == 0
    [row] = read_csv(tmp_path / "out.csv")
    assert row["toxicity"] == "theirs"
    assert float(row["our_toxicity"]) > 0.5
    assert RUDE not in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("in.csv", b"a,b\n1,2\n", [], "has no column text; it has a, b"),
        ("in.csv", b"", [], "has no header line"),
        ("in.csv", b"text,a\nsecret\n", [], "row 1: has 1 cells, and the header 2"),
        ("in.csv", b'text\n"secret\n', [], "it is not CSV"),
        ("in.csv", b"text\nsecr\xffet\n", [], "it is not text in UTF-8"),
        ("in.csv", b"text,text\nsecret,b\n", [], "has the column text more than once"),
        ("in.csv", b"text,insult\nsecret,b\n", [], "has a column insult already"),
        ("in.csv", b"text\nsecret\n", ["--without", "absent"], "has no column absent"),
        ("in.csv", b"text\nsecret\n", ["--scorer", "absent"], "is no name of a model"),
        ("in.jsonl", b'{"text": "a"}\nsecret\n', [], "row 2: it is not JSON"),
        ("in.jsonl", b'{"text": "a"}\n["secret"]\n', [], "row 2: it is not an object"),
        ("in.jsonl", b'{"text": "a"}\n{"body": "secret"}\n', [], "row 2: has no text"),
        ("in.jsonl", b'{"text": ["secret"]}\n', [], "row 1: has no string as text"),
        ("in.xlsx", b"secret", [], "the name must end in one of"),
        ("in.parquet", b"secret", [], "it is not a Parquet file"),
    ],
)
def test_what_is_wrong_is_one_line_without_a_cell(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str, content: bytes, options: list[str], message: str,
) -> None:  # fmt: skip
    """A broken file is told before anything is scored, with its row, and no word of it."""
    (tmp_path / name).write_bytes(content)
    assert score(name, *options) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert "secret" not in said
    assert not (tmp_path / f"out{Path(name).suffix}").exists()


def test_an_output_is_not_written_over(score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays, and so does the input, until --restart says otherwise; formats must be the same."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    (tmp_path / "out.csv").write_text("mine")
    assert score("in.csv") == 2
    assert score("in.csv", out="in.csv") == 2
    assert score("in.csv", out="out.jsonl") == 2
    assert score("absent.csv") == 2
    said = capsys.readouterr().err
    for part in ("--restart writes it anew", "is the input itself", "must be of the format", "there is no such file"):
        assert part in said
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert score("in.csv", "--restart") == 0


def many(rows: int) -> bytes:
    """Answer a file of texts of differing lengths."""
    words = [RUDE, CIVIL, GERMAN, "", *QUIRKS]
    return csv_bytes([["n", "text"], *([str(n), f"{words[n % len(words)]} {'x' * (n % 13)}"] for n in range(rows))])


@pytest.mark.slow
def test_a_journal_torn_anywhere_leads_to_the_same_bytes(
    score: Score, counting: CountingScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a kill has cut the journal, the chunk that it was in is scored again, and the output is the same."""
    (tmp_path / "in.csv").write_bytes(many(3 * CHUNK_ROWS + 7))
    journal = tmp_path / "out.csv.part"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        assert score("in.csv") == 0
    whole, content = (tmp_path / "out.csv").read_bytes(), journal.read_bytes()
    ends = [place + 1 for place, sign in enumerate(content) if sign == ord("\n")]
    cuts = {place for end in ends for place in (end - 2, end - 1, end, end + 1) if place < len(content)} | {0, 1}
    for cut in sorted(cuts):
        for tail in (b"", b"\x00\x00", b"[384,1,[]]\n"):
            (tmp_path / "out.csv").unlink()
            journal.write_bytes(content[:cut] + tail)
            if cut < ends[0] and tail.endswith(b"\n"):
                assert score("in.csv") == 2, "a first line that is none is of another run"
                assert score("in.csv", "--restart") == 0
            else:
                assert score("in.csv") == 0
            assert (tmp_path / "out.csv").read_bytes() == whole


def test_what_was_scored_is_not_scored_again(
    score: Score, counting: CountingScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on asks the model for the rest alone, in the chunks that a run without a break has."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], *([f"{CIVIL} {n}"] for n in range(2 * CHUNK_ROWS + 3))]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        assert score("in.csv") == 2
    assert counting.calls == [CHUNK_ROWS, CHUNK_ROWS, 3]
    assert score("in.csv") == 0
    assert counting.calls == [CHUNK_ROWS, CHUNK_ROWS, 3]


def failing(*_: Any) -> None:
    """Stand for a disk that is full."""
    raise OSError(28, "No space left on device")


def test_another_job_does_not_go_on(
    score: Score, counting: CountingScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Another input, option or model is told, since its rows would stand beside those of the former one."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        assert score("in.csv") == 2
    assert score("in.csv", "--any-language") == 2
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [RUDE]]))
    assert score("in.csv") == 2
    assert capsys.readouterr().err.count("--restart begins anew") == 2
    assert score("in.csv", "--restart") == 0


def test_two_runs_do_not_share_an_output(score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While a run writes, a second one with the same output is refused."""
    (tmp_path / "in.csv").write_bytes(csv_bytes([["text"], [CIVIL]]))
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'a+b'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "out.csv.part")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert score("in.csv", "--restart") == 2
        other.communicate("\n")
    assert "another run is writing it now" in capsys.readouterr().err
    assert score("in.csv") == 0


@pytest.mark.slow
def test_killed_again_and_again_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """kill -9 in the middle, three times, then a run to the end: byte for byte what a run without a kill writes."""
    (tmp_path / "in.csv").write_bytes(many(24 * CHUNK_ROWS + 5))
    environment = {**os.environ, "SCORER": "hashed", "COLLOQUY_HOME": str(tmp_path / "home")}

    def start(out: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "service", "score", str(tmp_path / "in.csv"), "--out", str(tmp_path / out)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)

    with start("whole.csv") as whole:
        _, said = whole.communicate()
    assert whole.returncode == 0, said
    journal = tmp_path / "killed.csv.part"

    def has(chunks: int) -> bool:
        return journal.exists() and journal.read_bytes().count(b"\n") > chunks

    for reached in (3, 8, 15):
        with start("killed.csv") as killed:
            eventually_now(partial(has, reached))
            os.kill(killed.pid, signal.SIGKILL)
            killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed.csv").exists()
    with start("killed.csv") as last:
        _, said = last.communicate()
    assert last.returncode == 0
    assert b"going on after" in said
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not journal.exists()
