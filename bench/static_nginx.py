"""nginx with one process that sends the same bytes from files, where the program is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.bare import Ready
from bench.running import accepts, free_port, wait_for

_OF_NGINX = ("content-type", "content-length", "etag")
_CONFIGURATION = """{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  open_file_cache max=100;
  sendfile on;
  tcp_nopush on;
  default_type application/json;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files;
    {locations}
  }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def running_nginx(folder: Path, answers: Mapping[str, Ready]) -> Iterator[tuple[int, int] | None]:
    """Serve the answers that have a body by their path until the block ends; answer port and process id.

    None where nginx is not installed.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    _write(folder, port, answers)
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        wait_for(lambda: accepts(port), 30)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _write(folder: Path, port: int, answers: Mapping[str, Ready]) -> None:
    bodies = {path: one for path, one in answers.items() if one.body}
    for path, one in bodies.items():
        file = folder / "files" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(one.body)
    given = {
        "user": "user root;" if os.getuid() == 0 else "",
        "folder": folder,
        "port": port,
        "temporary": " ".join(f"{name}_temp_path {folder}/{name};" for name in _TEMPORARY),
        "locations": "\n    ".join(_location(path, one) for path, one in bodies.items()),
    }
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(**given))


def _location(path: str, one: Ready) -> str:
    own = [(name, value) for name, value in one.headers if name not in _OF_NGINX]
    added = " ".join(f"add_header {name} {_quoted(value)};" for name, value in own)
    return f"location = {path} {{ {added} }}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
