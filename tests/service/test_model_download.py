"""A file comes whole over a connection that breaks, from a server that ignores, lies or fails; or it is refused."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.model_download import PAUSES, NotThereError, PullError, UnreachableError, discard, download, finish
from tests.service.file_server import Answer, Files, serving

BODY = bytes(number * 7 % 251 for number in range(100_000))


@pytest.fixture
def files() -> Iterator[Files]:
    """A server with one file."""
    with serving(Files({"model": BODY})) as served:
        yield served


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the file is brought to."""
    return tmp_path / "model.part"


def bring(files: Files, part: Path) -> tuple[list[tuple[int, int | None]], list[float]]:
    """Download the file; answer what was reported, and the pauses that were made."""
    reported: list[tuple[int, int | None]] = []
    pauses: list[float] = []
    download(f"{files.url}/model", part, lambda done, total: reported.append((done, total)), pauses.append)
    return reported, pauses


def test_a_file_comes_whole(files: Files, part: Path) -> None:
    """A good server is asked once, for all of it, and the progress ends at the whole length."""
    reported, pauses = bring(files, part)
    assert part.read_bytes() == BODY
    assert files.ranges_of("model") == [None]
    assert reported[0] == (0, len(BODY))
    assert reported[-1] == (len(BODY), len(BODY))
    assert pauses == []


def test_what_broke_off_is_gone_on_with(files: Files, part: Path) -> None:
    """A connection that ends early, twice, costs only the rest of the file."""
    files.answers["model"] = [Answer(stop_after=30_000), Answer(stop_after=20_000)]
    reported, pauses = bring(files, part)
    assert part.read_bytes() == BODY
    assert files.ranges_of("model") == [None, "bytes=30000-", "bytes=50000-"]
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert len(pauses) == 2


def test_a_later_run_goes_on(files: Files, part: Path) -> None:
    """What a run left behind is gone on with by the next one."""
    files.answers["model"] = [Answer(stop_after=30_000), Answer(status=403)]
    with pytest.raises(PullError, match="the server answers 403"):
        bring(files, part)
    assert part.stat().st_size == 30_000
    bring(files, part)
    assert part.read_bytes() == BODY
    assert files.ranges_of("model")[-1] == "bytes=30000-"


def test_a_server_without_ranges_gives_all_again(files: Files, part: Path) -> None:
    """A server that ignores the range sends the whole, which replaces the part and is not put behind it."""
    files.answers["model"] = [Answer(stop_after=30_000), Answer(ignore_range=True)]
    bring(files, part)
    assert part.read_bytes() == BODY


@pytest.mark.parametrize("other", [BODY[::-1], BODY[:50_000], BODY + BODY])
def test_a_file_that_changed_is_begun_again(files: Files, part: Path, other: bytes) -> None:
    """Another ETag or another length means that the part is of another file."""
    files.answers["model"] = [Answer(stop_after=60_000)]
    files.always = Answer(etag='"two"', content=other)
    bring(files, part)
    assert part.read_bytes() == other
    assert files.ranges_of("model") == [None, "bytes=60000-"]


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 0-99999/100000"},
        {"Content-Range": "bytes 60000-99999/777"},
        {"ETag": '"two"'},
    ],
)
def test_a_range_that_was_not_asked_for_is_not_taken(files: Files, part: Path, lie: dict[str, str]) -> None:
    """A 206 that begins elsewhere, is of another length or names another ETag is thrown away with the part."""
    files.answers["model"] = [Answer(stop_after=60_000), Answer(headers=lie)]
    bring(files, part)
    assert part.read_bytes() == BODY
    assert files.ranges_of("model") == [None, "bytes=60000-", None]


def test_a_range_that_says_nothing_is_refused(files: Files, part: Path) -> None:
    """A 206 without a range that can be read ends the run and leaves the part."""
    files.answers["model"] = [Answer(stop_after=60_000), Answer(headers={"Content-Range": "some"})]
    with pytest.raises(PullError, match="answers 206 with no range"):
        bring(files, part)
    assert part.stat().st_size == 60_000


def test_a_part_that_nothing_is_known_of_is_thrown_away(files: Files, part: Path) -> None:
    """A part without the note of what it is a part of, or longer than the file, is not gone on with."""
    part.write_bytes(b"x" * 1000)
    bring(files, part)
    assert part.read_bytes() == BODY
    files.asked.clear()
    part.write_bytes(BODY + b"more")
    bring(files, part)
    assert part.read_bytes() == BODY
    assert files.ranges_of("model") == ["bytes=100004-", None]


def test_what_came_whole_is_not_brought_again(files: Files, part: Path) -> None:
    """A run that ended between the last byte and the naming of the file costs nothing, and its digest is doubted."""
    assert bring(files, part)
    files.asked.clear()
    report: list[int] = []
    one_piece = download(f"{files.url}/model", part, lambda done, _total: report.append(done), lambda _seconds: None)
    assert (one_piece, report, files.asked) == (False, [len(BODY)], [])
    assert part.read_bytes() == BODY


def test_an_absent_file_is_named_at_once(files: Files, part: Path) -> None:
    """A 404 is not tried again."""
    del files.content["model"]
    with pytest.raises(NotThereError, match=r"/model: the server answers 404"):
        bring(files, part)
    assert len(files.asked) == 1


def test_a_server_that_is_busy_is_asked_again(files: Files, part: Path) -> None:
    """A 503 and a 429 are waited for."""
    files.answers["model"] = [Answer(status=503), Answer(status=429)]
    _, pauses = bring(files, part)
    assert part.read_bytes() == BODY
    assert pauses == list(PAUSES[:2])


@pytest.mark.parametrize(
    ("always", "reason"),
    [
        (Answer(status=503), "the server answers 503"),
        (Answer(status=416), "another file at every try"),
        (Answer(stop_after=0), "the connection ended after 0 of 100000 bytes"),
    ],
)
def test_it_gives_up_on_a_server_that_brings_nothing(files: Files, part: Path, always: Answer, reason: str) -> None:
    """After some tries without a new byte the run ends, and says that the next one goes on."""
    files.always = always
    with pytest.raises(PullError, match=f"{reason}; run the command again, it goes on"):
        bring(files, part)
    assert len(files.asked) == len(PAUSES) + 1


def test_it_gives_up_on_a_file_that_changes_at_every_try(files: Files, part: Path) -> None:
    """A server whose ETag is another one each time and whose connection ends each time does not hold it for ever."""
    files.answers["model"] = [Answer(stop_after=10, etag=f'"{number}"') for number in range(100)]
    with pytest.raises(PullError):
        bring(files, part)
    assert files.answers["model"]


def test_no_network_is_told_from_a_broken_transfer(files: Files, part: Path) -> None:
    """A port that nobody listens on, and a name that nobody knows, are said at once and tried once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "models.invalid"):
        with pytest.raises(UnreachableError, match=rf"http://{host}/model cannot be reached \(.+\)"):
            download(f"http://{host}/model", part, lambda _done, _total: None, lambda _seconds: pytest.fail("paused"))


def test_a_web_page_is_no_file(files: Files, part: Path) -> None:
    """The login page of a network is recognised by its type and never written."""
    files.always = Answer(content=b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(PullError, match="gives a web page, not a file"):
        bring(files, part)
    assert not part.exists()


def test_a_file_of_unknown_length_is_refused(files: Files, part: Path) -> None:
    """Where nothing says how long the file is, its end could not be told from a broken connection."""
    files.always = Answer(headers={"Content-Length": ""})
    with pytest.raises(PullError, match="does not say how long"):
        bring(files, part)


def test_a_full_disk_is_seen_before_anything_is_written(files: Files, part: Path) -> None:
    """A file that has no room on the disk is refused by the two sizes."""
    files.always = Answer(headers={"Content-Length": str(10**18)})
    with pytest.raises(PullError, match=r"MB free, and 1000000000000 MB are to come"):
        bring(files, part)
    assert not part.exists()


def test_a_redirect_keeps_the_range(files: Files, part: Path) -> None:
    """Publishers lead to a storage address, which is asked for the rest alone."""
    with serving(Files({"stored": BODY})) as storage:
        files.always = Answer(redirect=f"{storage.url}/stored")
        storage.answers["stored"] = [Answer(stop_after=40_000)]
        bring(files, part)
        assert part.read_bytes() == BODY
        assert storage.ranges_of("stored") == [None, "bytes=40000-"]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/model", "http:///model"])
def test_only_web_addresses_are_asked(part: Path, address: str) -> None:
    """An address of another kind is refused as one."""
    with pytest.raises(PullError, match="is no http or https address"):
        download(address, part, lambda _done, _total: None, lambda _seconds: None)


def test_a_finished_file_leaves_nothing_beside_it(files: Files, part: Path) -> None:
    """A whole file takes its name, over an older one, and a discarded part takes its note with it."""
    target = part.with_name("model")
    target.write_bytes(b"older")
    bring(files, part)
    finish(part, target)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]
    bring(files, part)
    discard(part)
    assert list(target.parent.iterdir()) == [target]
