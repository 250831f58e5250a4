"""The command `settings`: what is set here, and the pages that tell what can be set, written from the code."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from service.settings import SECRETS, Settings

PARTS = {
    "colloquy_home": "The installation",
    "database_url": "Databases and keys",
    "scorer": "The model",
    "score_batch_size": "Workers",
    "api_workers": "The API",
    "egress_allow_loopback": "Requests to outside",
    "oidc_issuer": "Sign-in",
    "smtp_url": "Mail",
    "live_streams": "Limits",
    "log_level": "Logs and traces",
}
"""The setting that each part of the pages begins with."""
_EMPTY = re.compile(r"\. Empty: (.+)\.$")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_CHOICE = re.compile(r"\^\(([A-Z|]+)\)\$")
_TEXT = "text"
_WIDTH = 100
_PAGE = """\
# Settings

Read from the environment; an empty one counts as not set. `python -m service settings` prints what is in force, without
the secrets. A wrong one is named in one line, and the service ends with code 2.

This page is written by `python -m service settings --markdown`, and [.env.example](../.env.example) by `--env`; the
words are in `service/settings.py`.
"""
_FILE = """\
# Settings of Colloquy, written by `python -m service settings --env`. Copy this file to .env, which compose.yaml reads.
# What stands behind a # is the default. docs/settings.md tells the same.

# ---- compose.yaml needs these three

# The address that readers use, such as https://comments.daily.example
PUBLIC_URL=
# From `openssl rand -base64 48`. Keep a copy apart from the backups: without it a restored database cannot be used.
SECRET_KEY=
# From `openssl rand -hex 24`: letters and digits, since it becomes part of an address.
POSTGRES_PASSWORD=
"""
_NEEDED = ("public_url", "secret_key")
_OF_COMPOSE = frozenset({"colloquy_home", "host", "port", "database_url", "redis_url"})


class Told(NamedTuple):
    """One setting as the pages tell it: what it does, what it may be, and what holds where it is not set."""

    name: str
    text: str
    values: str
    default: str
    without: str


def add_settings(subparsers: Any) -> None:
    """Add `settings` to the command line."""
    parser = subparsers.add_parser("settings", help="print what is set, without secrets; or the page of all settings")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print docs/settings.md")
    form.add_argument("--env", action="store_true", help="print .env.example")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, settings: Settings) -> int:
    lines = markdown() if options.markdown else env() if options.env else in_force(settings)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def in_force(settings: Settings) -> Iterator[str]:
    """Yield each setting as it is in force; of a secret only whether there is one."""
    for field in Settings.__struct_fields__:
        value = getattr(settings, field)
        yield f"{field.upper()}={_shown(value) if field not in SECRETS else '(set)' if value else ''}"


def markdown() -> Iterator[str]:
    """Yield the lines of docs/settings.md."""
    yield from _PAGE.splitlines()
    for one in every():
        if one.name in PARTS:
            yield from (
                "",
                f"## {PARTS[one.name]}",
                "",
                "| setting | default | values | meaning |",
                "|---|---|---|---|",
            )
        default = f"`{one.default}`" if one.default else one.without
        text = one.text.replace("|", "\\|")
        yield f"| `{one.name.upper()}` | {default} | {one.values} | {text} |"


def env() -> Iterator[str]:
    """Yield the lines of .env.example."""
    yield from _FILE.splitlines()
    for one in every():
        if one.name in PARTS:
            yield from ("", f"# ---- {PARTS[one.name]}")
        if one.name not in _NEEDED:
            yield ""
            yield from _comment(one)
            yield f"#{one.name.upper()}={one.default}"


def _comment(one: Told) -> Iterator[str]:
    values = "" if one.values in (_TEXT, "`1` or `0`") else f" {one.values[:1].upper()}{one.values[1:]}."
    said = _LINK.sub(r"\1", one.text + values).replace("`", "")
    if not one.default:
        said += f" Not set: {one.without.replace('`', '')}."
    if one.name in _OF_COMPOSE:
        said += " compose.yaml sets it itself."
    yield from (f"# {line}" for line in textwrap.wrap(said, _WIDTH, break_long_words=False, break_on_hyphens=False))


def every() -> Iterator[Told]:
    """Yield what there is to tell of each setting, in the order of the code."""
    defaults, hints = Settings.from_environment({}), get_type_hints(Settings, include_extras=True)
    for name in Settings.__struct_fields__:
        kind, meta = get_args(hints[name])
        without = _EMPTY.search(meta.description)
        yield Told(
            name=name,
            text=_EMPTY.sub(".", meta.description),
            values=_values(kind, meta),
            default=_shown(getattr(defaults, name)),
            without=without.group(1) if without else "none",
        )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, bool | float) else str(value)


def _values(kind: Any, meta: msgspec.Meta) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if kind is bool:
        return "`1` or `0`"
    if kind is str:
        listed = _CHOICE.fullmatch(meta.pattern or "")
        return ", ".join(f"`{one}`" for one in listed.group(1).split("|")) if listed else _TEXT
    noun = "whole number" if kind is int else "number"
    least = f"above {meta.gt:,}" if meta.gt is not None else f"from {meta.ge or 0:,}"
    return f"{noun} {least} to {meta.le:,}"
