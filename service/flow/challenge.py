"""Puzzles that cost a browser a moment and a flood much (ALTCHA, self-hosted), and tickets that time the writing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from altcha import v1 as altcha

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.spam_settings import spam_of
from service.store import fingerprints
from service.store.types import Row

CHALLENGE_MINUTES = 20
_TICKET_HOURS = 24
_MOST_CHARACTERS = 2_000
_MINUTE = timedelta(minutes=1)


def new_challenge(context: Context, site: Row) -> dict[str, Any]:
    """Answer a puzzle for a site, good for twenty minutes and for one comment."""
    options = altcha.ChallengeOptions(
        max_number=spam_of(site.spam).challenge_cost,
        hmac_key=_key(context, site),
        expires=context.now() + timedelta(minutes=CHALLENGE_MINUTES),
    )
    made = altcha.create_challenge(options)
    return {
        "algorithm": made.algorithm,
        "challenge": made.challenge,
        "maxnumber": made.max_number,
        "salt": made.salt,
        "signature": made.signature,
    }


async def check(
    context: Context,
    site: Row,
    author: Commenter | None,
    network_hash: str | None,
    solution: str | None,
    idempotency_key: str | None,
) -> None:
    """Raise where a guest must solve a puzzle and did not; accounts of the publisher never must."""
    if not await _is_wanted(context, site, author, network_hash):
        return
    if solution is None:
        raise _problem(context, site, "challenge.required", "Solve the challenge and send its solution.")
    signature = _solved(context, site, solution)
    if signature is None:
        raise _problem(context, site, "challenge.invalid", "The solution is wrong, or too old.")
    # A retry under the same key is the same comment, and may show the same solution.
    if not await context.spent.spend(f"{site.id}:{signature}", idempotency_key or "", seconds=CHALLENGE_MINUTES * 60):
        raise _problem(context, site, "challenge.invalid", "The solution was used before.")


async def _is_wanted(context: Context, site: Row, author: Commenter | None, network_hash: str | None) -> bool:
    spam = spam_of(site.spam)
    if spam.challenge == "never" or (author is not None and author.kind == "signed"):
        return False
    if spam.challenge == "always" or network_hash is None:
        return True
    since = context.now() - _MINUTE
    async with context.database.reading() as connection:
        counts = await fingerprints.bursts(connection, site.id, [network_hash], since=since)
    return counts.get(network_hash, 0) >= spam.challenge_from


def _solved(context: Context, site: Row, solution: str) -> str | None:
    """Answer the signature of a puzzle that was solved in time, None for any other text."""
    if len(solution) > _MOST_CHARACTERS:
        return None
    try:
        payload = json.loads(base64.b64decode(solution, validate=True))
        solved, _ = altcha.verify_solution(payload, _key(context, site), check_expires=False)
        # By our clock; the library would read the machine's.
        expires = float(altcha.extract_params(payload)["expires"][0])
        signature = str(payload["signature"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return signature if solved and expires > context.now().timestamp() else None


def _key(context: Context, site: Row) -> str:
    return hmac.new(context.box.key_for("challenges"), site.id.encode(), hashlib.sha256).hexdigest()


def _problem(context: Context, site: Row, code: str, detail: str) -> Problem:
    return Problem(code, detail, extra={"challenge": new_challenge(context, site)})


def new_ticket(context: Context, site: Row) -> schemas.FormTicket:
    """Answer a ticket that says when the form was opened; nobody can make an earlier one."""
    moment = str(int(context.now().timestamp() * 1000))
    return schemas.FormTicket(f"{moment}.{_seal(context, site, moment)}")


def seconds_since(context: Context, site: Row, ticket: str | None) -> float | None:
    """Answer how long ago a ticket was given, None for none, a made-up or an old one."""
    moment, _, seal = (ticket or "").partition(".")
    if not (moment.isascii() and moment.isdecimal() and len(moment) <= 15):
        return None
    if not hmac.compare_digest(seal.encode(), _seal(context, site, moment).encode()):
        return None
    seconds = (context.now() - datetime.fromtimestamp(int(moment) / 1000, context.now().tzinfo)).total_seconds()
    return seconds if 0 <= seconds <= _TICKET_HOURS * 3600 else None


def _seal(context: Context, site: Row, moment: str) -> str:
    key = context.box.key_for("form-tickets")
    return hmac.new(key, f"{site.id}:{moment}".encode(), hashlib.sha256).hexdigest()[:32]
