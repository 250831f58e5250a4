"""The ways to meet each code of reports, appeals and statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from tests.service.answers import UNKNOWN_ID
from tests.service.reporting import act, appeal, report
from tests.service.test_reports import set_review
from tests.service_fixture import Service


async def _report_unknown(service: Service) -> httpx.Response:
    return await service.call("GET", f"/v1/sites/test/reports/{UNKNOWN_ID}")


async def _report_own(service: Service) -> httpx.Response:
    sent = await service.published()
    return await report(service, sent, by=sent["author_token"])


async def _appeal_unknown(service: Service) -> httpx.Response:
    token = (await service.submit("An opinion."))["author_token"]
    return await service.call("GET", f"/v1/sites/test/appeals/{UNKNOWN_ID}", as_=token)


async def _appeal_exists(service: Service) -> httpx.Response:
    sent = await service.published()
    await act(service, sent, "remove")
    await appeal(service, sent)
    return await appeal(service, sent)


async def _appeal_not_possible(service: Service) -> httpx.Response:
    return await appeal(service, await service.published())


async def _appeal_too_late(service: Service) -> httpx.Response:
    await set_review(service, appeal_days=0)
    sent = await service.published()
    await act(service, sent, "remove")
    return await appeal(service, sent)


async def _statement_none(service: Service) -> httpx.Response:
    sent = await service.published()
    path = f"/v1/sites/test/comments/{sent['comment']['id']}/statement"
    return await service.call("GET", path, as_=sent["author_token"])


WAYS_OF_REPORTS: dict[str, Callable[[Service], Awaitable[httpx.Response]]] = {
    "report.unknown": _report_unknown,
    "report.own": _report_own,
    "appeal.unknown": _appeal_unknown,
    "appeal.exists": _appeal_exists,
    "appeal.not_possible": _appeal_not_possible,
    "appeal.too_late": _appeal_too_late,
    "statement.none": _statement_none,
}
