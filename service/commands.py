"""The operator's commands on an installation: admins, sites, policies, members, keys; they need SQL only."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from moderation.policy import PolicyError, parse_policy_json, parse_policy_toml
from moderation.presets import PRESETS
from service import schemas
from service.account_commands import add_accounts
from service.audit_command import add_audit
from service.calibrate_command import add_calibrate
from service.composition import check_tables, open_offline
from service.errors import Problem
from service.flow import manage_admins, manage_people, manage_sites
from service.flow.context import Context
from service.flow.identify import find_site
from service.privacy_commands import add_privacy
from service.settings import Settings, SettingsError
from service.webhook_commands import add_webhooks

LONGEST_EXPIRY_DAYS = 3650
Act = Callable[[Context, argparse.Namespace], Awaitable[None]]
_HELP: Final = {
    "slug": "the site's name in addresses",
    "id": "as `list` prints it",
    "file": "a policy in TOML",
    "switch": "on: everything waits for a person",
    "name": "one of those that `presets` lists",
    "--name": "what people read",
    "--origin": "where comments are embedded, such as https://news.example; repeat it for more",
    "--email": "the address of an account, to sign in by",
    "--expires": "days until the token ends",
    "--role": "may decide; may also set the site",
    "--page": "the page key of one thread, whose own policy it is then",
    "--scope": "what the key may do; repeat it for more",
    "--per-minute": "texts a minute that a key with the scope analyze may have scored",
    "--may-store": "whether texts sent to suggestscore are kept, beside their hashes",
    "--scale": "what its values are on where a request does not say: Perspective's scale, or probabilities",
}


def add_commands(subparsers: Any) -> None:
    """Add the operator's commands to the command line."""
    _group(
        subparsers,
        "admin",
        "admins of the whole installation",
        {
            "create": (_create_admin, ["--name", "--email?", "--expires?"]),
            "list": (_list_admins, []),
            "disable": (_disable_admin, ["id"]),
        },
    )
    _group(
        subparsers,
        "site",
        "sites",
        {
            "create": (_create_site, ["slug", "--name", "--origin*"]),
            "list": (_list_sites, []),
            "origins": (_set_origins, ["slug", "--origin*"]),
            "emergency": (_emergency, ["slug", "switch:on,off"]),
        },
    )
    _group(
        subparsers,
        "policy",
        "a site's policy, or one thread's",
        {
            "show": (_show_policy, ["slug", "--page?"]),
            "set": (_set_policy, ["slug", "file", "--page?"]),
            "presets": (_list_presets, []),
            "preset": (_set_preset, ["slug", f"name:{','.join(PRESETS)}", "--page?"]),
        },
    )
    _add_people(subparsers)
    add_accounts(subparsers, _runner)
    add_audit(subparsers, _runner)
    add_privacy(subparsers, _runner)
    add_calibrate(subparsers, _runner)
    add_webhooks(subparsers, _runner)


def _add_people(subparsers: Any) -> None:
    _group(
        subparsers,
        "member",
        "a site's moderators and admins",
        {
            "add": (_add_member, ["slug", "--name", "--role:moderator,admin", "--email?"]),
            "list": (_list_members, ["slug"]),
            "disable": (_disable_member, ["slug", "id"]),
        },
    )
    _group(
        subparsers,
        "token",
        "a site's API tokens",
        {
            "create": (
                _create_token,
                [
                    "slug",
                    "--name",
                    "--scope*:review,threads,events,admin,analyze",
                    "--per-minute?",
                    "--may-store?:yes,no",
                    "--scale?:perspective,probability",
                ],
            ),
            "list": (_list_tokens, ["slug"]),
            "revoke": (_revoke_token, ["slug", "id"]),
        },
    )
    _group(
        subparsers,
        "keys",
        "the keys that sign author tokens",
        {"rotate": (_rotate_keys, [])},
    )


def _group(subparsers: Any, name: str, text: str, acts: dict[str, tuple[Act, list[str]]]) -> None:
    group = subparsers.add_parser(name, help=text).add_subparsers(metavar="ACT", required=True)
    for verb, (act, arguments) in acts.items():
        said = (act.__doc__ or "").strip()
        parser = group.add_parser(verb, help=said, description=said)
        for argument in arguments:
            _argument(parser, argument)
        parser.set_defaults(run=_runner(act))


def _argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Add one argument: `name`, `--name` (required), `--name?` (optional), `--name*` (repeated), `name:a,b`."""
    name, _, choices = text.partition(":")
    options: dict[str, Any] = {"help": _HELP.get(name.rstrip("*?"))}
    if choices:
        options["choices"] = choices.split(",")
    if name.endswith("*"):
        parser.add_argument(name[:-1], action="append", default=[], **options)
    elif name.endswith("?"):
        parser.add_argument(name[:-1], **options)
    elif name.startswith("--"):
        parser.add_argument(name, required=True, **options)
    else:
        parser.add_argument(name, **options)


def _runner(act: Act) -> Callable[[argparse.Namespace, Settings], int]:
    def run(options: argparse.Namespace, settings: Settings) -> int:
        return asyncio.run(_run(act, options, settings))

    return run


async def _run(act: Act, options: argparse.Namespace, settings: Settings) -> int:
    await check_tables(settings)
    async with open_offline(settings) as context:
        try:
            await act(context, options)
        except Problem as problem:
            raise SettingsError(_said(problem)) from None
    return 0


def _said(problem: Problem) -> str:
    """Say each thing once: a request's detail is what its fields say, and the one that is wrong needs no title."""
    fields = [(field.field, field.message) for field in problem.fields]
    if problem.code == "request.invalid" and len(fields) == 1:
        return ": ".join(fields[0])
    detail = "" if problem.code == "request.invalid" and fields else f" {problem.detail}"
    return f"{problem.title}.{detail}{_listed(fields)}"


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")


def _note(line: str) -> None:
    """What is said beside the result, which a script can then take as it is."""
    sys.stderr.write(line + "\n")


def _listed(problems: Iterable[tuple[str, str]]) -> str:
    return "".join(f"\n  {f'{place}: ' if place else ''}{message}" for place, message in problems)


def _json(value: Any) -> None:
    _out(msgspec.json.format(msgspec.json.encode(value)).decode())


def _input(kind: type[msgspec.Struct], **values: Any) -> Any:
    """Answer a struct, or raise what the API would answer."""
    # Imported here, because it brings the HTTP framework along.
    from service.routes.requests import convert_strictly

    return convert_strictly(values, kind)


async def _create_admin(context: Context, options: argparse.Namespace) -> None:
    """make an admin of the installation and print the token, this once; --email lets them sign in too"""
    expires_at = None
    if options.expires is not None:
        expires_at = context.now() + timedelta(days=_days(options.expires))
    email = _input(_Address, email=options.email).email if options.email else None
    made = await manage_admins.create_admin(context, options.name, expires_at=expires_at, email=email)
    if made.invitation is not None:
        _note(f"{email} sets a password with this invitation, once within a week: {made.invitation}")
    _note(f"id {made.member_id}; the token follows, keep it: shown once")
    _out(made.token)


class _Address(msgspec.Struct):
    email: schemas.Email


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LONGEST_EXPIRY_DAYS):
        raise SettingsError(f"--expires: must be a whole number of days from 1 to {LONGEST_EXPIRY_DAYS}")
    return int(text)


async def _list_admins(context: Context, _options: argparse.Namespace) -> None:
    """list the admins of the installation"""
    _json(await manage_admins.list_admins(context))


async def _disable_admin(context: Context, options: argparse.Namespace) -> None:
    """end an admin's access with all tokens, at once"""
    await manage_admins.disable_admin(context, options.id)
    _note(f"{options.id} is disabled")


async def _create_site(context: Context, options: argparse.Namespace) -> None:
    """make a site with the default policy"""
    wanted = _input(schemas.SiteInput, slug=options.slug, name=options.name, allowed_origins=options.origin)
    _json(await manage_sites.create_site(context, "cli", wanted))


async def _list_sites(context: Context, _options: argparse.Namespace) -> None:
    """list the sites"""
    _json(await manage_sites.list_sites(context, None))


async def _set_origins(context: Context, options: argparse.Namespace) -> None:
    """set the origins of the pages that may embed a site's threads"""
    site = await find_site(context, options.slug)
    change = _input(schemas.SiteChange, allowed_origins=options.origin)
    _json(await manage_sites.change_site(context, site, "cli", change))


async def _emergency(context: Context, options: argparse.Namespace) -> None:
    """hold every comment of a site for a person, from the next batch on, or stop doing so"""
    site = await find_site(context, options.slug)
    change = schemas.SiteChange(emergency_pre_moderation=options.switch == "on")
    _json(await manage_sites.change_site(context, site, "cli", change))


async def _show_policy(context: Context, options: argparse.Namespace) -> None:
    """print the policy in force as JSON, as `policy set` takes it"""
    site = await find_site(context, options.slug)
    view = await manage_sites.read_policy(context, site, options.page)
    _note(f"version {view.version}")
    _json(view.policy)


async def _list_presets(_context: Context, _options: argparse.Namespace) -> None:
    """list the policies to start from"""
    width = max(map(len, PRESETS))
    for name, (text, _) in PRESETS.items():
        _out(f"{name:{width}}  {text}")


async def _set_preset(context: Context, options: argparse.Namespace) -> None:
    """put a policy to start from in force, and print it"""
    policy = PRESETS[options.name][1]()
    site, page = await find_site(context, options.slug), options.page
    _json(await manage_sites.set_policy(context, site, "cli", manage_sites.as_document(policy), page))


async def _set_policy(context: Context, options: argparse.Namespace) -> None:
    """put a policy from a TOML or JSON file in force"""
    site = await find_site(context, options.slug)
    view = await manage_sites.set_policy(context, site, "cli", _read_policy(Path(options.file)), options.page)
    for line in _misfits(context.settings, view.policy):
        _note(f"colloquy: warning: {line}")
    _out(view.version)


def _read_policy(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            return manage_sites.as_document(parse_policy_toml(text))
        document: dict[str, Any] = msgspec.json.decode(text)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: it is not text in UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: it is not JSON ({error})") from None
    except PolicyError as error:
        raise SettingsError(f"{path} is not a valid policy:{_listed(error.problems)}") from None
    return document


def _misfits(settings: Settings, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a policy does not go with the model that will score."""
    # Imported here, because no other command needs the model.
    from service.scorers import build_scorer

    model, policy = build_scorer(settings), parse_policy_json(msgspec.json.encode(document))
    if model.model_id not in (policy.model, policy.fallback_model):
        yield f"the policy is for the model {policy.model}, and {model.model_id} scores here: thresholds may not fit"
    for rule in policy.rules:
        used = {condition.attribute for condition in rule.when if condition.attribute is not None}
        for attribute in sorted(used.difference(model.attributes)):
            yield f"the rule {rule.id} uses {attribute}, which the model {model.model_id} does not score"


async def _add_member(context: Context, options: argparse.Namespace) -> None:
    """name a moderator or admin of a site and print the first token, this once"""
    site = await find_site(context, options.slug)
    wanted = _input(schemas.MemberInput, name=options.name, role=options.role, email=options.email)
    member = await manage_people.add_member(context, site, "cli", wanted)
    if member.invitation is not None:
        _note(f"{options.email} sets a password with this invitation, once within a week: {member.invitation}")
    scopes = ["review"] if options.role == "moderator" else list(manage_people.ALL_SCOPES)
    key = _input(schemas.KeyInput, name=options.name, scopes=scopes, member_id=member.id)
    _json(await manage_people.create_key(context, site, "cli", key))


async def _list_members(context: Context, options: argparse.Namespace) -> None:
    """list the members of a site"""
    _json(await manage_people.list_members(context, await find_site(context, options.slug)))


async def _disable_member(context: Context, options: argparse.Namespace) -> None:
    """end a member's access at once"""
    await manage_people.disable_member(context, await find_site(context, options.slug), "cli", options.id)


async def _create_token(context: Context, options: argparse.Namespace) -> None:
    """give one of the publisher's systems an API token and print it, this once"""
    given = {"scale": options.scale}
    if options.per_minute is not None:
        number = options.per_minute
        given["per_minute"] = int(number) if number.isascii() and number.isdecimal() else number
    if options.may_store is not None:
        given["may_store"] = options.may_store == "yes"
    more = {name: value for name, value in given.items() if value is not None}
    wanted = _input(schemas.KeyInput, name=options.name, scopes=options.scope, **more)
    _json(await manage_people.create_key(context, await find_site(context, options.slug), "cli", wanted))


async def _list_tokens(context: Context, options: argparse.Namespace) -> None:
    """list a site's API tokens, without their secrets"""
    _json(await manage_people.list_keys(context, await find_site(context, options.slug)))


async def _revoke_token(context: Context, options: argparse.Namespace) -> None:
    """make an API token useless at once"""
    await manage_people.revoke_key(context, await find_site(context, options.slug), "cli", options.id)


async def _rotate_keys(context: Context, _options: argparse.Namespace) -> None:
    """sign author tokens with a new key from now on; tokens given out stay valid"""
    # With another SECRET_KEY the new key would keep every process from opening the older ones.
    await context.author_tokens.ensure_key(now=context.now())
    _out(f"signing with key {await context.author_tokens.rotate(now=context.now())} from now on")
