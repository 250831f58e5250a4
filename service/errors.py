"""Every error a caller can meet: a stable code, a status, a title, and one place that writes it as RFC 9457."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE_PREFIX = "urn:colloquy:problem:"

#: code -> (HTTP status, title). Codes are a promise to clients: add, never rename.
CODES: dict[str, tuple[int, str]] = {
    "request.malformed": (400, "The request body is not valid JSON"),
    "request.nesting": (400, "The request body is nested too deeply"),
    "request.nul": (400, "Text must not contain NUL characters"),
    "request.invalid": (400, "The request is not valid"),
    "request.too_large": (413, "The request body is too large"),
    "request.content_type": (415, "The content type must be application/json"),
    "route.unknown": (404, "There is no such route"),
    "method.not_allowed": (405, "The method is not allowed here"),
    "auth.required": (401, "A token is required"),
    "auth.invalid": (401, "The token is not valid"),
    "auth.forbidden": (403, "The token does not allow this"),
    "auth.csrf": (403, "The change does not come from our own page"),
    "session.refused": (401, "Address, password or code are not right"),
    "session.code_required": (401, "The second factor is needed"),
    "oidc.refused": (403, "The sign-in provider's word is not enough"),
    "oidc.unavailable": (503, "The sign-in provider does not answer"),
    "oidc.not_configured": (404, "There is no sign-in provider"),
    "second_factor.exists": (409, "The second factor is not in a state that allows this"),
    "invitation.invalid": (410, "The invitation is not valid"),
    "account.disabled": (409, "The account is disabled"),
    "member.exists": (409, "The person is a member already"),
    "identity.invalid": (401, "The publisher's token is not valid"),
    "identity.expired": (401, "The publisher's token has expired"),
    "identity.not_yet": (401, "The publisher's token is from the future"),
    "identity.audience": (401, "The publisher's token was made for somebody else"),
    "identity.issuer": (401, "The publisher's token was made by somebody else"),
    "identity.unknown_key": (401, "The publisher's token is signed with an unknown key"),
    "identity.too_large": (401, "The publisher's token is too large"),
    "identity.unavailable": (503, "The publisher's keys cannot be fetched"),
    "identity.not_configured": (404, "The site has no identity of a publisher"),
    "origin.refused": (403, "The origin is not one of the site's"),
    "guests.refused": (403, "The site does not take comments from guests"),
    "site.unknown": (404, "There is no such site"),
    "site.exists": (409, "A site with this slug exists"),
    "thread.unknown": (404, "There is no such thread"),
    "thread.exists": (409, "A thread for this page exists"),
    "thread.closed": (409, "The thread is closed"),
    "comment.unknown": (404, "There is no such comment"),
    "comment.duplicate": (409, "The same comment was just sent"),
    "comment.final": (409, "The comment is in a state that does not allow this"),
    "parent.unknown": (422, "The parent is not a published comment of this thread"),
    "parent.too_deep": (422, "Replies cannot go deeper here"),
    "edit.too_late": (409, "The time to edit the comment is over"),
    "reaction.off": (403, "The site has no reactions"),
    "reaction.own": (403, "The comment is the reader's own"),
    "second_chance.off": (403, "The site asks nobody to think again"),
    "pinned.full": (409, "The thread has as many pinned comments as it may"),
    "mail.off": (403, "There is no mail here"),
    "mail.link_over": (410, "The link is not valid any more"),
    "report.unknown": (404, "There is no such report"),
    "report.own": (409, "The comment is the reporter's own"),
    "appeal.unknown": (404, "There is no such appeal"),
    "appeal.exists": (409, "The decision was appealed already"),
    "appeal.not_possible": (409, "There is nothing that can be appealed"),
    "appeal.too_late": (409, "The time to appeal is over"),
    "statement.none": (404, "Nothing restricts the comment"),
    "challenge.required": (403, "Solve a challenge first"),
    "challenge.invalid": (403, "The challenge was not solved"),
    "coral.off": (404, "The site answers no Coral"),
    "limits.exceeded": (429, "Too many requests"),
    "request.timeout": (408, "The request took too long to arrive"),
    "host.refused": (421, "This host name is not served here"),
    "idempotency.reused": (409, "The Idempotency-Key was used for another request"),
    "item.unknown": (404, "There is no such review item"),
    "item.decided": (409, "The review item is decided already"),
    "review.own": (403, "Somebody else has to decide this"),
    "undo.unknown": (404, "There is no such act"),
    "undo.over": (409, "The time to undo this is over"),
    "undo.not_yours": (403, "Only who did this can undo it"),
    "undo.done": (409, "This was undone before"),
    "lease.expired": (409, "The lease is not valid any more"),
    "revision.changed": (409, "The comment was edited meanwhile"),
    "commenter.banned": (403, "You cannot write on this site"),
    "commenter.suspended": (403, "You cannot write on this site for now"),
    "note.unknown": (404, "There is no such note"),
    "sanction.unknown": (404, "There is no such sanction"),
    "sanction.exists": (409, "A sanction of this kind is in force"),
    "sanction.over": (409, "The sanction is not in force any more"),
    "commenter.unknown": (404, "There is no such commenter"),
    "member.unknown": (404, "There is no such member"),
    "key.unknown": (404, "There is no such key"),
    "webhook.unknown": (404, "There is no such webhook"),
    "webhook.disabled": (409, "The webhook is disabled"),
    "webhook.too_many": (409, "The site has as many webhooks as it may"),
    "webhook.exists": (409, "The site has a webhook for this already"),
    "delivery.unknown": (404, "There is no such delivery"),
    "delivery.finished": (409, "The delivery is not pending"),
    "events.gone": (410, "Events after this cursor are gone"),
    "query.too_wide": (422, "This asks for too much at once"),
    "policy.invalid": (422, "The policy is not valid"),
    "service.unavailable": (503, "The service cannot do this right now"),
    "internal": (500, "Something went wrong on our side"),
}


class FieldProblem(msgspec.Struct, frozen=True):
    """One field that was refused, and why."""

    field: str
    message: str


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON of an error (RFC 9457), as documented in the OpenAPI schema."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: list[FieldProblem] = []
    extra: dict[str, Any] = {}


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so.
    """An error meant for the caller; `code` decides status and title."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        fields: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail
        self.fields = [FieldProblem(field, message) for field, message in fields]
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self) -> bytes:
        """Answer the problem document as JSON bytes."""
        document = ProblemBody(
            type=PROBLEM_TYPE_PREFIX + self.code,
            title=self.title,
            status=self.status,
            detail=self.detail,
            code=self.code,
            fields=self.fields,
            extra=self.extra,
        )
        return msgspec.json.encode(document)


def unavailable(part: str, *, retry_after_seconds: int = 5) -> Problem:
    """Answer the problem for a part that is down; nothing was changed when it is raised."""
    return Problem(
        "service.unavailable",
        f"The {part} cannot be reached. Try again.",
        headers={"retry-after": str(retry_after_seconds)},
    )
