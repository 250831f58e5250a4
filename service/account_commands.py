"""The operator's commands on the accounts of people who sign in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from service.flow import manage_accounts
from service.flow.context import Context
from service.settings import Settings

Act = Callable[[Context, argparse.Namespace], Awaitable[None]]
Runner = Callable[[Act], Callable[[argparse.Namespace, Settings], int]]


def add_accounts(subparsers: Any, runner: Runner) -> None:
    """Add the commands."""
    group = subparsers.add_parser("account", help="people who sign in").add_subparsers(metavar="ACT", required=True)
    for verb, act in (
        ("list", _list),
        ("invite", _invite),
        ("disable", _disable),
        ("enable", _enable),
        ("delete", _delete),
        ("end-sessions", _end_sessions),
        ("reset-second-factor", _reset),
    ):
        parser = group.add_parser(verb, help=(act.__doc__ or "").strip())
        if verb != "list":
            parser.add_argument("email")
        parser.set_defaults(run=runner(act))


async def _list(context: Context, _options: argparse.Namespace) -> None:
    """list the accounts"""
    sys.stdout.write(
        msgspec.json.format(msgspec.json.encode(await manage_accounts.list_accounts(context))).decode() + "\n"
    )


async def _invite(context: Context, options: argparse.Namespace) -> None:
    """print a new invitation for an account, by which its password is set anew"""
    token = await manage_accounts.invite_again(context, options.email)
    sys.stderr.write(f"good for {manage_accounts.INVITATION_DAYS} days and once; the token follows\n")
    sys.stdout.write(token + "\n")


async def _disable(context: Context, options: argparse.Namespace) -> None:
    """end an account's access on every site, at once"""
    await manage_accounts.disable(context, options.email)


async def _enable(context: Context, options: argparse.Namespace) -> None:
    """let a disabled account in again"""
    await manage_accounts.enable(context, options.email)


async def _delete(context: Context, options: argparse.Namespace) -> None:
    """delete an account with its address; its memberships and their tokens end, its decisions stay"""
    await manage_accounts.delete(context, options.email)


async def _end_sessions(context: Context, options: argparse.Namespace) -> None:
    """sign an account out everywhere"""
    ended = await manage_accounts.end_sessions(context, options.email)
    sys.stderr.write(f"{ended} sessions ended\n")


async def _reset(context: Context, options: argparse.Namespace) -> None:
    """let an account whose device and recovery codes are lost in with its password alone"""
    await manage_accounts.reset_second_factor(context, options.email)
