"""A real HTTP server of files that breaks off, lies and fails as it is told, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """How one request is answered; without a fault, as a good server does."""

    status: int = 0
    """A status to fail with; 0: none."""
    stop_after: int | None = None
    """Bytes of the body after which the connection ends."""
    held: threading.Event | None = None
    """What is waited for where the connection would end."""
    ignore_range: bool = False
    etag: str = '"one"'
    content: bytes | None = None
    """Sent in place of the file."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent in place of the server's own of the same name; an empty value leaves one out."""
    redirect: str = ""


@dataclass
class Files:
    """What a server has and how it answers: the answers of a path are used up in order, then it is a good server."""

    content: dict[str, bytes]
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    always: Answer | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    url: str = ""

    def ranges_of(self, name: str) -> list[str | None]:
        """Answer the ranges that a file was asked for with."""
        return [asked for path, asked in self.asked if path.rpartition("/")[2] == name]

    def next_answer(self, name: str) -> Answer:
        """Answer how the next request for a file is answered."""
        planned = self.answers.get(name)
        return planned.pop(0) if planned else (self.always or Answer())


def _handler(files: Files) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            name, asked = self.path.rpartition("/")[2], self.headers.get("Range")
            files.asked.append((self.path, asked))
            answer = files.next_answer(name)
            self.close_connection = True
            if answer.redirect:
                self._begin(302, {"Location": answer.redirect, "Content-Length": "0"}, {})
            elif answer.status or (answer.content is None and name not in files.content):
                self._begin(answer.status or 404, {"Content-Length": "0"}, answer.headers)
            else:
                self._send(answer, files.content.get(name, b"") if answer.content is None else answer.content, asked)

        def _send(self, answer: Answer, body: bytes, asked: str | None) -> None:
            status, start, own = 200, 0, {"Content-Type": "application/octet-stream", "ETag": answer.etag}
            fresh = self.headers.get("If-Range", answer.etag) == answer.etag
            if asked is not None and fresh and not answer.ignore_range:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    return self._begin(416, {"Content-Length": "0"}, {})
                status, own["Content-Range"] = 206, f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._begin(status, {**own, "Content-Length": str(len(body) - start)}, answer.headers)
            self.wfile.write(body[start : len(body) if answer.stop_after is None else start + answer.stop_after])
            self.wfile.flush()
            if answer.held is not None:
                answer.held.wait()
            return None

        def _begin(self, status: int, own: dict[str, str], others: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**own, **others}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()

    return Handler


@contextmanager
def serving(files: Files) -> Iterator[Files]:
    """Serve files on a free port of the loopback address until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    files.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
