"""Nothing that a reader wrote and no secret is ever logged (promise 10), not even by what fails."""

import asyncio
import json
import logging
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.flow.context import Context
from service.queue.review import ReviewQueue
from service.queue.scorer_status import ScorerBoard, ScorerStatus
from service.store.database import Database
from service.store.tables import comments
from service.telemetry import JsonFormatter
from tests.service.answers import client_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
PLANTED = "xyzzy-planted"
COMMENTS = "/v1/sites/test/threads/page/comments"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged from now on, at every level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def logged(lines: pytest.LogCaptureFixture) -> str:
    """Answer the log as an operator reads it, but for the client of these tests."""
    formatter = JsonFormatter()
    ours = [one for one in lines.records if not one.name.startswith(("httpx", "httpcore"))]
    return "\n".join(formatter.format(one) for one in ours)


class BrokenBoard(ScorerBoard):
    """A part whose failure quotes what it was given, as drivers do."""

    def __init__(self) -> None:
        """Need nothing."""

    async def read(self) -> ScorerStatus:
        raise RuntimeError(f"cannot say while {PLANTED}")


class BrokenQueue(ReviewQueue):
    """A queue that fails like no one expects, with a secret in the message."""

    def __init__(self) -> None:
        """Need nothing."""

    async def take(self, *arguments: Any, **named: Any) -> Any:
        raise KeyError(PLANTED)


class BrokenDatabase(Database):
    """A database that takes the text of a reader into a statement that fails."""

    def __init__(self, whole: Database) -> None:
        self.__dict__.update(whole.__dict__)

    def writing(self, *, heavy: bool = False, pages_stay: bool = False) -> Any:
        return _Failing(super().writing(heavy=heavy, pages_stay=pages_stay))


class _Failing:
    def __init__(self, whole: Any) -> None:
        self._whole = whole

    async def __aenter__(self) -> Any:
        connection = await self._whole.__aenter__()
        wrong = sa.insert(comments).values(id=PLANTED, site_id=PLANTED, path=PLANTED)
        try:
            await connection.execute(wrong)
        except BaseException as error:
            await self._whole.__aexit__(type(error), error, error.__traceback__)
            raise
        return connection

    async def __aexit__(self, *error: Any) -> Any:
        return await self._whole.__aexit__(*error)


async def ask(
    service: Service, context: Context, method: str, path: str, *, as_: str | None = None, **options: Any
) -> httpx.Response:
    """Send a request to an application on other parts."""
    headers = {"authorization": f"Bearer {service.tokens[as_]}"} if as_ else {}
    async with client_of(context.settings, context) as client:
        return await client.request(method, path, headers=headers | options.pop("headers", {}), **options)


async def test_a_day_of_comments_leaves_no_text_in_the_log(service: Service, lines: pytest.LogCaptureFixture) -> None:
    """Submitting, editing, holding, deciding and refusing log no text, no name, no token and no lease."""
    secrets = [PLANTED, *service.tokens.values()]
    sent = await service.submit(f"A rude {PLANTED}.", author={"name": PLANTED}, page=PLANTED)
    secrets.append(sent["author_token"])
    await service.drain()
    [item] = await service.claim()
    secrets.append(item["lease"]["token"])
    await service.decide(item, "reject", reasons=["insult"], note=PLANTED)
    service.scorer.failing.add("poison")
    await service.submit(f"This poison {PLANTED}.")
    await service.drain()
    for body in ({"body": PLANTED, PLANTED: 1}, {"body": [PLANTED]}, {"body": PLANTED, "parent_id": PLANTED}):
        await service.call("POST", COMMENTS, json=body, headers={"idempotency-key": PLANTED}, expect=400)
    await service.call("POST", COMMENTS, content=f'{{"body": "{PLANTED}'.encode(), expect=415)
    await service.call("GET", "/v1/sites/test/mine", as_=f"cq_{PLANTED}", expect=401)
    await service.call("GET", f"/v1/sites/test/threads/{PLANTED}?after={PLANTED}", expect=400)
    key = await service.call(
        "POST", "/v1/admin/sites/test/keys", as_="admin", json={"name": PLANTED, "scopes": ["review"]}, expect=201
    )
    secrets.append(key.json()["token"])
    seen = logged(lines)
    assert "text cannot be scored" in seen
    assert [secret for secret in secrets if secret in seen] == []


async def test_a_defect_is_logged_without_its_message(service: Service, lines: pytest.LogCaptureFixture) -> None:
    """A 500 is logged with the type and the frames of its error, and with nothing that was sent."""
    broken = replace(service.context, scorers=BrokenBoard(), reviews=BrokenQueue())
    given = {"headers": {"x-request-id": "the-request-1"}}
    for method, path, as_, options in (
        ("GET", "/v1/review/test/queue", "moderator", {}),
        ("POST", "/v1/review/test/claims", "moderator", {"json": {}}),
        ("POST", COMMENTS, None, {"json": {"body": PLANTED}, "headers": {"prefer": f"wait=5;{PLANTED}"}}),
    ):
        answer = await ask(service, broken, method, path, as_=as_, **(given | options))
        assert answer.status_code == 500
        assert PLANTED not in answer.text
    seen = logged(lines)
    assert "unforeseen error" in seen
    assert "RuntimeError" in seen
    assert "KeyError" in seen
    assert "access.py" in seen or "review.py" in seen
    assert [one for one in (PLANTED, *service.tokens.values()) if one in seen] == []


async def test_a_failing_statement_is_logged_without_its_values(
    service: Service, lines: pytest.LogCaptureFixture
) -> None:
    """What a driver says of a statement quotes what was in it; the log shows its type only."""
    broken = replace(service.context, database=BrokenDatabase(service.context.database))
    answer = await ask(service, broken, "POST", COMMENTS, json={"body": PLANTED})
    assert answer.status_code >= 500
    assert PLANTED not in answer.text
    seen = logged(lines)
    assert "unforeseen error" in seen
    assert PLANTED not in seen


async def test_a_lost_task_is_logged_without_its_message(lines: pytest.LogCaptureFixture) -> None:
    """The event loop quotes the exception of a task that nobody waits for; the log shows its type and frames only."""

    async def fail() -> None:
        raise RuntimeError(PLANTED)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    said = {"message": f"Exception in callback f({PLANTED!r})", "exception": task.exception(), "future": task}
    asyncio.get_running_loop().default_exception_handler(said)
    [line] = [json.loads(one) for one in logged(lines).splitlines() if '"error"' in one]
    assert (line["logger"], line["exception"]) == ("asyncio", "RuntimeError")
    assert line["frames"][-1].endswith(" fail")
    assert PLANTED not in logged(lines)


def test_a_callback_of_a_future_is_logged_without_its_message(lines: pytest.LogCaptureFixture) -> None:
    """Threads' futures quote what they hold, and so may a line whose argument is an exception; neither is shown."""
    future: Future[str] = Future()
    future.add_done_callback(lambda _: 1 // 0)
    future.set_exception(RuntimeError(PLANTED))
    logging.getLogger("some.library").warning("it failed: %s", RuntimeError(PLANTED))
    seen = logged(lines)
    assert PLANTED not in seen
    assert "ZeroDivisionError" in seen


def test_the_servers_traceback_is_logged_without_its_message(lines: pytest.LogCaptureFixture) -> None:
    """The server writes a whole traceback into its message; its first line, the frames and the type are kept."""
    said = f"""Application callable raised an exception
Traceback (most recent call last):
  File "/service/app.py", line 7, in create_app
    raise LookupError(word)
LookupError: {PLANTED}
and {PLANTED}"""
    logging.getLogger("_granian.asgi.callbacks").error(said)
    line = json.loads(logged(lines))
    assert (line["event"], line["exception"]) == ("Application callable raised an exception", "LookupError")
    assert line["frames"] == ["/service/app.py:7 create_app"]
    assert PLANTED not in str(line)
