"""What a comment widget weighs, and how long a phone waits for the first comment: ours, isso's, and artalk's weight.

    python -m bench.widget [--rounds 9] [--network slow-4g|fast-4g] [--weights-only]

Weights are of all that one reader loads, each file compressed by itself with gzip at its best. The time is the one from
the navigation to the first comment painted within the window, in headless Chromium as a phone with a quarter of this
machine's CPU, on a network that Chromium slows down as Lighthouse does (`throttlingMethod: devtools`). Each round opens
the same article with the same 20 comments once in each way, with nothing kept from before, in an order that turns.
Both services stand behind the same proxy that compresses what they leave uncompressed. isso runs as its documentation
has it: SQLite, on an origin of its own like ours, and once more under the article's own origin, which saves it the
browser's questions beforehand (CORS); its guard is off. isso and artalk come from PyPI and npm into `build/`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import http.client
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from playwright.async_api import async_playwright

from bench import report, rivals
from bench.front import Front
from bench.phone import NETWORKS, SLOWER_CPU, Network, opened
from bench.pipeline import submit_all
from bench.running import Running, running_service
from bench.texts import comments
from service.routes.squeeze import squeezed_style
from service.routes.widget import FOLDER, LANGUAGES

PAGE, ROOTS = "an-article", 20


ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>An article</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { font: 1rem/1.5 sans-serif; margin: 1rem }</style>%(head)s</head>
<body><h1>Night trams until two</h1><p>The council wants trams to run later on Fridays and Saturdays.</p>
%(thread)s</body></html>"""
WIDGET = '<colloquy-thread site="demo" page="%(page)s">%(inside)s</colloquy-thread>'


def main() -> None:
    """Print the weights and the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often each way is opened")
    parser.add_argument("--network", choices=NETWORKS, default="slow-4g")
    parser.add_argument("--weights-only", action="store_true")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with running_service() as service:
        weighed = weights(service)
        report.table("Weight, gzipped", ["", "bytes", "of"], [list(row.values()) for row in weighed])
        if options.weights_only:
            return
        timed = asyncio.run(times(service, options.rounds, NETWORKS[options.network]))
    report.table(
        f"First comment on {options.network} and 1/{SLOWER_CPU} of the CPU, median of {options.rounds} (ms)",
        ["way", "median", "least", "most", "to ours", "requests", "KB", "layout shift"],
        [
            [
                row[name]
                for name in ("way", "median_ms", "least_ms", "most_ms", "ratio", "requests", "kilobytes", "shift")
            ]
            for row in timed
        ],
    )
    for row in timed:
        report.table(f"What it loads: {row['way']} (ms, medians)", ["file", "from", "to"], row["loads"])
    load = {"load_before": load_before, "load_after": os.getloadavg()[0]}
    name = "widget" if options.network == "slow-4g" else f"widget_{options.network}"
    report.write(name, {**load, "network": NETWORKS[options.network]._asdict(), "weights": weighed, "times": timed})


def weights(service: Running) -> list[dict[str, Any]]:
    """Answer what each client weighs; one whose registry cannot be reached is told and left out."""
    entry = served(service, "/widget.js")
    build = gzip.decompress(entry).decode().partition("widget/")[2].partition("/")[0]
    parts = {
        name: len(served(service, f"/widget/{build}/{name}"))
        for name in ("thread.js", *(f"{one}.js" for one in LANGUAGES))
    }
    style = len(packed(squeezed_style((FOLDER / "style.css").read_text()).encode()))
    one_reader = [len(entry) + parts["thread.js"] + parts[f"{language}.js"] for language in LANGUAGES]
    found = {
        "colloquy, a reader of English": (one_reader[0], "widget.js + thread.js + en.js"),
        "colloquy, a reader of the heaviest language": (max(one_reader), "with ar.js, de.js, es.js or fr.js"),
        "  widget.js": (len(entry), "loaded at once"),
        "  thread.js": (parts.pop("thread.js"), f"loaded near the thread; its style by itself is {style}"),
        **{f"  {name}": (size, "one of these") for name, size in parts.items()},
    }
    for name, client in {
        f"isso {rivals.ISSO}": rivals.isso_client,
        f"artalk {rivals.ARTALK}": rivals.artalk_client,
    }.items():
        found |= rival(name, client)
    return [{"of": name, "bytes": size, "what": what} for name, (size, what) in found.items()]


def rival(name: str, client: Callable[[], dict[str, bytes]]) -> dict[str, tuple[int, str]]:
    """Answer the lines of another client's weight."""
    try:
        files = {file: len(packed(content)) for file, content in client().items()}
    except rivals.UnreachableError as error:
        print(f"\n{name} is not weighed. {error}")
        return {}
    whole = {file: size for file, size in files.items() if "Lite" not in file}
    lite = {file: size for file, size in files.items() if "Lite" in file}
    totals = {name: (sum(whole.values()), " + ".join(whole))}
    if lite:
        totals[f"{name}, lite"] = (sum(lite.values()), " + ".join(lite))
    return totals | {f"  {file}": (size, "") for file, size in files.items()}


def packed(content: bytes) -> bytes:
    """Answer it compressed."""
    return gzip.compress(content, 9, mtime=0)


def served(service: Running, path: str) -> bytes:
    """Answer a file of the widget as a browser gets it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, path
    assert answer.headers["content-encoding"] == "gzip", path
    return body


async def times(service: Running, rounds: int, network: Network) -> list[dict[str, Any]]:
    """Open the article in each way, in turns, and answer what was seen."""
    seen: dict[str, list[dict[str, Any]]] = {}
    async with AsyncExitStack() as stack:
        pages = await stack.enter_async_context(Front.of())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colloquy-bench-")))
        ways = await ours(stack, service, pages) | await theirs(stack, home, pages)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for number in range(-1, rounds):
            turn = number % len(ways)
            for way in [*list(ways)[turn:], *list(ways)[:turn]]:
                visit = await opened(browser, pages.url + ways[way], network)
                # The first round warms servers and browser up.
                if number >= 0:
                    seen.setdefault(way, []).append(visit)
        await browser.close()
    first = median(visit["seen"] for visit in seen[next(iter(ways))])
    return [summary(way, visits, first) for way, visits in seen.items()]


async def ours(stack: AsyncExitStack, service: Running, pages: Front) -> dict[str, str]:
    """Fill the thread, allow the article's origin, write its pages, and answer their paths."""
    await allow(service, pages.url)
    await submit_all(service, comments(ROOTS), 1, PAGE, wait=True)
    path = f"/v1/sites/demo/threads/{quote(PAGE)}"
    count = service.get(path)[1]["thread"]["count"]
    assert count == ROOTS, f"{count} of {ROOTS} comments were published"
    front = await stack.enter_async_context(Front.of(service.port))
    head = f'<script type="module" src="{front.url}/widget.js"></script>'
    for name, inside in {"/ours": "", "/ours-rendered": fragment(service, path)}.items():
        pages.pages[name] = ARTICLE % {"head": head, "thread": WIDGET % {"page": PAGE, "inside": inside}}
    return {"ours": "/ours", "ours, rendered by the server": "/ours-rendered"}


async def theirs(stack: AsyncExitStack, home: Path, pages: Front) -> dict[str, str]:
    """The same for isso; nothing where PyPI cannot be reached."""
    try:
        port = stack.enter_context(rivals.running_isso(home, pages.url)).port
    except rivals.UnreachableError as error:
        print(f"\nisso is not timed. {error}")
        return {}
    rivals.submit_to_isso(port, f"/{PAGE}", comments(ROOTS))
    front = await stack.enter_async_context(Front.of(port))
    pages.services["/isso"] = port
    for name, at in {"/isso-beside": front.url, "/isso-within": "/isso"}.items():
        head = f'<script data-isso="{at}" src="{at}/js/embed.min.js" async></script>'
        pages.pages[name] = ARTICLE % {
            "head": head,
            "thread": f'<section id="isso-thread" data-isso-id="/{PAGE}"></section>',
        }
    return {"isso": "/isso-beside", "isso, on the article's origin": "/isso-within"}


async def allow(service: Running, origin: str) -> None:
    """Let the demo site's widget live on one more origin."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    headers = {"Authorization": f"Bearer {service.demo['admin_token']}", "Content-Type": "application/json"}
    connection.request("PATCH", "/v1/admin/sites/demo", json.dumps({"allowed_origins": [origin]}), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def fragment(service: Running, path: str) -> str:
    """Answer what a publisher's server puts into the element."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("GET", f"{path}/fragment")
    found = connection.getresponse().read().decode()
    connection.close()
    return found


def summary(way: str, visits: list[dict[str, Any]], first: float) -> dict[str, Any]:
    """Answer one way's line."""
    seen = [visit["seen"] for visit in visits]
    loads: dict[str, list[list[float]]] = {}
    for visit in visits:
        for name, began, ended in visit["loads"]:
            loads.setdefault(name, []).append([began, ended])
    return {
        "way": way,
        "median_ms": median(seen),
        "least_ms": min(seen),
        "most_ms": max(seen),
        "ratio": median(seen) / first,
        "requests": median(visit["requests"] for visit in visits),
        "kilobytes": median(visit["bytes"] for visit in visits) / 1000,
        "shift": median(visit["shift"] for visit in visits),
        "all_ms": seen,
        "loads": [[name, median(one[0] for one in at), median(one[1] for one in at)] for name, at in loads.items()],
    }


if __name__ == "__main__":
    main()
