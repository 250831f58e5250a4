"""What is measured is so: backlogs are counted in SQL on a schedule, and the process tells how it is."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest

from service import telemetry
from service.errors import Problem, unavailable
from service.flow import backlogs, health
from service.flow.pulse import show_connections
from service.queue.client import connect
from service.queue.scoring import ScoringStream
from service.store.database import Database
from service.store.installation import Waiting
from service.workers.delivering import Deliverer
from service.workers.measuring import Measurer
from tests.eventually import eventually
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SINCE = datetime(2026, 11, 28, tzinfo=UTC)


def value(name: str, page: str = "worker", **labels: str) -> float | None:
    """Answer what a page shows of a metric."""
    registry = telemetry.worker_registry if page == "worker" else telemetry.api_registry
    return registry.get_sample_value(name, labels)


async def test_what_waits_is_counted(service: Service) -> None:
    """Comments without a score, events not relayed and items of the queue are shown with the age of the oldest."""
    await service.submit("A rude opinion.")
    await service.drain()
    await service.submit("A civil opinion.")
    service.clock.advance(90)
    await Measurer(service.context).measure()
    assert (value("colloquy_unscored"), value("colloquy_unscored_oldest_seconds")) == (1, 90)
    assert value("colloquy_stream_entries", state="waiting") == 1
    assert value("colloquy_unrelayed") == 4  # Two were submitted, one is held, and a thread was opened.
    assert value("colloquy_unrelayed_oldest_seconds") == 90
    assert value("colloquy_review_open", site="test", queue="default") == 1
    assert value("colloquy_review_oldest_seconds", site="test", queue="default") == 90
    assert value("colloquy_review_overdue", site="test", queue="default") == 0
    assert value("colloquy_measured_timestamp_seconds") == pytest.approx(service.clock().timestamp())
    service.clock.advance(40 * 86_400)
    await Measurer(service.context).measure()
    assert value("colloquy_review_overdue", site="test", queue="default") == 1


async def test_an_empty_queue_has_no_line(service: Service) -> None:
    """A queue in which nothing is left is not shown with what was in it before."""
    await service.submit("A rude opinion.")
    await service.drain()
    await backlogs.measure(service.context)
    [item] = await service.claim()
    await service.decide(item)
    await backlogs.measure(service.context)
    assert value("colloquy_review_open", site="test", queue="default") is None
    assert value("colloquy_unscored_oldest_seconds") == 0


def test_the_shortest_queues_are_counted_together() -> None:
    """However many sites there are, the page has a bounded number of lines, and no item is missing."""
    queues = [Waiting(f"s{one}", "default", one, one // 2, SINCE + timedelta(seconds=one)) for one in range(1, 11)]
    shown = backlogs.together(queues, most=3)
    assert [one.site for one in shown] == ["s10", "s9", "s8", backlogs.OTHERS]
    assert shown[-1] == Waiting(backlogs.OTHERS, backlogs.OTHERS, 28, 12, SINCE + timedelta(seconds=1))
    assert backlogs.together(queues, most=10) == sorted(queues, key=lambda one: -one.open)


async def test_receivers_are_counted_by_state(service: Service) -> None:
    """A paused receiver is told apart, and what it is owed does not grow old in the numbers."""
    wanted = {"url": "http://127.0.0.1:9/hook", "events": ["*"]}
    path = "/v1/admin/sites/test/webhooks"
    made = (await service.call("POST", path, as_="admin", json=wanted, expect=201)).json()
    await service.call("PATCH", f"{path}/{made['id']}", as_="admin", json={"status": "paused"}, expect=200)
    await service.published()
    deliverer = Deliverer(service.context, service.context.webhook_egress)
    await deliverer.drain_once()
    service.clock.advance(3_600)
    await deliverer._measure()
    await deliverer.stop()
    await backlogs.measure(service.context)
    assert value("colloquy_webhook_endpoints", state="paused") == 1
    assert value("colloquy_webhook_endpoints", state="active") == 0
    assert (value("colloquy_webhook_pending"), value("colloquy_webhook_oldest_seconds")) == (0, 0)


class Away(Database):
    """A database that nobody reaches."""

    def __init__(self) -> None:
        """Need nothing."""

    def reading(self, **_: Any) -> Any:
        raise unavailable("database")


async def test_without_redis_the_rest_is_counted(service: Service) -> None:
    """The scoring stream is left out while Redis is away, and a database that is away is the loop's to tell."""
    client = connect("redis://127.0.0.1:9")
    stream = ScoringStream(client, client, consumer="test")
    await service.submit("A civil opinion.")
    await Measurer(replace(service.context, stream=stream)).measure()
    assert value("colloquy_unscored") == 1
    with pytest.raises(Problem):
        await Measurer(replace(service.context, database=Away())).measure()
    await client.aclose()


async def test_the_wait_for_a_decision_is_measured(service: Service) -> None:
    """From the commit until the machine's decision, the wait in the stream included."""
    before = value("colloquy_decision_seconds_sum") or 0
    await service.submit("A civil opinion.")
    service.clock.advance(7)
    await service.drain()
    assert (value("colloquy_decision_seconds_sum") or 0) - before == pytest.approx(7)


async def test_parts_are_gauges(service: Service) -> None:
    """Whoever asks for readiness sets what each part is to whoever watches."""
    await health.readiness(service.context)
    parts = [value("colloquy_part_up", "api", part=part) for part in ("database", "redis", "scorer")]
    assert parts == [1, 1, 0]
    await service.scorer_reports()
    await health.readiness(service.context)
    assert value("colloquy_part_up", "api", part="scorer") == 1


async def test_connections_in_use_are_shown(service: Service) -> None:
    """A pool of which every connection is in use counts as full for the time since the last look."""
    before = value("colloquy_database_full_seconds_total", pool="patient") or 0
    reading = service.context.database.reading(patience_seconds=5)
    other = service.context.database.reading(patience_seconds=5)
    async with reading, other:
        show_connections(service.context.database, 0.5)
    assert value("colloquy_database_connections", pool="patient") == 2
    full = value("colloquy_database_full_seconds_total", pool="patient") or 0
    most = value("colloquy_database_connections_most", pool="patient") or 0
    assert full - before == (0.5 if most == 2 else 0)
    show_connections(service.context.database, 0.5)
    assert value("colloquy_database_connections", pool="patient") == 0


async def test_an_api_process_has_a_pulse(service: Service) -> None:
    """While it runs, the lag of its loop is looked at, and its live streams and connections are shown."""
    before = value("colloquy_loop_lag_seconds_count", "api") or 0
    await eventually(lambda: (value("colloquy_loop_lag_seconds_count", "api") or 0) > before)
    assert value("colloquy_live_streams", "api", of="readers") == 0
    assert value("colloquy_live_streams_most", "api", of="readers") == service.context.settings.live_streams
    assert value("colloquy_database_connections_most", "api", pool="writer") is not None


async def test_a_request_is_counted_by_its_route(service: Service) -> None:
    """Whatever page, site or method is asked for, there are as many lines as routes and methods that there are."""
    before = len(re.findall(r"^colloquy_http_seconds_count", generate_latest(telemetry.api_registry).decode(), re.M))
    for number in range(20):
        await service.call("GET", f"/v1/sites/test/threads/page-{number}")
        await service.call("GET", f"/nowhere/{number}", expect=404)
        await service.call(f"METHOD{number}", "/v1/sites/test/counts")
    page = generate_latest(telemetry.api_registry).decode()
    assert len(re.findall(r"^colloquy_http_seconds_count", page, re.M)) - before <= 6
    assert 'route="/v1/sites/{site}/threads/{page}"' in page
    assert "page-1" not in page
    assert "METHOD" not in page


async def test_what_has_not_begun_is_in_flight() -> None:
    """A request counts until its answer begins or it will have none, and never twice."""
    before = value("colloquy_http_in_flight", "api") or 0
    first, second = telemetry.in_flight(), telemetry.in_flight()
    assert (value("colloquy_http_in_flight", "api") or 0) - before == 2
    first()
    first()
    assert (value("colloquy_http_in_flight", "api") or 0) - before == 1
    second()
    assert value("colloquy_http_in_flight", "api") == before


async def test_counting_that_takes_long_is_done_seldom(service: Service) -> None:
    """The loop counts, then waits until it is time again or the worker ends."""
    measurer, stop = Measurer(service.context, every_seconds=3_600), asyncio.Event()
    turn = asyncio.create_task(measurer.turn(stop))
    await eventually(lambda: value("colloquy_measured_timestamp_seconds") == service.clock().timestamp())
    assert not turn.done()
    stop.set()
    await turn
