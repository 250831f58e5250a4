"""The commands for receivers of events: name one, change it, look at it, send to it again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, get_args

import msgspec

from service import schemas
from service.errors import Problem
from service.flow import manage_webhooks, webhook_log
from service.flow.context import Context
from service.flow.identify import find_site

Act = Callable[[Context, argparse.Namespace], Awaitable[None]]
_MOST_LISTED = 100
_STATES = get_args(schemas.DeliveryState)
#: What a field of the API is called on the command line.
_OPTIONS = {
    "url": "--url", "events": "--event", "headers": "--header", "description": "--description", "since": "--since",
    "until": "--until", "states": "--state", "delivery_ids": "--delivery", "types": "--event", "type": "--event",
    "comment_id": "--comment", "after": "--after", "overlap_seconds": "--overlap",
}  # fmt: skip


def add_webhooks(subparsers: Any, runner: Callable[[Act], Any]) -> None:
    """Add `webhook` to the command line."""
    group = subparsers.add_parser("webhook", help="receivers of a site's events").add_subparsers(
        metavar="ACT", required=True
    )

    def add(verb: str, act: Act, **names: str) -> argparse.ArgumentParser:
        sentence = (act.__doc__ or "").strip()
        parser: argparse.ArgumentParser = group.add_parser(verb, help=sentence, description=sentence)
        for name, text in {"slug": "the site", **names}.items():
            parser.add_argument(name, help=text)
        parser.set_defaults(run=runner(_by_options(act)))
        return parser

    one = {"id": "the receiver, as `webhook list` shows it"}
    _add_naming(add("create", _create, url="where events are sent to"), required=True)
    _add_naming(add("change", _change, **one), required=False)
    add("list", _list)
    add("show", _show, **one)
    add("pause", _pause, **one)
    add("enable", _enable, **one)
    rotated = add("rotate", _rotate, **one)
    rotated.add_argument("--overlap", metavar="SECONDS", type=int, help="for how long older secrets sign too; 0: end")
    add("test", _test, **one)
    _add_log(add, one)
    add("delete", _delete, **one)


def _add_naming(parser: argparse.ArgumentParser, *, required: bool) -> None:
    absent = "all unless given" if required else "in place of those it has"
    parser.add_argument(
        "--event", action="append", metavar="NAME", help=f"comment.held, comment.* or *; may be repeated; {absent}"
    )
    parser.add_argument("--header", action="append", metavar="NAME=VALUE", help="sent with each event; may be repeated")
    parser.add_argument("--description", metavar="TEXT", help="what it is for")
    if not required:
        parser.add_argument("--url", metavar="URL", help="where events are sent to from now on")
        parser.add_argument("--no-headers", action="store_true", help="send no headers of its own any more")


def _add_log(add: Callable[..., argparse.ArgumentParser], one: dict[str, str]) -> None:
    listed = add("deliveries", _deliveries, **one)
    listed.add_argument("--state", choices=_STATES, help="only these")
    listed.add_argument("--limit", type=_limit, default=20, metavar="N", help=f"how many, 1 to {_MOST_LISTED}; 20")
    listed.add_argument("--after", metavar="CURSOR", help="go on with the `next` of the list before")
    again = add("replay", _replay, **one)
    again.add_argument("--since", metavar="TIME", help="all events since then, as 2026-12-01T08:00:00Z")
    again.add_argument("--until", metavar="TIME", help="and before then")
    again.add_argument("--state", action="append", choices=_STATES, help="what is in this state; may be repeated")
    again.add_argument("--delivery", action="append", metavar="ID", help="this delivery; may be repeated")
    for parser in (listed, again):
        parser.add_argument("--event", action="append", metavar="NAME", help="only these events; may be repeated")
        parser.add_argument("--comment", metavar="ID", help="only events of this comment")
    for verb, act in (("delivery", _delivery), ("cancel", _cancel)):
        add(verb, act, **one, delivery="a delivery, as `webhook deliveries` shows it")


def _by_options(act: Act) -> Act:
    """Let an act name what it refuses as it is written on the command line."""

    @wraps(act)
    async def named(context: Context, options: argparse.Namespace) -> None:
        try:
            await act(context, options)
        except Problem as problem:
            fields = [(_option_of(one.field, options), one.message) for one in problem.fields]
            raise Problem(problem.code, problem.detail, fields=fields, extra=problem.extra) from None

    return named


def _option_of(field: str, options: argparse.Namespace) -> str:
    name, dot, rest = field.partition(".")
    name = name.partition("[")[0]
    if name == "url" and "no_headers" not in options:
        return "URL"
    return _OPTIONS.get(name, name) + (f" {rest}" if dot else "")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_LISTED):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MOST_LISTED}")
    return int(text)


def _print(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def _input(kind: type[Any], **values: Any) -> Any:
    """Answer a struct of what was given, or raise what the API would answer."""
    # Imported here, because it brings the HTTP framework along.
    from service.routes.requests import convert_strictly

    return convert_strictly({name: value for name, value in values.items() if value is not None}, kind)


def _headers(options: argparse.Namespace) -> dict[str, str] | None:
    if options.header is None:
        return None
    for text in options.header:
        if "=" not in text:
            raise Problem("request.invalid", "", fields=[(f"headers.{text}", "must be NAME=VALUE")])
    return dict(text.split("=", 1) for text in options.header)


async def _create(context: Context, options: argparse.Namespace) -> None:
    """name a receiver; its secret is printed this once"""
    wanted = _input(
        schemas.WebhookInput, url=options.url, events=options.event or ["*"], description=options.description,
        headers=_headers(options),
    )  # fmt: skip
    _print(await manage_webhooks.create(context, await find_site(context, options.slug), "cli", wanted))


async def _change(context: Context, options: argparse.Namespace) -> None:
    """change where events are sent to, which, with what headers, or the description"""
    headers: dict[str, str] | None = {} if options.no_headers else _headers(options)
    wanted = _input(
        schemas.WebhookChange, url=options.url, events=options.event, description=options.description, headers=headers
    )
    site = await find_site(context, options.slug)
    _print(await manage_webhooks.change(context, site, "cli", options.id, wanted))


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
    """print a new secret; older ones sign beside it for a day, or --overlap seconds"""
    site = await find_site(context, options.slug)
    wanted = _input(schemas.RotateInput, overlap_seconds=options.overlap)
    _print(await manage_webhooks.rotate(context, site, "cli", options.id, wanted))


async def _test(context: Context, options: argparse.Namespace) -> None:
    """have webhook.test sent by the next worker"""
    site = await find_site(context, options.slug)
    _print(await webhook_log.send_test(context, site, "cli", options.id))


async def _deliveries(context: Context, options: argparse.Namespace) -> None:
    """list what was sent and what is owed, the newest events first"""
    site = await find_site(context, options.slug)
    before = webhook_log.requested_cursor(options.after) if options.after else None
    _print(
        await webhook_log.list_deliveries(
            context, site, options.id, before=before, limit=options.limit, state=options.state, type_=options.event,
            comment_id=options.comment,
        )
    )  # fmt: skip


async def _delivery(context: Context, options: argparse.Namespace) -> None:
    """show one delivery with every attempt"""
    site = await find_site(context, options.slug)
    _print(await webhook_log.read_delivery(context, site, options.id, options.delivery))


async def _cancel(context: Context, options: argparse.Namespace) -> None:
    """give one delivery up, so that later events of its comment go on"""
    site = await find_site(context, options.slug)
    _print(await webhook_log.cancel_delivery(context, site, "cli", options.id, options.delivery))


async def _replay(context: Context, options: argparse.Namespace) -> None:
    """send events once more: since a time, dead ones, or by delivery"""
    site = await find_site(context, options.slug)
    number, after = 0, None
    while True:
        wanted = _input(
            schemas.ReplayInput, since=options.since, until=options.until, states=options.state,
            delivery_ids=options.delivery, types=options.event, comment_id=options.comment, after=after,
        )  # fmt: skip
        replayed = await webhook_log.replay(context, site, "cli", options.id, wanted)
        number, after = number + replayed.deliveries, replayed.next
        if after is None:
            _print({"deliveries": number})
            return


async def _delete(context: Context, options: argparse.Namespace) -> None:
    """forget a receiver with its log"""
    await manage_webhooks.delete(context, await find_site(context, options.slug), "cli", options.id)
