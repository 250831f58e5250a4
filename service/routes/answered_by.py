"""Which model answered, told in headers to systems that asked for scores."""

from __future__ import annotations

from collections.abc import Sequence

from service.flow.analyse import Analysed


def headers_of(analysed: Sequence[Analysed]) -> dict[str, str]:
    """Answer `x-colloquy-model`, and `x-colloquy-quick` with the reason where the quick model stood in."""
    models = ", ".join(dict.fromkeys(one.model_id for one in analysed))
    headers = {"x-colloquy-model": models} if models else {}
    if why := next((one.why for one in analysed if one.why is not None), None):
        headers["x-colloquy-quick"] = why.value
    return headers
