"""A calibration made by a command of its own counts for a service that goes on running."""

from pathlib import Path
from subprocess import Popen

import pytest

from tests.eventually import eventually
from tests.journey.harness import CIVIL, Installation

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
RUDE = "You are an idiot and you know it, reader number {}."


async def value_of(installation: Installation, page: str) -> float:
    """Submit the same rude comment to a page and answer the toxicity that its decision names."""
    answer = await installation.submit(RUDE.format(0), page=page, wait=10)
    [decision] = await installation.decisions(answer.json()["comment"]["id"])
    return float(next(cause["value"] for cause in decision["causes"] if cause["name"] == "toxicity"))


async def ended(process: Popen[bytes], installation: Installation) -> None:
    """Wait until a command has done its work."""
    await eventually(lambda: process.poll() is not None, 30)
    assert process.returncode == 0, installation.log


async def test_a_calibration_counts_without_a_restart(tmp_path: Path) -> None:
    """The same words get another number after `calibrate`, and their first one again after `calibrate retire`."""
    labels = tmp_path / "labels.csv"
    rude = [f'"{RUDE.format(number)}",{int(number % 2)}' for number in range(1, 81)]
    civil = [f'"{CIVIL.format(number)}",0' for number in range(80)]
    labels.write_text("\n".join(["text,label", *rude, *civil]) + "\n")
    async with Installation(tmp_path / "home") as installation:
        await installation.start()
        before = await value_of(installation, "before")
        await ended(installation.spawn("calibrate", "--csv", str(labels), "--force"), installation)
        calibrated = await value_of(installation, "calibrated")
        id_ = installation.log.partition("; id ")[2].split()[0]
        await ended(installation.spawn("calibrate", "retire", id_), installation)
        after = await value_of(installation, "after")
    assert before > 0.75
    assert 0.3 < calibrated < 0.7
    assert after == before
