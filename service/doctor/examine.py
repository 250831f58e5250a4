"""Look at every part at once; what is down keeps no other part from being looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

from service.doctor.findings import Finding, problem
from service.doctor.of_database import look_at_database
from service.doctor.of_home import look_at_home
from service.doctor.of_outside import look_outside
from service.doctor.of_redis import look_at_redis
from service.doctor.of_scorer import look_at_scorer
from service.doctor.of_settings import look_at_settings
from service.settings import Settings

PATIENCE_SECONDS: Final = 30.0

logger = logging.getLogger(__name__)


async def examine(settings: Settings, environment: Mapping[str, str], *, with_scorer: bool = True) -> list[Finding]:
    """Answer all findings, part by part; without the scorer nothing is loaded, which takes seconds and memory."""
    parts: dict[str, Callable[[], AsyncIterator[Finding]]] = {
        "settings": lambda: _at_once(look_at_settings(settings, environment)),
        "home": lambda: _at_once(look_at_home(settings)),
        "database": lambda: look_at_database(settings),
        "redis": lambda: look_at_redis(settings),
        "outside": lambda: look_outside(settings),
    }
    if with_scorer:
        parts["scorer"] = lambda: look_at_scorer(settings, environment)
    patience = PATIENCE_SECONDS + settings.scorer_start_timeout_seconds
    found = await asyncio.gather(*(_patiently(name, look, patience) for name, look in parts.items()))
    return [finding for findings in found for finding in findings]


async def _patiently(name: str, look: Callable[[], AsyncIterator[Finding]], scorer_seconds: float) -> list[Finding]:
    """Answer what was found until the part was through, took too long or could not be looked at."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(scorer_seconds if name == "scorer" else PATIENCE_SECONDS):
            async for one in look():
                # One by one, because what was found before an error counts.
                found.append(one)  # noqa: PERF401
    except TimeoutError:
        found.append(problem(name, "took too long to look at", "see whether it answers at all"))
    except Exception as error:
        # Through the log's formatter, which withholds the message: it may quote a row or an address.
        logger.exception("doctor.failed")
        said = f"could not be looked at ({type(error).__name__})"
        found.append(problem(name, said, "the log line doctor.failed says where it happened"))
    return found


async def _at_once(findings: Iterator[Finding]) -> AsyncIterator[Finding]:
    for one in findings:
        yield one
