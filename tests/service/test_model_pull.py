"""A published model is brought here whole, from its makers, a mirror or a folder, or the message says what to do."""

import argparse
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moderation.scorers.detoxify_files import PUBLISHED, PULLED, check_pulled, read_pulled
from service import __main__ as command_line
from service.model_download import NotThereError, PullError, UnreachableError
from service.model_pull import Wanted, pull, wanted_files, what_to_do
from service.model_pull_command import ShownProgress
from service.settings import Settings, SettingsError
from tests.eventually import eventually_now
from tests.programs import need_module
from tests.service.file_server import Answer, Files, serving
from tests.tiny_models import ORIGINAL_LABELS, tiny_checkpoint

ROOT = Path(__file__).parents[2]
BODY = bytes(number * 11 % 253 for number in range(200_000))
CHECKPOINT = f"toxic_original-{hashlib.sha256(BODY).hexdigest()[:8]}.ckpt"
BASE = {"config.json": b"{}", "tokenizer.json": b'{"model": {}}', "vocab.txt": b"a\nb\n"}
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there; what asks it was not meant to ask anybody."""


@pytest.fixture
def files() -> Iterator[Files]:
    """A server with all files of a model but the optional one."""
    with serving(Files({**BASE, CHECKPOINT: BODY})) as served:
        yield served


def wanted(address: str) -> list[Wanted]:
    """Answer what is to be brought when the makers are at an address."""
    return wanted_files({name: f"{address}/{name}" for name in (*BASE, "tokenizer_config.json", CHECKPOINT)})


def bring(home: Path, address: str, source: str | Path | None = None) -> Path:
    """Pull the model without a word and without a pause."""
    given = None if source is None else str(source)
    return pull("original", wanted(address), home, given, lambda _name, _done, _total: None, lambda _seconds: None)


def is_whole(folder: Path, *more: str) -> bool:
    """True when a folder holds every file, as it was served, with nothing beside them but what pulling needs."""
    pulled = read_pulled(folder, "original")
    check_pulled(folder, pulled)
    assert pulled.checkpoint == CHECKPOINT
    assert (folder / CHECKPOINT).read_bytes() == BODY
    return {path.name for path in folder.iterdir()} == {*BASE, CHECKPOINT, PULLED, ".pull.lock", *more}


def test_a_model_comes_whole(files: Files, tmp_path: Path) -> None:
    """All files are brought and named with their digests; an optional one that the makers lack is no fault."""
    folder = bring(tmp_path, files.url)
    assert folder == tmp_path / "detoxify-original"
    assert is_whole(folder)
    assert set(read_pulled(folder, "original").files) == {*BASE, CHECKPOINT}


def test_what_is_whole_is_not_brought_again(files: Files, tmp_path: Path) -> None:
    """A second pull asks nobody, and after damage it asks for the damaged file alone."""
    files.content["tokenizer_config.json"] = b"{}"
    folder = bring(tmp_path, files.url)
    bring(tmp_path, NOWHERE)
    files.asked.clear()
    (folder / "vocab.txt").write_bytes(b"other")
    (folder / CHECKPOINT).write_bytes(BODY[:-1])
    bring(tmp_path, files.url)
    assert is_whole(folder, "tokenizer_config.json")
    assert [path for path, _ in files.asked] == ["/vocab.txt", f"/{CHECKPOINT}"]


def test_a_whole_model_without_the_optional_file_asks_nobody(files: Files, tmp_path: Path) -> None:
    """What the makers did not have is not asked for again."""
    assert bring(tmp_path, files.url) == bring(tmp_path, NOWHERE)


@pytest.mark.parametrize("spoilt", [BODY[::-1], BODY[:-1], b""])
def test_another_file_under_the_name_is_refused_and_removed(files: Files, tmp_path: Path, spoilt: bytes) -> None:
    """A checkpoint whose digest is not the one in its name is not kept, under no name, and the folder is not whole."""
    files.content[CHECKPOINT] = spoilt
    with pytest.raises(PullError, match=rf"{CHECKPOINT} from .* is not the published file: its sha256 begins with"):
        bring(tmp_path, files.url)
    left = {path.name for path in (tmp_path / "detoxify-original").iterdir()}
    assert left == {*BASE, ".pull.lock"}


def test_a_part_of_another_file_is_found_at_the_end(files: Files, tmp_path: Path) -> None:
    """Where no ETag tells two files of one length apart, the digest does, and the file is brought from its start."""
    files.answers[CHECKPOINT] = [
        Answer(content=BODY[::-1], stop_after=90_000, headers={"ETag": ""}),
        Answer(headers={"ETag": ""}),
    ]
    assert is_whole(bring(tmp_path, files.url))
    assert files.ranges_of(CHECKPOINT) == [None, "bytes=90000-", None]


def test_an_absent_file_is_named(files: Files, tmp_path: Path) -> None:
    """A required file that the makers lack ends the pull by its address."""
    del files.content["vocab.txt"]
    with pytest.raises(NotThereError, match=r"/vocab.txt: the server answers 404"):
        bring(tmp_path, files.url)


def test_json_that_is_none_is_refused(files: Files, tmp_path: Path) -> None:
    """A page that a network puts in the place of a config, under any type, is not taken for one."""
    files.content["config.json"] = b"<html>Sign in</html>"
    with pytest.raises(PullError, match=r"config.json from .* is not JSON"):
        bring(tmp_path, files.url)


def test_two_pulls_do_not_meet(files: Files, tmp_path: Path) -> None:
    """While a model is being pulled, another pull of it is refused, and the first goes on."""
    refused: list[str] = []

    def try_again(name: str, done: int, total: int | None) -> None:
        with pytest.raises(PullError, match="another process is pulling original") as found:
            bring(tmp_path, files.url)
        refused.append(str(found.value))

    assert is_whole(pull("original", wanted(files.url), tmp_path, None, try_again))
    assert refused
    bring(tmp_path, files.url)


KILLED = """
import sys
from pathlib import Path
from tests.service.test_model_pull import bring
bring(Path(sys.argv[1]), sys.argv[2])
"""


def test_a_killed_pull_is_gone_on_with(files: Files, tmp_path: Path) -> None:
    """After kill -9 in the middle nothing passes for whole, and the next run asks for the rest alone."""
    held = threading.Event()
    files.answers[CHECKPOINT] = [Answer(stop_after=120_000, held=held)]
    part = tmp_path / "detoxify-original" / f"{CHECKPOINT}.part"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), files.url], cwd=ROOT)
    try:
        eventually_now(lambda: part.exists() and part.stat().st_size == 120_000, within_seconds=60)
        child.send_signal(signal.SIGKILL)
    finally:
        child.wait()
        held.set()
    assert not part.with_name(CHECKPOINT).exists()
    assert not part.with_name(PULLED).exists()
    assert is_whole(bring(tmp_path, files.url))
    assert files.ranges_of(CHECKPOINT) == [None, "bytes=120000-"]


@pytest.fixture
def folder_of_files(tmp_path: Path) -> Path:
    """The files as somebody brought them here, in a folder."""
    folder = tmp_path / "usb"
    folder.mkdir()
    for name, content in {**BASE, CHECKPOINT: BODY}.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_takes_the_place_of_the_network(folder_of_files: Path, tmp_path: Path) -> None:
    """From a folder everything is copied, checked and named, and nobody is asked."""
    assert is_whole(bring(tmp_path, NOWHERE, folder_of_files))
    assert (folder_of_files / CHECKPOINT).exists()


def test_a_checkpoint_of_any_name_takes_the_place_of_the_network(folder_of_files: Path, tmp_path: Path) -> None:
    """From a file the checkpoint is copied under its published name, and the rest from beside it."""
    file = (folder_of_files / CHECKPOINT).rename(folder_of_files / "downloaded (1)")
    assert is_whole(bring(tmp_path, NOWHERE, file))


def test_files_put_into_their_place_by_hand_are_taken(folder_of_files: Path, tmp_path: Path) -> None:
    """The model's own folder may be the source."""
    place = folder_of_files.rename(tmp_path / "detoxify-original")
    assert is_whole(bring(tmp_path, NOWHERE, place))


def test_a_folder_without_a_file_is_refused_by_its_name(folder_of_files: Path, tmp_path: Path) -> None:
    """What is not in the folder is not sought elsewhere, and a damaged checkpoint is refused as over the network."""
    (folder_of_files / CHECKPOINT).write_bytes(BODY[:-1])
    with pytest.raises(PullError, match="is not the published file"):
        bring(tmp_path, NOWHERE, folder_of_files)
    (folder_of_files / "vocab.txt").unlink()
    with pytest.raises(NotThereError, match=r"usb/vocab\.txt is not there"):
        bring(tmp_path / "again", NOWHERE, folder_of_files)


@pytest.mark.parametrize("source", ["", "/", f"/{CHECKPOINT}"])
def test_a_mirror_is_asked_in_the_makers_place(files: Files, tmp_path: Path, source: str) -> None:
    """The address of a folder, or of the checkpoint in it, is where every file is asked for."""
    assert is_whole(bring(tmp_path, NOWHERE, files.url + source))


def test_without_network_it_says_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    """The first file that cannot be reached ends it; the advice names every address, and the command to run then."""
    with pytest.raises(UnreachableError, match=r"config.json cannot be reached"):
        bring(tmp_path, NOWHERE)
    advice = what_to_do("original", wanted(NOWHERE))
    assert all(f"{NOWHERE}/{name}" in advice for name in (*BASE, CHECKPOINT))
    assert "model pull original --from FOLDER" in advice


def run(*arguments: str, **environment: str) -> int:
    """Run a command on models in this process."""
    options: argparse.Namespace = command_line._parser(admin=True).parse_args(["model", *arguments])
    code: int = options.run(options, Settings.from_environment(environment))
    return code


@pytest.mark.slow
def test_the_command_brings_what_the_package_publishes(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`model pull` takes the package's own address from a mirror, and `model list` says what is here."""
    need_module("torch", "detoxify")
    from detoxify.detoxify import MODEL_URLS

    monkeypatch.setitem(MODEL_URLS, "original", f"{NOWHERE}/v0/{CHECKPOINT}")
    home = {"MODELS_HOME": str(tmp_path), "MODELS_MIRROR": files.url}
    assert run("list", **home) == 0
    assert "detoxify:original  not here; `model pull original` gets it" in capsys.readouterr().out
    assert run("pull", "original", **home) == 0
    assert capsys.readouterr().out == f"{tmp_path}/detoxify-original\n"
    assert {path for path, _ in files.asked} == {
        f"/detoxify-original/{name}" for name in (*BASE, "tokenizer_config.json", CHECKPOINT)
    }
    run("list", **home)
    assert f"detoxify:original  whole, sha256 {hashlib.sha256(BODY).hexdigest()}" in capsys.readouterr().out
    (tmp_path / "detoxify-original" / CHECKPOINT).write_bytes(BODY[::-1])
    run("list", **home)
    assert "detoxify:original  damaged: " in capsys.readouterr().out
    (tmp_path / "detoxify-original" / f"{CHECKPOINT}.part").write_bytes(BODY)
    run("list", **home)
    assert f"broken off ({CHECKPOINT}.part 0.2 MB); `model pull original` goes on" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_command_refuses_in_words(files: Files, tmp_path: Path, name: str) -> None:
    """With the package's real addresses: a mirror without the files, and a checkpoint that is not the published one."""
    need_module("torch", "detoxify")
    from detoxify.detoxify import MODEL_URLS

    into = ("--into", str(tmp_path))
    files.content.clear()
    with pytest.raises(
        SettingsError, match=r"the server answers 404(.|\n)*fetch these files into one folder"
    ) as refused:
        run("pull", name, "--from", files.url, *into)
    assert MODEL_URLS[name] in str(refused.value)
    assert f"/{PUBLISHED[name].base}/resolve/" in str(refused.value)
    checkpoint = MODEL_URLS[name].rpartition("/")[2]
    files.content.update({**dict.fromkeys(PUBLISHED[name].files, b"{}"), checkpoint: BODY})
    with pytest.raises(SettingsError, match=f"is not the published file.*not with {checkpoint[-13:-5]}"):
        run("pull", name, "--from", files.url, *into)


@pytest.mark.slow
def test_a_pulled_model_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `model pull` left is what the scorer loads by name, through the package's own class."""
    need_module("torch", "detoxify")
    from detoxify.detoxify import MODEL_URLS

    from moderation.scorers.detoxify import DetoxifyScorer

    made = tiny_checkpoint(tmp_path / "made", labels=ORIGINAL_LABELS, model_type="bert-base-uncased", trained=True)
    served = {path.name: path.read_bytes() for path in made.parent.iterdir()}
    with serving(Files({**served, "vocab.txt": b"unused"})) as files:
        files.answers[made.name] = [Answer(stop_after=50_000)]
        monkeypatch.setitem(MODEL_URLS, "original", f"{files.url}/{made.name}")
        assert run("pull", "original", "--from", files.url, MODELS_HOME=str(tmp_path)) == 0
    scorer = DetoxifyScorer.load("original", models_home=tmp_path)
    bad, good = scorer.score(["you are a stupid idiot", "thank you for the article"])
    assert bad.values[scorer.attributes[0]] > good.values[scorer.attributes[0]] + 0.3
    assert os.listdir(tmp_path / "detoxify-original").count(f"{made.name}.part") == 0


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_sparse_in_a_log() -> None:
    """Where nobody watches, a file is a line at each tenth, with its name, share, size and speed."""
    stream, times = io.StringIO(), iter(range(10_000))
    progress = ShownProgress(stream, lambda: next(times))
    for done in range(0, 438_000_001, 1_000_000):
        progress("model.ckpt", done, 438_000_000)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[5] == "model.ckpt   50%  219.0 of 438.0 MB  1.0 MB/s"
    progress("config.json", 570, 570)
    assert stream.getvalue().splitlines()[-1].startswith("config.json  100%")


def test_progress_is_one_line_on_a_terminal() -> None:
    """Where somebody watches, the line is redrawn at most five times in a second and ends when the file is whole."""
    stream, times = Terminal(), iter(number / 100 for number in range(10_000))
    progress = ShownProgress(stream, lambda: next(times))
    for done in range(0, 1_001):
        progress("model.ckpt", done * 1000, 1_000_000)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("100%  1.0 of 1.0 MB  0.1 MB/s\n")
    assert 40 < stream.getvalue().count("\r") < 60


def test_progress_without_a_length_counts_bytes() -> None:
    """Where the length is not known, what has come is shown."""
    stream = io.StringIO()
    ShownProgress(stream, lambda: 1.0)("vocab.txt", 231_508, None)
    assert stream.getvalue() == "vocab.txt  0.2 MB\n"
