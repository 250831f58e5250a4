"""An API server around the smallest app: it answers at once, or after a wait for a file."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from service.api_server import run_api
from service.settings import Settings
from tests.eventually import eventually

Message = MutableMapping[str, Any]


async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Any]) -> None:
    """Answer with the process id; a path other than / names a file to wait for, made visible by `.asked` beside it."""
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
    if (path := Path(scope["path"])) != Path("/"):
        path.with_suffix(".asked").touch()
        await eventually(path.exists)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def run(port: int) -> None:
    """Be the API process, with the app above in the place of the service's."""
    module = types.ModuleType("service.app")
    module.create_app = lambda: app  # type: ignore[attr-defined]
    sys.modules["service.app"] = module
    sys.exit(run_api(Settings(colloquy_home=os.devnull, host="localhost", port=port), supervised=False))
