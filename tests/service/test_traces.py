"""Traces: one from a reader's request through the worker to the receiver of a webhook, and nothing in it but ids."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service import open_telemetry, tracing
from service.queue.scoring import Entry
from service.routes.edge import Edge
from service.routes.traced import Traced
from service.telemetry import JsonFormatter
from service.workers.batch_trace import traced
from service.workers.delivering import Deliverer
from tests.leaks import plant
from tests.raw_server import raw_server
from tests.receiver import Answer, Receiver, receivers
from tests.service.delivering import delivering
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
COMMENTS = "/v1/sites/test/threads/xyzzy-page/comments"
PLANTED = "xyzzy"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OURS = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNKNOWN = "0190a0a0-0000-7000-8000-000000000000"


class Traces:
    """The spans of this process, once they are sent."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        open_telemetry.start("colloquy-test", "", version="0", exporter=self._exporter)

    def end(self) -> list[ReadableSpan]:
        """Trace no more, and answer what was."""
        tracing.end_tracing()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def traces() -> Iterator[Traces]:
    """Tracing, until the test ends it."""
    yield Traces()
    tracing.end_tracing()


@pytest.fixture
async def traced_client(service: Service, litestar: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the application as a process serves it that traces."""
    edge = Edge(litestar, lambda: service.context, service.context.settings)
    transport = httpx.ASGITransport(app=Traced(edge), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.fixture
async def deliverer(service: Service) -> AsyncIterator[Deliverer]:
    """The delivering part of a worker."""
    async with delivering(service.context) as made:
        yield made


@pytest.fixture
async def receiver(service: Service) -> AsyncIterator[Receiver]:
    """A receiver of what happens to comments."""
    async with receivers("/hook") as [made]:
        wanted = {"url": f"{made.url}?key={PLANTED}", "events": ["comment.*"]}
        named = await service.call("POST", "/v1/admin/sites/test/webhooks", as_="admin", json=wanted, expect=201)
        plant(named.json()["secret"])
        yield made


def tree(found: Sequence[ReadableSpan], trace_id: str) -> dict[str, str | None]:
    """Answer the spans of a trace, each with what it is within; those outside of this process are their ids."""
    mine = [one for one in found if one.context is not None and f"{one.context.trace_id:032x}" == trace_id]
    names = {one.context.span_id: one.name for one in mine if one.context is not None}
    return {
        one.name: names.get(one.parent.span_id, f"{one.parent.span_id:016x}") if one.parent else None for one in mine
    }


async def submit(client: httpx.AsyncClient, body: str, **headers: str) -> dict[str, str]:
    """Submit a comment, and answer the ids that the answer names."""
    sent = {"body": body, "author": {"name": f"{PLANTED} Ada"}, "title": PLANTED}
    answer = await client.post(COMMENTS, json=sent, headers=headers)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    plant(body, found["author_token"])
    return {"comment_id": found["comment"]["id"], "author_token": found["author_token"]}


async def test_one_trace_from_the_submit_to_the_webhook(
    service: Service, traces: Traces, traced_client: httpx.AsyncClient, deliverer: Deliverer, receiver: Receiver
) -> None:
    """The sender's trace has request, commit, stream, decision and both deliveries, each within what caused it."""
    await submit(traced_client, "A civil opinion on trams.", traceparent=OURS)
    await service.drain()
    await deliverer.settle_all()
    found = traces.end()
    route = "POST /v1/sites/{site}/threads/{page}/comments"
    assert tree(found, TRACE_ID) == {
        route: SPAN_ID,
        "commit comment": route,
        "enqueue comment": route,
        "decide comment": "enqueue comment",
        "deliver webhook": "decide comment",
    }
    deliveries = [one for one in found if one.name == "deliver webhook" and one.attributes]
    assert [one.attributes["colloquy.event_type"] for one in deliveries if one.attributes] == [
        "comment.submitted", "comment.published",
    ]  # fmt: skip
    told = [one.headers["traceparent"] for one in receiver.took]
    assert told == [f"00-{TRACE_ID}-{one.context.span_id:016x}-01" for one in deliveries if one.context]
    assert [one["data"]["comment"]["status"] for one in receiver.events] == ["pending", "published"]


async def test_a_batch_is_linked_to_each_of_its_comments(
    service: Service, traces: Traces, traced_client: httpx.AsyncClient
) -> None:
    """The batch has a trace of its own, with the scorer's call and the transaction, and knows whose comments it had."""
    other = OURS.replace("c80319c", "c80319d")
    for number, parent in enumerate((OURS, other)):
        await submit(traced_client, f"A civil opinion, number {number}.", traceparent=parent)
    await service.drain()
    found = traces.end()
    [batch] = [one for one in found if one.name == "decide batch"]
    assert batch.context is not None
    assert {f"{link.context.trace_id:032x}" for link in batch.links} == {OURS[3:35], other[3:35]}
    assert tree(found, f"{batch.context.trace_id:032x}") == {
        "decide batch": None,
        "score": "decide batch",
        "record decisions": "decide batch",
    }
    decided = [one for one in found if one.name == "decide comment"]
    assert [[link.context.span_id for link in one.links] for one in decided] == [[batch.context.span_id]] * 2


async def test_no_text_is_in_any_span(
    service: Service, traces: Traces, traced_client: httpx.AsyncClient, deliverer: Deliverer, receiver: Receiver
) -> None:
    """Comments, names, pages, tokens, queries, baggage and what fails leave no word in what a collector is sent."""
    receiver.rule = lambda number, _: Answer(status=500 if number == 1 else 204, body=PLANTED.encode())
    service.scorer.failing.add("poison")
    sent = await submit(
        traced_client, f"A civil {PLANTED}.", tracestate=f"{PLANTED}=1", baggage=f"said={PLANTED}", traceparent=OURS
    )
    await submit(traced_client, f"This poison {PLANTED}.", **{"x-request-id": f"{PLANTED}-request"})
    held = await submit(traced_client, f"A rude {PLANTED}.")
    await traced_client.get(f"/v1/sites/test/threads/{PLANTED}", params={"after": PLANTED})
    await traced_client.get(f"/{PLANTED}")
    authorised = {"authorization": f"Bearer {held['author_token']}"}
    await traced_client.get("/v1/sites/test/mine", headers=authorised)
    await traced_client.request("PLANTED", COMMENTS, headers={"traceparent": PLANTED})
    await service.drain()
    [item, *_] = await service.claim()
    await service.decide(item, "reject", reasons=["insult"], note=PLANTED)
    await deliverer.settle_all()
    found = traces.end()
    assert len(found) > 15
    told = "\n".join(one.to_json() for one in found)
    secrets = (PLANTED, "PLANTED", "civil", "poison", "Ada", *service.tokens.values(), *(sent["author_token"],))
    assert [secret for secret in secrets if secret in told] == []
    known = {*tracing._NAMES.values(), *(f"colloquy.{name}" for name in tracing.Facts.__annotations__)}
    assert {name for one in found for name in one.attributes or {}} <= known
    assert not any(one.events for one in found)


async def test_a_moderators_act_is_in_its_requests_trace(
    service: Service, traces: Traces, traced_client: httpx.AsyncClient, deliverer: Deliverer, receiver: Receiver
) -> None:
    """What a person decides is delivered within the trace of that person's request, not of the author's."""
    await submit(traced_client, "A rude opinion.")
    await service.drain()
    [item] = await service.claim()
    await deliverer.settle_all()
    wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
    headers = {"authorization": f"Bearer {service.tokens['moderator']}", "traceparent": OURS}
    path = f"/v1/review/test/items/{item['item_id']}/decision"
    assert (await traced_client.post(path, json=wanted, headers=headers)).status_code == 200
    await deliverer.settle_all()
    traces.end()
    assert receiver.events[-1]["type"] == "comment.published"
    assert receiver.took[-1].headers["traceparent"][3:35] == TRACE_ID


async def test_untraced_work_goes_on(service: Service, deliverer: Deliverer, receiver: Receiver) -> None:
    """Where nothing is traced no entry, event or receiver is told of a trace."""
    await service.published("A civil opinion on trams.")
    await deliverer.settle_all()
    assert receiver.types == ["comment.submitted", "comment.published"]
    assert [one for one in receiver.took if "traceparent" in one.headers] == []


async def test_what_a_sender_does_not_want_sampled_is_not(
    service: Service, traces: Traces, traced_client: httpx.AsyncClient
) -> None:
    """A parent without the flag for sampling is followed: nothing of its trace is sent."""
    await submit(traced_client, "A civil opinion on trams.", traceparent=OURS[:-1] + "0")
    await service.drain()
    assert tree(traces.end(), TRACE_ID) == {}


@pytest.mark.parametrize(
    "said",
    [
        "", PLANTED, f"00-{'0' * 32}-{SPAN_ID}-01", f"00-{TRACE_ID}-{'0' * 16}-01", f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"{OURS}-more", OURS.upper(), OURS[:-1], f"00-{TRACE_ID}-{SPAN_ID}-zz",
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_none(said: str) -> None:
    """Forms that W3C's Trace Context does not have are as if nothing had been sent."""
    assert tracing.parsed(said) is None
    assert tracing.parsed(OURS) == (int(TRACE_ID, 16), int(SPAN_ID, 16), 1)
    assert tracing.parsed(f"01-{TRACE_ID}-{SPAN_ID}-01-more") is not None


def test_only_ids_and_codes_become_attributes() -> None:
    """What has a space, an at sign, a letter with an accent or no end is left out, whatever it was passed as."""
    facts = tracing.Facts(site_id=UNKNOWN, comment_id="a civil opinion", route="/v1/sites/{site}", status=200)
    assert tracing.plain(facts) == {
        "colloquy.site_id": UNKNOWN, "http.route": "/v1/sites/{site}", "http.response.status_code": 200
    }  # fmt: skip
    for text in ("ada@news.example", "Zoë", "a" * 161, "two\nlines", ""):
        assert tracing.plain(tracing.Facts(event_type=text)) == {}


async def test_an_entry_of_before_is_found_in_the_batch(traces: Traces) -> None:
    """What a process without traces put on the stream, and what the sweep puts back, is in the batch's own trace."""
    with traced([Entry("1-1", "old", 1), Entry("1-2", "new", 1, OURS)]):
        places = [tracing.place_of(one) for one in ("old", "new")]
    [comment, batch] = traces.end()
    assert batch.context is not None
    assert comment.name == "decide comment"
    assert [(place or "")[3:35] for place in places] == [f"{batch.context.trace_id:032x}", TRACE_ID]


async def test_a_line_of_the_log_names_its_trace(traces: Traces) -> None:
    """Within a span each line has the ids of trace and span, and outside none."""
    record = logging.LogRecord("service.test", logging.INFO, "here", 1, "said", None, None)
    with tracing.span("something", parent=OURS) as span:
        within = json.loads(JsonFormatter().format(record))
        assert span.traceparent == f"00-{within['trace_id']}-{within['span_id']}-01"
    assert within["trace_id"] == TRACE_ID
    assert "trace_id" not in json.loads(JsonFormatter().format(record))


async def test_a_collector_is_sent_spans_over_http() -> None:
    """OTLP over HTTP arrives at the endpoint of the setting, under `/v1/traces`, when the process ends."""
    async with raw_server() as server:
        server.answers("/v1/traces", b"", headers=("content-type: application/x-protobuf",))
        open_telemetry.start("colloquy-test", f"{server.url}/", version="0")
        with tracing.span("something", site_id=UNKNOWN):
            pass
        await asyncio.to_thread(tracing.end_tracing)
        [received] = server.received
    sent = ExportTraceServiceRequest.FromString(received.body)
    [resource] = sent.resource_spans
    assert "colloquy-test" in {one.value.string_value for one in resource.resource.attributes}
    assert [one.name for scope in resource.scope_spans for one in scope.spans] == ["something"]


async def test_a_collector_that_is_away_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    """A process ends within its time although nobody takes its spans."""
    caplog.set_level(logging.CRITICAL, logger="opentelemetry")
    open_telemetry.start("colloquy-test", "http://127.0.0.1:9", version="0")
    with tracing.span("something"):
        pass
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.to_thread(tracing.end_tracing)
    assert loop.time() - began < tracing.STOP_SECONDS + 1
    assert not tracing.is_on()


@pytest.mark.parametrize("command", ["serve", "demo", "api", "work"])
def test_a_missing_extra_is_one_line(command: str, tmp_path: Path) -> None:
    """Where a collector is named and OpenTelemetry is not installed, the start is refused and says what to install."""
    program = "import sys; sys.modules['opentelemetry.sdk'] = None; from service.__main__ import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", program, command],
        env={
            "PATH": os.environ["PATH"], "COLLOQUY_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert re.fullmatch(r"colloquy: OTEL_EXPORTER_OTLP_ENDPOINT: .* run make otel, .*\n", ended.stderr), ended.stderr
