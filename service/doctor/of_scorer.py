"""The model of SCORER: loaded as a worker would, in a process of its own, and held against the policies in force."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping

from service.composition import model_of
from service.doctor.findings import Finding, ok, problem, warning
from service.settings import Settings, SettingsError
from service.store import installation, migrate
from service.store.database import Database
from service.workers.scorer_process import ScorerFailed
from service.workers.scoring import CANARY


async def look_at_scorer(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Yield whether the model loads and scores, and which sites have a policy for another one."""
    model, began = model_of(settings, environment), time.monotonic()
    try:
        await model.score([CANARY])
        loaded = time.monotonic() - began
        began = time.monotonic()
        await model.score([CANARY])
        quick = time.monotonic() - began
    except ScorerFailed as failed:
        yield _failed(settings, failed)
        return
    finally:
        await model.stop()
    model_id = model.model_id or ""
    yield ok("scorer", f"{model_id} loads in {loaded:.1f} s and scores a sentence in {quick * 1000:.0f} ms")
    async for one in _policies(settings, model_id):
        yield one


def _failed(settings: Settings, failed: ScorerFailed) -> Finding:
    meanwhile = f"; {settings.fallback} scores in its place" if settings.fallback else "; comments wait"
    said = f"SCORER={settings.scorer} does not work ({failed.reason}){meanwhile}"
    return problem(
        "scorer", said, "the line scorer.start_failed above says why; `model list` names models that are here"
    )


async def _policies(settings: Settings, model_id: str) -> AsyncIterator[Finding]:
    """A policy for another model holds everything for a person."""
    check = "scorer.policies"
    try:
        if not await migrate.is_current(settings.database):
            return
    except SettingsError:
        return
    database = Database(settings.database, readers=1)
    try:
        async with database.reading() as connection:
            rows = await installation.models_of_policies(connection)
    finally:
        await database.dispose()
    others = [row for row in rows if row.document.get("model") != model_id]
    for row in others:
        said = f"the policy of {row.slug} is for {row.document.get('model')}, so every comment there waits for a person"
        yield warning(check, said, f"put one for {model_id} in force: `python -m service policy set {row.slug} FILE`")
    if rows and not others:
        yield ok(check, "the policies in force are for this model")
