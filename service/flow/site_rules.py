"""What a site's settings must agree on with each other, and the one way in which an origin is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from service.errors import Problem
from service.store.types import Row

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LEAST, _MOST = "body_min_characters", "body_max_characters"
_ORIGINS = "allowed_origins"


def check_site(values: dict[str, Any], current: Row | None) -> dict[str, Any]:
    """Answer what to write of a new or changed site (`current`), or raise request.invalid for what contradicts."""
    checked = dict(values)
    problems = list(_limit_problems(values, current))
    if _ORIGINS in values:
        origins = [_as_browsers_send(origin) for origin in values[_ORIGINS]]
        message = "must be https://host or http://host, with a port where it is not the usual one, and nothing else"
        problems += [(f"{_ORIGINS}[{at}]", message) for at, origin in enumerate(origins) if origin is None]
        checked[_ORIGINS] = list(dict.fromkeys(origins))
    if problems:
        raise Problem("request.invalid", "; ".join(f"{f}: {m}" for f, m in problems) + ".", fields=problems)
    return checked


def _limit_problems(values: dict[str, Any], current: Row | None) -> list[tuple[str, str]]:
    least, most = (values.get(name, getattr(current, name, None)) for name in (_LEAST, _MOST))
    if least is None or most is None or least <= most:
        return []
    wrong = {
        _LEAST: f"must not be more than {_MOST}, which is {most}",
        _MOST: f"must not be less than {_LEAST}, which is {least}",
    }
    return [(name, message) for name, message in wrong.items() if name in values]


def _as_browsers_send(origin: str) -> str | None:
    """Answer an origin as RFC 6454 writes it, section 6.2, or None for what is none."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or parts.path or parts.query:
        return None
    try:
        written = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    usual = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{written}" if usual else f"{parts.scheme}://{written}:{port}"
