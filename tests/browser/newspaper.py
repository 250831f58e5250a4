"""A publisher's page on an origin of its own, with the strictest content policy that the widget can live under."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from playwright.async_api import Browser

from tests.browser.reader import Reader
from tests.journey.harness import Installation

_PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/news.css">
<script src="/tripwire.js"></script>{identity}
<script type="module" src="{service}/widget.js"></script></head>
<body><main><h1>{title}</h1><p>An article of some length.</p><div class="{tall}"></div>
<colloquy-thread site="demo" page="{page}"{attributes}>{inside}</colloquy-thread>
<div class="{tall}"></div></main></body></html>"""
_STYLE = """:root { color-scheme: light dark; font: 1rem/1.5 sans-serif; background: light-dark(#fff, #131518) }
body { margin: 1rem } .tall { height: 3000px }"""
_TRIPWIRE = """window.violations = [];
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
  window.violations.push(`${effectiveDirective} ${blockedURI}`));
"""
_IDENTITY = """addEventListener("DOMContentLoaded", () => {
  document.querySelector("colloquy-thread").identity = async () => (await (await fetch("/token")).text()) || null;
});
"""


class Newspaper:
    """What it serves: `/ARTICLE?lang=…`, any other parameter is an attribute of the element."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.url = ""
        #: The publisher's token of who is signed in; how often it was asked for.
        self.token = ""
        self.asked = 0
        #: What the server of the publisher put into the element.
        self.inside = ""

    @classmethod
    @asynccontextmanager
    async def of(cls, installation: Installation) -> AsyncIterator[Self]:
        """Serve on a free port, as one of the origins of the demo site."""
        paper = cls(installation.url)
        server = await asyncio.start_server(paper._serve, "127.0.0.1", 0)
        paper.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        headers = {"authorization": f"Bearer {installation.demo['admin_token']}"}
        site = (await installation.client.get("/v1/admin/sites/demo", headers=headers)).json()
        origins = [*site["allowed_origins"], paper.url]
        answer = await installation.client.patch(
            "/v1/admin/sites/demo", json={"allowed_origins": origins}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        async with server:
            yield paper

    def article(self, page: str, **attributes: str) -> str:
        """Answer the address of an article."""
        return f"{self.url}/{quote(page, safe='')}?{urlencode(attributes)}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        kind, body = self._answer(urlsplit(request.split(" ", 2)[1]))
        sources = f"script-src 'self' {self.service}; connect-src 'self' {self.service}; style-src 'self'"
        types = "require-trusted-types-for 'script'; trusted-types colloquy"
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body.encode())}\r\nconnection: close\r\n"
            f"content-security-policy: default-src 'none'; {sources}; base-uri 'none'; form-action 'none'; {types}\r\n"
        )
        writer.write(f"{head}\r\n{body}".encode())
        await writer.drain()
        writer.close()

    def _answer(self, target: SplitResult) -> tuple[str, str]:
        path, query = target.path, dict(parse_qsl(target.query))
        match path:
            case "/news.css":
                return "text/css", _STYLE
            case "/tripwire.js":
                return "text/javascript", _TRIPWIRE
            case "/identity.js":
                return "text/javascript", _IDENTITY
            case "/token":
                self.asked += 1
                return "text/plain", self.token
            case "/favicon.ico":
                return "image/x-icon", ""
        lang, tall = query.pop("lang", "en"), "tall" if query.pop("tall", "") else ""
        identity = '<script src="/identity.js"></script>' if query.pop("signed", "") else ""
        fields = {
            "lang": lang, "dir": "rtl" if lang == "ar" else "ltr", "service": self.service, "identity": identity,
            "tall": tall, "title": escape(query.pop("title", "An article")), "page": escape(unquote(path[1:])),
            "inside": self.inside,
            "attributes": "".join(f" {name}={json.dumps(escape(value))}" for name, value in query.items()),
        }  # fmt: skip
        return "text/html; charset=utf-8", _PAGE.format(**fields)


def at(browser: Browser, paper: Newspaper, page: str, *, address: dict[str, str] | None = None, **options: Any) -> Any:
    """Open an article in a fresh profile."""
    return Reader.at(browser, paper.article(page, **(address or {})), origins=[paper.service], **options)
