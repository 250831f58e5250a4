"""A key with the scope `analyze`, a quick model in this process, and a client that asks in Perspective's words."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

import httpx

from moderation.scores import Attribute, Scores
from service import schemas
from service.flow import manage_people
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.quick import Quick
from tests.leaks import plant
from tests.service_fixture import FakeScorer, Service

ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"
QUICK_ID = "quick-1@00000000"
SHIPPED = (Attribute.TOXICITY, Attribute.INSULT, Attribute.OBSCENE, Attribute.IDENTITY_ATTACK, Attribute.THREAT)


class SeveralScorer(FakeScorer):
    """The test's model, for the attributes that the shipped models score: each a little less than the one before."""

    attributes: tuple[Attribute, ...] = SHIPPED

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text."""
        return [
            with_values(one, {name: one.values[Attribute.TOXICITY] * 0.9**at for at, name in self._numbered})
            for one in await super().score(texts)
        ]

    @property
    def _numbered(self) -> list[tuple[int, Attribute]]:
        return list(enumerate(self.attributes))


def with_values(scores: Scores, values: dict[Attribute, float]) -> Scores:
    """The same with other values."""
    return Scores(scores.model_id, scores.calibrated, values)


class QuickModel:
    """A quick model that answers at once, or when it is let, or never."""

    def __init__(self, attributes: Sequence[Attribute] = SHIPPED) -> None:
        self.languages = frozenset({"en"})
        self.running = True
        self.starts = 0
        self.attributes = attributes
        self.calls: list[list[str]] = []
        self.may = asyncio.Event()
        self.may.set()
        self.failing = False

    async def start(self) -> None:
        """It is there."""
        self.starts += 1

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer a quarter for everything."""
        self.calls.append(list(texts))
        await self.may.wait()
        if self.failing:
            raise OSError("it broke")
        return [Scores(QUICK_ID, True, dict.fromkeys(self.attributes, 0.25)) for _ in texts]

    async def stop(self) -> None:
        """It is gone."""


def with_quick(context: Context, model: QuickModel) -> Context:
    """The same process with a quick model of the test's."""
    return dataclasses.replace(context, quick=Quick(model))


async def key_of(service: Service, **fields: Any) -> str:
    """A new key with the scope `analyze` of the site `test`."""
    wanted = schemas.KeyInput(name="client", scopes=["analyze"], **fields)
    made = await manage_people.create_key(service.context, await find_site(service.context, "test"), "test", wanted)
    plant(made.token)
    return made.token


class Client:
    """Asks as a client of the Perspective API does."""

    def __init__(self, service: Service, key: str) -> None:
        self.service = service
        self.key = key

    async def post(self, path: str, body: Any, *, expect: int = 200, **query: Any) -> httpx.Response:
        """Send a body, with the key in the query."""
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.service.call("POST", path, params={"key": self.key, **query}, expect=expect, **sent)

    async def analyze(self, text: str, *names: str, **fields: Any) -> dict[str, Any]:
        """Ask for attributes, TOXICITY unless others are named, and answer the JSON."""
        wanted: dict[str, Any] = {name: {} for name in names or ["TOXICITY"]}
        answer = await self.post(ANALYZE, {"comment": {"text": text}, "requestedAttributes": wanted, **fields})
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, body: Any, path: str = ANALYZE, *, status: int = 400, **query: Any) -> dict[str, Any]:
        """Send what is refused, and answer the error."""
        return error_of(await self.post(path, body, expect=status, **query))


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which must be in Google's shape."""
    assert answer.headers["content-type"].startswith("application/json")
    [(name, error)] = answer.json().items()
    assert (name, error["code"]) == ("error", answer.status_code)
    assert {"code", "message", "status"} <= set(error) <= {"code", "message", "status", "details"}
    assert error["message"]
    assert error["status"].isupper()
    return dict(error)


def type_of(error: dict[str, Any]) -> str:
    """The error type that the API's own errors have."""
    [detail] = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    return str(detail["errorType"])
