"""A model that cannot be loaded, in real processes: one clear line, nothing published, and back when it is mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.scorers.hashed import HashedScorer
from tests.eventually import eventually
from tests.journey.harness import CIVIL, Installation
from tests.tiny_onnx import tiny_folder

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def truncate(folder: Path) -> None:
    """Cut the model's file in half, as an interrupted copy does."""
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])


def forget_tokenizer(folder: Path) -> None:
    """Leave a file out."""
    (folder / "tokenizer.json").unlink()


def garble_manifest(folder: Path) -> None:
    """Write something else into the manifest."""
    (folder / "model.json").write_text("{")


async def is_down(here: Installation) -> bool:
    """True when the workers' page is red because the model does not start."""
    code, body = await here.health("workers")
    return code == 503 and body["parts"][0]["reason"] == "scorer.start"


def reasons(here: Installation) -> set[str]:
    """What the log says of failed starts, each line an object of its own."""
    lines = [json.loads(line) for line in here.log.splitlines() if line.startswith("{")]
    return {line["why"] for line in lines if line["event"] == "scorer.start_failed"}


@pytest.mark.parametrize("spoil", [truncate, forget_tokenizer, garble_manifest])
async def test_a_damaged_folder_is_told_and_mended(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """With a damaged folder comments wait unseen and one line says what to do; with a whole one they are decided."""
    whole, folder = tiny_folder(tmp_path / "whole"), tmp_path / "model"
    shutil.copytree(whole, folder)
    spoil(folder)
    async with Installation(tmp_path / "home", SCORER=f"onnx:{folder}") as here:
        await here.start(until=lambda: is_down(here))
        ids = await here.submit_many(3)
        assert await here.statuses(ids) == {"pending"}
        assert (await here.thread())["thread"]["count"] == 0
        code, body = await here.health("ready")
        assert (code, body["status"]) == (200, "degraded")
        [why] = reasons(here)
        assert why.startswith(f"SCORER: onnx:{folder} cannot be used: ")
        assert "Traceback" not in here.log
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        await eventually(lambda: all_decided(here, ids), 30)
        await eventually(here.scores)


async def all_decided(here: Installation, ids: list[str]) -> bool:
    """True when no comment waits for a score: the demo's policy is for another model, so a person gets them."""
    return await here.statuses(ids) == {"held"}


async def test_a_missing_extra_is_told(tmp_path: Path) -> None:
    """Without torch Detoxify cannot be loaded: comments wait, and the line names the target that installs it."""
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text('import sys; sys.modules["torch"] = None')
    (tmp_path / "mine.ckpt").write_bytes(b"anything")
    settings = {"SCORER": f"detoxify:{tmp_path / 'mine.ckpt'}", "PYTHONPATH": str(without)}
    async with Installation(tmp_path / "home", **settings) as here:
        await here.start(until=lambda: is_down(here))
        [sent] = await here.submit_many(1)
        assert await here.status(sent) == "pending"
        [why] = reasons(here)
        assert why.endswith("torch is not installed; run `make model` for it")


async def test_a_name_that_is_none_starts_nothing(tmp_path: Path) -> None:
    """A SCORER that cannot be one is refused in one line before anything starts."""
    async with Installation(tmp_path / "home", SCORER="gpt") as here:
        process = here.spawn("serve")
        await eventually(lambda: process.poll() is not None)
        assert process.returncode == 2
        [line] = here.log.splitlines()
        assert line.startswith("colloquy: SCORER: 'gpt' is not known; the models are: hashed, compact, ")


async def test_the_fallback_decides_and_says_so(tmp_path: Path) -> None:
    """Where the operator allows the hashed model, comments are decided by it, degraded and in plain sight."""
    settings = {"SCORER": f"onnx:{tmp_path / 'none'}", "SCORER_FALLBACK": "hashed"}
    async with Installation(tmp_path / "home", **settings) as here:
        await here.start(until=lambda: is_degraded(here))
        await put_fallback_policy(here)
        civil = await here.submit(CIVIL.format(1), wait=10)
        rude = await here.submit("You are an idiot and you know it.", wait=10)
        assert (civil.json()["comment"]["status"], rude.json()["comment"]["status"]) == ("published", "held")
        [decision] = await here.decisions(rude.json()["comment"]["id"])
        details = {cause["detail"] for cause in decision["causes"] if cause["kind"] == "attribute"}
        assert all(detail.startswith("scored by the fallback hashed-") for detail in details)
        assert details


async def is_degraded(here: Installation) -> bool:
    """True when scoring works, but by the fallback, and both pages of the API say so."""
    answers = [await here.health(page) for page in ("workers", "ready")]
    return all(
        code == 200
        and body["status"] == "degraded"
        and {"part": "scorer", "ok": True, "reason": "scorer.fallback"} in body["parts"]
        for code, body in answers
    )


async def put_fallback_policy(here: Installation) -> None:
    """Name the hashed model as the fallback of another one in the demo site's policy."""
    headers = {"authorization": f"Bearer {here.demo['admin_token']}"}
    found: dict[str, Any] = (await here.client.get("/v1/admin/sites/demo/policy", headers=headers)).json()
    policy = found["policy"] | {"model": "absent-1", "fallback_model": HashedScorer.load().model_id}
    answer = await here.client.put("/v1/admin/sites/demo/policy", headers=headers, json=policy)
    assert answer.status_code == 200, answer.text
