"""Policies as the flows use them: parsed once per version, which never changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.policy import Mode, Policy, PolicyError, default_policy, parse_policy_json
from moderation.words import WordList
from service.errors import Problem
from service.store import sites, threads
from service.store.types import Row

_KEPT = 256

logger = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """A policy with its word list compiled."""

    policy: Policy
    words: WordList


class InForce(NamedTuple):
    """What judges a text now: the site as it is, and the policy of the page or else of the site."""

    site: Row
    prepared: Prepared


_prepared: dict[tuple[str, str], Prepared] = {}


async def prepared(connection: AsyncConnection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Prepared]:
    """Answer the policies of (site_id, version) pairs."""
    pairs = set(wanted)
    # Held here, for keeping a new one may let go of another that is wanted.
    found = {key: _prepared[key] for key in pairs & _prepared.keys()}
    for key, document in (await sites.policy_documents(connection, pairs - found.keys())).items():
        policy = _readable(key, document)
        if len(_prepared) >= _KEPT:
            _prepared.pop(next(iter(_prepared)))
        found[key] = _prepared[key] = Prepared(policy, WordList(policy.words))
    return found


async def in_force(connection: AsyncConnection, site_id: str, page: str | None) -> InForce:
    """Answer what judges a text that is written on a page, or on none that there is a thread of."""
    thread = await threads.by_page(connection, site_id, page) if page is not None else None
    current = await sites.by_id(connection, site_id)
    key = (site_id, str((thread.policy_version if thread is not None else None) or current.policy_version))
    return InForce(current, (await prepared(connection, [key]))[key])


def _readable(key: tuple[str, str], document: Any) -> Policy:
    """Answer a stored policy; one that this version cannot read any more holds everything for a person."""
    try:
        return parse_policy_json(msgspec.json.encode(document))
    except PolicyError as error:
        extra = {"site_id": key[0], "version": key[1], "problems": len(error.problems)}
        logger.error("a stored policy cannot be read; every comment under it is held", extra=extra)
        return msgspec.structs.replace(default_policy(), mode=Mode.PRE_MODERATION)


def parsed(document: Any) -> Policy:
    """Answer a policy that came over the API, or raise policy.invalid with every problem in it."""
    try:
        return parse_policy_json(msgspec.json.encode(document))
    except PolicyError as error:
        raise Problem("policy.invalid", "The policy was not changed.", fields=error.problems) from None
