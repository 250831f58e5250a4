"""The commands for receivers of events: name one, look at it, send to it again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from service import schemas
from service.flow import manage_webhooks, webhook_log
from service.flow.context import Context
from service.flow.identify import find_site
from service.settings import SettingsError

Act = Callable[[Context, argparse.Namespace], Awaitable[None]]


def add_webhooks(subparsers: Any, runner: Callable[[Act], Any]) -> None:
    """Add `webhook` to the command line."""
    group = subparsers.add_parser("webhook", help="receivers of a site's events").add_subparsers(
        metavar="ACT", required=True
    )

    def add(verb: str, act: Act, *names: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = group.add_parser(verb, help=(act.__doc__ or "").strip())
        for name in ("slug", *names):
            parser.add_argument(name)
        parser.set_defaults(run=runner(act))
        return parser

    made = add("create", _create, "url")
    made.add_argument("--event", action="append", metavar="NAME", help="a name, comment.* or *; may be repeated")
    made.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="sent with each event")
    made.add_argument("--description", default="")
    add("list", _list)
    add("show", _show, "id")
    add("pause", _pause, "id")
    add("enable", _enable, "id")
    rotated = add("rotate", _rotate, "id")
    rotated.add_argument("--overlap", type=int, metavar="SECONDS", help="for how long the old secret signs too")
    add("test", _test, "id")
    listed = add("deliveries", _deliveries, "id")
    listed.add_argument("--state", choices=["pending", "delivered", "dead", "cancelled"])
    listed.add_argument("--limit", type=int, default=20)
    add("delivery", _delivery, "id", "delivery")
    again = add("replay", _replay, "id")
    again.add_argument("--since", type=_moment, metavar="TIME", help="all events since then, as 2026-12-01T08:00:00Z")
    again.add_argument("--state", action="append", choices=["pending", "delivered", "dead", "cancelled"])
    again.add_argument("--delivery", action="append", metavar="ID")
    again.add_argument("--event", action="append", metavar="NAME")
    add("delete", _delete, "id")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2026-12-01T08:00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone; put a Z behind it for UTC")
    return moment


def _print(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def _input(kind: type[Any], **values: Any) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise SettingsError(f"{place.rstrip('`').lstrip('.')}: {message}") from None


async def _create(context: Context, options: argparse.Namespace) -> None:
    """name a receiver; its secret is printed this once"""
    headers = {}
    for text in options.header:
        name, sign, value = text.partition("=")
        if not sign:
            raise SettingsError(f"--header {name}: must be NAME=VALUE")
        headers[name] = value
    wanted = _input(
        schemas.WebhookInput, url=options.url, events=options.event or ["*"], description=options.description,
        headers=headers,
    )  # fmt: skip
    _print(await manage_webhooks.create(context, await find_site(context, options.slug), "cli", wanted))


async def _list(context: Context, options: argparse.Namespace) -> None:
    """list the receivers of a site and how they fare"""
    _print(await manage_webhooks.listed(context, await find_site(context, options.slug)))


async def _show(context: Context, options: argparse.Namespace) -> None:
    """show one receiver"""
    _print(await manage_webhooks.read(context, await find_site(context, options.slug), options.id))


async def _pause(context: Context, options: argparse.Namespace) -> None:
    """keep what a receiver is owed, and send nothing"""
    await _set_status(context, options, "paused")


async def _enable(context: Context, options: argparse.Namespace) -> None:
    """send to a receiver that was paused or disabled"""
    await _set_status(context, options, "active")


async def _set_status(context: Context, options: argparse.Namespace, status: str) -> None:
    site = await find_site(context, options.slug)
    wanted = _input(schemas.WebhookChange, status=status)
    _print(await manage_webhooks.change(context, site, "cli", options.id, wanted))


async def _rotate(context: Context, options: argparse.Namespace) -> None:
    """print a new secret; the old one signs beside it for a day, or --overlap seconds"""
    site = await find_site(context, options.slug)
    given = {} if options.overlap is None else {"overlap_seconds": options.overlap}
    _print(await manage_webhooks.rotate(context, site, "cli", options.id, _input(schemas.RotateInput, **given)))


async def _test(context: Context, options: argparse.Namespace) -> None:
    """have webhook.test sent by the next worker"""
    site = await find_site(context, options.slug)
    _print(await webhook_log.send_test(context, site, "cli", options.id))


async def _deliveries(context: Context, options: argparse.Namespace) -> None:
    """list what was sent and what is owed"""
    site = await find_site(context, options.slug)
    _print(
        await webhook_log.list_deliveries(
            context, site, options.id, before=None, limit=max(1, options.limit), state=options.state, type_=None,
            comment_id=None,
        )
    )  # fmt: skip


async def _delivery(context: Context, options: argparse.Namespace) -> None:
    """show one delivery with every attempt"""
    site = await find_site(context, options.slug)
    _print(await webhook_log.read_delivery(context, site, options.id, options.delivery))


async def _replay(context: Context, options: argparse.Namespace) -> None:
    """send events once more: since a time, dead ones, or by delivery"""
    site = await find_site(context, options.slug)
    number, after = 0, None
    while True:
        wanted = _input(
            schemas.ReplayInput, since=options.since, states=options.state, delivery_ids=options.delivery,
            types=options.event, after=after,
        )  # fmt: skip
        replayed = await webhook_log.replay(context, site, "cli", options.id, wanted)
        number, after = number + replayed.deliveries, replayed.next
        if after is None:
            _print({"deliveries": number})
            return


async def _delete(context: Context, options: argparse.Namespace) -> None:
    """forget a receiver with its log"""
    await manage_webhooks.delete(context, await find_site(context, options.slug), "cli", options.id)
