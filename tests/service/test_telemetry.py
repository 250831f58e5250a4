"""Metrics are on the page of the process that counts them, and a request's log line quotes nothing of it."""

import json
import logging

import pytest
from prometheus_client import generate_latest

from service import telemetry
from tests.service_fixture import Service

WORKERS_ALONE = (
    "colloquy_scorer_up",
    "colloquy_scorer_failures_total",
    "colloquy_swept_total",
    "colloquy_stage_seconds",
    "colloquy_batch_comments",
)


@pytest.mark.anyio
async def test_the_api_shows_no_metric_of_a_worker(service: Service) -> None:
    """The API's page has what the API counts and no gauge that only a worker could set."""
    shown = (await service.call("GET", "/metrics", expect=200)).text
    assert "colloquy_http_seconds" in shown
    assert "colloquy_comments_submitted_total" in shown
    assert [name for name in WORKERS_ALONE if name in shown] == []


def test_a_worker_shows_no_metric_of_the_api() -> None:
    """The worker's page has the worker's metrics and the decisions, which both make."""
    shown = generate_latest(telemetry.worker_registry).decode()
    assert [name for name in WORKERS_ALONE if name not in shown] == []
    assert "colloquy_revisions_decided_total" in shown
    assert "colloquy_http_seconds" not in shown


def test_a_request_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line names method, route, status, milliseconds and request id, and no word that the sender chose."""
    caplog.set_level(logging.INFO)
    token = telemetry.request_id.set("the-request-1")
    telemetry.log_request("PLANTED", "/v1/sites/{site}/counts", 200, 0.01234)
    [line] = [json.loads(telemetry.JsonFormatter().format(record)) for record in caplog.records]
    telemetry.request_id.reset(token)
    told = {name: line[name] for name in ("event", "level", "route", "status", "milliseconds", "request_id")}
    assert told == {
        "event": "request",
        "level": "info",
        "route": "/v1/sites/{site}/counts",
        "status": 200,
        "milliseconds": 12.3,
        "request_id": "the-request-1",
    }
    assert "PLANTED" not in str(line)
