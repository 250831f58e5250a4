"""The real application in this process, with time, ids and the model in the test's hands."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from moderation.policy import default_policy
from moderation.scores import Attribute, Scores
from service import schemas
from service.app import create_litestar, plug
from service.composition import open_context
from service.embedded_redis import EmbeddedRedis
from service.flow import manage_admins, manage_people, manage_sites
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.ids import Uuid7
from service.flow.manage_limits import GENEROUS, set_limits
from service.flow.sweep import sweep
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.routes.edge import Edge
from service.settings import Settings
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerFailed, ScorerFailure
from service.workers.scoring import CANARY, ScoringWorker
from tests.leaks import plant


class Clock:
    """The time, which passes only when a test says so; it starts at the real one."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Answer the time."""
        return self.moment

    def nanoseconds(self) -> int:
        """Answer the time as ids take it: they name the same time as the rows do."""
        return int(self.moment.timestamp() * 1_000_000_000)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)


class FakeScorer:
    """A model that says what the test wants: a text's score is looked up by the first word it contains.

    `scores` maps a word to a toxicity; `failing` texts raise; `down` fails everything, the canary too.
    """

    def __init__(self) -> None:
        self.languages = frozenset({"en"})
        self.model_id = default_policy().model
        self.scores: dict[str, float] = {"vile": 0.999, "rude": 0.7}
        self.failing: set[str] = set()
        self.reason = ScorerFailure.RAISED
        self.down = False
        self.batches: list[list[str]] = []

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the same for every model."""
        return self.languages

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text, or fail as told."""
        if list(texts) != [CANARY]:
            self.batches.append(list(texts))
        if self.down or any(word in text for text in texts for word in self.failing):
            raise ScorerFailed(self.reason)
        return [Scores(self.model_id, True, {Attribute.TOXICITY: self._toxicity(text)}) for text in texts]

    def _toxicity(self, text: str) -> float:
        return max((score for word, score in self.scores.items() if word in text), default=0.01)


class Service:
    """The application with one site, and shorthands for what every test does."""

    def __init__(self, context: Context, client: httpx.AsyncClient, clock: Clock, tokens: dict[str, str]) -> None:
        self.context = context
        self.client = client
        self.clock = clock
        self.tokens = tokens
        self.scorer = FakeScorer()
        self.parts = Parts("scorer", "redis", "database")
        self.worker = ScoringWorker(context, self.scorer, self.parts, batch_size=32)

    async def submit(self, body: str, *, page: str = "page", expect: int = 202, **fields: Any) -> dict[str, Any]:
        """Submit a comment and answer the JSON of the answer."""
        headers = fields.pop("headers", {})
        if token := fields.pop("token", None):
            headers = {**headers, "authorization": f"Bearer {token}"}
        answer = await self.client.post(
            f"/v1/sites/test/threads/{page}/comments", json={"body": body, **fields}, headers=headers
        )
        assert answer.status_code == expect, answer.text
        found: dict[str, Any] = answer.json()
        plant(body, found.get("author_token"))
        return found

    async def drain(self) -> None:
        """Let the worker decide everything that is on the stream."""
        while await self.worker.drain_once(block_ms=1):
            continue

    async def published(self, body: str = "A civil opinion.", **fields: Any) -> dict[str, Any]:
        """Submit a comment, let the worker decide it, and answer the submit's JSON; it must be published."""
        found = await self.submit(body, **fields)
        await self.drain()
        view = await self.client.get(f"/v1/sites/test/comments/{found['comment']['id']}")
        assert view.status_code == 200, view.text
        return found

    async def sweep(self) -> None:
        """Run the sweep as it runs some seconds from now."""
        self.clock.advance(3)
        await sweep(self.context)

    async def call(
        self, method: str, path: str, *, as_: str | None = None, expect: int | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request, with the token named `as_` or given as such, and check its status."""
        headers = dict(options.pop("headers", {}))
        if as_ is not None:
            headers["authorization"] = f"Bearer {self.tokens.get(as_, as_)}"
        answer = await self.client.request(method, path, headers=headers, **options)
        assert expect is None or answer.status_code == expect, (answer.status_code, answer.text)
        return answer

    async def thread(self, page: str = "page", **query: Any) -> dict[str, Any]:
        """Read a page of a thread."""
        answer = await self.call("GET", f"/v1/sites/test/threads/{page}", params=query, expect=200)
        found: dict[str, Any] = answer.json()
        return found

    async def claim(self, as_: str = "moderator", **wanted: Any) -> list[dict[str, Any]]:
        """Claim review items."""
        answer = await self.call("POST", "/v1/review/test/claims", as_=as_, json={"limit": 50, **wanted}, expect=200)
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def decide(
        self, item: dict[str, Any], action: str = "approve", *, as_: str = "moderator", expect: int = 200, **fields: Any
    ) -> dict[str, Any]:
        """Decide a claimed item."""
        wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": action, **fields}
        answer = await self.call(
            "POST", f"/v1/review/test/items/{item['item_id']}/decision", as_=as_, json=wanted, expect=expect
        )
        found: dict[str, Any] = answer.json()
        return found

    async def scorer_reports(self, state: ScorerState = ScorerState.UP) -> None:
        """Put up a report as a worker does."""
        await self.context.scorers.report("test", ScorerStatus(state), 3600)


_USUAL = Settings(colloquy_home="unused")
SiteMaker = Callable[..., AsyncIterator[Service]]


@pytest.fixture
def clock() -> Clock:
    """The time of this test."""
    return Clock()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_server: EmbeddedRedis, redis_prefix: str) -> Settings:
    """Settings for this test's database and its own part of the session's Redis."""
    return Settings.from_environment(
        {
            "COLLOQUY_HOME": str(tmp_path / "home"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_server.url,
            "REDIS_PREFIX": redis_prefix,
            "SECRET_KEY": "a-secret-key-for-tests-that-is-long-enough",
            "ALLOWED_HOSTS": "test",
            "WEBHOOKS_ALLOW_LOOPBACK": "1",
            "WEBHOOK_TIMEOUT_SECONDS": "5",
        }
    )


@pytest.fixture
async def context(settings: Settings, clock: Clock) -> AsyncIterator[Context]:
    """The parts of one process."""
    async with open_context(settings, consumer="test", now=clock, new_id=Uuid7(clock.nanoseconds)) as opened:
        await opened.author_tokens.ensure_key(now=clock())
        await opened.hub.start()
        yield opened
        await opened.hub.stop()


@pytest.fixture(scope="session")
def litestar() -> Litestar:
    """The application for all tests, plugged anew for each: making it takes longer than most tests do."""
    return create_litestar(_USUAL)


@pytest.fixture
async def client(litestar: Litestar, settings: Settings, context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client on the application, without a network between."""
    is_usual = settings.max_body_bytes == _USUAL.max_body_bytes
    app = litestar if is_usual else create_litestar(settings)
    plug(app, settings, context)
    async with app.lifespan():
        transport = httpx.ASGITransport(app=Edge(app, lambda: context, settings), raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            yield opened


@pytest.fixture
async def service(context: Context, client: httpx.AsyncClient, clock: Clock) -> Service:
    """The application with the site `test` and tokens for admin, moderator, moderator2 and publisher."""
    tokens = {"root": (await manage_admins.create_admin(context, "Root")).token}
    wanted = schemas.SiteInput(slug="test", name="Test", allowed_origins=["https://news.example"])
    await manage_sites.create_site(context, "test", wanted)
    site = await find_site(context, "test")
    await set_limits(context, site, "test", GENEROUS)
    for name, role, scopes in (
        ("admin", "admin", ["admin", "review", "threads"]),
        ("moderator", "moderator", ["review"]),
        ("moderator2", "moderator", ["review"]),
    ):
        member = await manage_people.add_member(context, site, "test", schemas.MemberInput(name=name, role=role))  # type: ignore[arg-type]
        key = schemas.KeyInput(name=name, scopes=scopes, member_id=member.id)  # type: ignore[arg-type]
        tokens[name] = (await manage_people.create_key(context, site, "test", key)).token
    key = schemas.KeyInput(name="CMS", scopes=["threads"])
    tokens["publisher"] = (await manage_people.create_key(context, site, "test", key)).token
    plant(*tokens.values())
    return Service(context, client, clock, tokens)
