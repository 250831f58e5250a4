"""Other comment systems as their registries have them, for benchmarks: isso from PyPI and artalk from npm.

They are kept under `build/widget-bench`, which git ignores, and are no dependency of the project.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.running import free_port, wait_for

FOLDER = Path(__file__).parent.parent / "build" / "widget-bench"
ISSO, ARTALK = "0.14.0", "2.9.1"
_SETTINGS = """[general]
dbpath = {database}
host = {hosts}
[server]
listen = http://localhost:{port}
[guard]
enabled = false
"""
_SECONDS = 900


class UnreachableError(Exception):
    """A registry did not give what was asked of it."""


def isso() -> Path:
    """Answer the folder of isso's virtual environment, made if it is not there."""
    folder = FOLDER / f"isso-{ISSO}"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run("PyPI", sys.executable, "-m", "venv", str(folder))
        # With gevent isso's own command serves by its server, as its documentation advises.
        _run("PyPI", str(folder / "bin" / "python"), "-m", "pip", "install", "-q", f"isso=={ISSO}", "gevent")
        (folder / "whole").touch()
    return folder


def isso_client() -> dict[str, bytes]:
    """Answer what isso's client is made of."""
    package = next(isso().glob("lib/python*/site-packages/isso"))
    return {name: (package / name).read_bytes() for name in ("js/embed.min.js", "css/isso.css")}


def artalk_client() -> dict[str, bytes]:
    """Answer what artalk's client is made of, the whole and the lite one."""
    packed = FOLDER / f"artalk-{ARTALK}.tgz"
    if not packed.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        _run("npm", "npm", "pack", f"artalk@{ARTALK}", "--silent", "--pack-destination", str(FOLDER))
    found = {}
    with tarfile.open(packed) as archive:
        for name in ("Artalk.js", "Artalk.css", "ArtalkLite.js", "ArtalkLite.css"):
            file = archive.extractfile(f"package/dist/{name}")
            assert file is not None
            found[name] = file.read()
    return found


def _run(registry: str, *command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except FileNotFoundError as error:
        raise UnreachableError(f"{registry}: there is no {command[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"{registry}: no answer within {_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnreachableError(f"{registry} could not be reached or has no such package: {last}") from error


class RunningIsso(NamedTuple):
    """An isso that runs: its port, its process, and the file of its comments."""

    port: int
    process: int
    file: Path


@contextmanager
def running_isso(home: Path, *hosts: str) -> Iterator[RunningIsso]:
    """Serve isso from SQLite with its guard off until the block ends."""
    port, home = free_port(), home / "isso"
    home.mkdir(parents=True)
    listed = "".join(f"\n    {host}/" for host in hosts)
    (home / "isso.cfg").write_text(_SETTINGS.format(database=home / "comments.db", hosts=listed, port=port))
    command = [str(isso() / "bin" / "isso"), "-c", str(home / "isso.cfg"), "run"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: _ask(port, "GET", "/config") == 200, 60)
        yield RunningIsso(port, process.pid, home / "comments.db")
    finally:
        process.terminate()
        process.wait(30)


def submit_to_isso(port: int, page: str, texts: list[str]) -> None:
    """Submit comments to a thread."""
    for number, text in enumerate(texts):
        body = {"text": text, "author": f"Reader {number}", "title": "An article"}
        status = _ask(port, "POST", f"/new?uri={page}", body)
        assert status in (201, 202), status


def _ask(port: int, method: str, path: str, body: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()
