"""The data map: for every table what it holds of people, why, how long, and which columns a commenter is given.

It is what the export reads, what docs/privacy.md prints and what a test holds against the tables, so that a new column
is exported or withheld for a written reason before it can be kept at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One table: what of people it holds. `exported` columns go to the commenter, `withheld` ones do not, and why."""

    what: str
    why: str
    sees: str
    lasts: str
    exported: tuple[str, ...] = ()
    withheld: Mapping[str, str] = {}
    #: Why nothing in the table is about a commenter; then its columns are not listed.
    not_of_commenters: str | None = None


_INNER = "an id of ours that only links rows of this export"
_OTHERS = "it is about another person"
_SITE = "the export is of one site"
_MADE = "it is computed from the text, which is exported"
_PLACE = "the place in a queue"
_MODERATOR = "it is about moderators and admins"
_LEASE = "it is about the moderator who looks at the comment"


def _nothing(what: str, why: str, sees: str, lasts: str, reason: str) -> Kept:
    return Kept(what=what, why=why, sees=sees, lasts=lasts, not_of_commenters=reason)


DATA_MAP: Mapping[str, Kept] = {
    "commenters": Kept(
        what="chosen name, or what the publisher's account says: subject, avatar, badges, verified",
        why="to show who wrote, to know an author again",
        sees="readers (name, avatar, badges, a random key that tells one author from another); moderators",
        lasts="until erasure, which empties it at once",
        exported=(
            "id", "kind", "name", "subject", "avatar_url", "verified", "badges", "trusted", "author_key",
            "token_generation", "first_seen_at", "last_seen_at", "erased_at", "erasure",
        ),
        withheld={"site_id": _SITE},
    ),
    "comments": Kept(
        what="the place of a comment in its thread, its status, the name shown with it",
        why="to show the discussion",
        sees="readers while published; the author and moderators in every status",
        lasts="the row stays; erasure takes name and key, and the comment where the site removes",
        exported=(
            "id", "thread_id", "parent_id", "author_name", "author_kind", "author_shown", "author_key", "status",
            "status_by_person", "shown_revision", "latest_revision", "visible", "visible_replies", "reply_count",
            "likes", "featured_at", "pinned_at", "created_at", "edited_at", "deleted_at",
        ),
        withheld={"site_id": _SITE, "commenter_id": "it is the commenter of the export", "path": _INNER},
    ),
    "reactions": Kept(
        what="that somebody likes a comment",
        why="to count it once",
        sees="the one who likes; readers see the number",
        lasts="until it is taken back, the comment is deleted or who likes it erased",
        exported=("comment_id", "created_at"),
        withheld={
            "id": _INNER, "site_id": _SITE, "thread_id": _INNER,
            "commenter_id": "it is the commenter of the export",
        },
    ),
    "revisions": Kept(
        what="the text as written and as shown, its language, a keyed hash of the network it came from",
        why="to show it, to decide on it, to stop floods and repeated texts",
        sees="readers (the shown text); the author; moderators (every text); nobody sees the hash",
        lasts="shown: until erasure; deleted 30 days, replaced 90, refused for ever, network 30, unless the site says",
        exported=(
            "id", "number", "body", "html", "language", "network_hash", "submission", "status", "created_at",
            "scored_at", "superseded_at", "erased_at",
        ),
        withheld={"site_id": _SITE, "comment_id": "it stands under its comment", "body_hash": _MADE},
    ),
    "scores": Kept(
        what="what a model said of a text",
        why="the ground of an automated decision",
        sees="moderators",
        lasts="for ever: numbers and the model's name",
        exported=("model_id", "calibrated", "attributes", "raw", "calibration", "window", "scored_at", "revision_id"),
        withheld={"id": _INNER, "site_id": _SITE},
    ),
    "decisions": Kept(
        what="what was decided on a comment, by a machine or a person, with reasons",
        why="the law asks for it; so that a decision can be explained and contested",
        sees="moderators; the author (reasons)",
        lasts="for ever; erasure takes notes and quoted words",
        exported=(
            "id", "revision_id", "actor_kind", "action", "from_status", "to_status", "reasons", "causes",
            "policy_version", "model_id", "note", "ground", "ground_clause", "guidelines_version", "on_notice",
            "automated_detection", "automated_decision", "duration_seconds", "undoes_id", "created_at",
        ),
        withheld={
            "site_id": _SITE, "thread_id": "it stands under its comment", "comment_id": "it stands under its comment",
            "review_item_id": _INNER, "act_id": _INNER, "stood": _INNER, "actor": _OTHERS,
        },
    ),
    "review_items": Kept(
        what="that a comment waits or waited for a person, and why",
        why="the queue of the moderators",
        sees="moderators",
        lasts="for ever; erasure takes spans, notes and quoted words",
        exported=(
            "id", "revision_id", "kind", "state", "causes", "spans", "rule", "attribute", "language", "trust",
            "escalated_at", "escalation_note", "opened_at", "closed_at",
        ),
        withheld={
            "site_id": _SITE, "thread_id": "it stands under its comment", "comment_id": "it stands under its comment",
            "order_key": _PLACE, "queue": _PLACE, "priority": _PLACE, "due_at": _PLACE, "blind": _LEASE,
            "lease_hash": _LEASE, "lease_expires_at": _LEASE, "claimed_by": _LEASE, "claim_number": _LEASE,
            "not_for": _LEASE, "decision_id": _INNER, "escalated_by": _LEASE,
        },
    ),
    "review_skips": _nothing(
        "which moderator does not want to decide an item", "it is offered to another", "nobody",
        "for ever", "it is about moderators",
    ),
    "opinions": _nothing(
        "what a second moderator would have decided", "to know how far moderators agree", "admins", "for ever",
        "it is about moderators",
    ),
    "reports": Kept(
        what="what somebody found wrong with a comment; of a notice of illegal content the name and address, encrypted",
        why="so that a person looks at it, and the reporter learns what came of it",
        sees="moderators, but name and address: the publisher's systems, with the answer",
        lasts="for ever; name and address 180 days, network 30, unless the site says; erasure takes its words too",
        exported=(
            "id", "comment_id", "reason", "detail", "law", "good_faith", "network_hash", "outcome", "created_at",
            "closed_at",
        ),
        withheld={
            "site_id": _SITE, "revision_id": _INNER, "commenter_id": "it is the commenter of the export",
            "contact_sealed": "it is encrypted; what it holds was sent by the reporter",
            "token_hash": "a hash of a token that the reporter has", "decision_id": _INNER,
        },
    ),
    "appeals": Kept(
        what="why an author asks to look again, and the answer",
        why="the law gives authors that right",
        sees="the author; moderators",
        lasts="for ever; erasure takes the words",
        exported=("id", "comment_id", "decision_id", "text", "outcome", "answer", "created_at", "closed_at"),
        withheld={
            "site_id": _SITE, "revision_id": _INNER, "commenter_id": "it is the commenter of the export",
            "review_item_id": _INNER, "answered_by": _OTHERS,
        },
    ),
    "mail_addresses": Kept(
        what="a mail address, encrypted, which mail is wanted, in which language, and whether that was confirmed",
        why="to write to authors who asked for it",
        sees="nobody; the author sees that there is one",
        lasts="until the author ends it, unsubscribes or is erased; 7 days where it is not confirmed or refuses mail",
        exported=("state", "replies", "decisions", "locale", "created_at", "confirmed_at"),
        withheld={
            "id": _INNER, "site_id": _SITE, "commenter_id": "it is the commenter of the export",
            "address_sealed": "whoever finds an author's token must not learn the address, which its owner knows",
            "token_hash": "a hash of a token that was sent to the address",
            "token_expires_at": "a hash of a token that was sent to the address", "served_at": _PLACE,
        },
    ),
    "mails": Kept(
        what="of which reply or decision an author is to be told, or was, by mail",
        why="so that nothing is told twice, and nothing is lost",
        sees="nobody",
        lasts="30 days, or until erasure",
        exported=(
            "kind", "comment_id", "decision_id", "state", "attempts", "last_error", "created_at", "finished_at",
        ),
        withheld={
            "id": _INNER, "site_id": _SITE, "commenter_id": "it is the commenter of the export",
            "address_id": _INNER, "key": _INNER, "thread_id": _INNER,
            "token_sealed": "the link of a confirmation that is to be sent", "next_attempt_at": _PLACE,
            "lease": _PLACE, "lease_expires_at": _PLACE,
        },
    ),
    "commenter_notes": Kept(
        what="what moderators tell each other about a commenter",
        why="so that each knows what the others know",
        sees="moderators",
        lasts="until it is deleted, or the commenter is erased",
        exported=("id", "text", "created_at"),
        withheld={"site_id": _SITE, "commenter_id": "it is the commenter of the export", "actor": _OTHERS},
    ),
    "sanctions": Kept(
        what="that a commenter may not write, or only under review; why and until when",
        why="to keep a discussion from being disturbed",
        sees="the commenter (kind, reason, until); moderators",
        lasts="for ever; erasure takes the note; what is in force goes on where the commenter erased themselves",
        exported=("id", "kind", "reason", "text", "note", "created_at", "until", "lifted_at", "swept"),
        withheld={
            "site_id": _SITE, "commenter_id": "it is the commenter of the export", "imposed_by": _OTHERS,
            "lifted_by": _OTHERS,
        },
    ),
    "fingerprints": Kept(
        what="hashes of a text that was removed for cause",
        why="to know it when it comes again",
        sees="nobody; the moderators see that a text came again",
        lasts="until the removal is lifted, or an admin erases its author",
        exported=("comment_id", "reason", "created_at"),
        withheld={"id": _INNER, "site_id": _SITE, "text_hash": _MADE, "sketch": _MADE},
    ),
    "audit_events": Kept(
        what="who did what: an actor's id, an act, the id of what it was done to",
        why="so that nothing is changed unseen",
        sees="admins",
        lasts="for ever; erasure empties the data of events about a commenter",
        exported=("id", "actor_kind", "action", "subject", "data", "created_at", "erased_at"),
        withheld={
            "site_id": _SITE, "actor": _OTHERS, "chain": _SITE, "sequence": "the place in the chain",
            "salt": "it protects erased data from being guessed", "data_hash": "a link of the chain",
            "previous_hash": "a link of the chain", "hash": "a link of the chain",
        },
    ),
    "fingerprint_bands": _nothing(
        "parts of those hashes", "to find near repeats", "nobody", "as long as the fingerprint",
        "parts of a hash of a text that is exported itself",
    ),
    "sanction_marks": _nothing(
        "a keyed hash of the id or network of somebody sanctioned who erased themselves",
        "so that an erasure does not end a ban", "nobody",
        "as long as the sanction, of a network 24 hours; until an admin erases them",
        "it is kept once there is nobody to export it to",
    ),
    "outbox": _nothing(
        "ids of what happened to a comment", "to tell the publisher's systems", "the publisher's systems",
        "90 days, unless the site says", "ids and times of acts that the export lists with their comments",
    ),
    "outbox_heads": _nothing(
        "a number", "to put events in order", "nobody", "for ever", "a number only",
    ),
    "outbox_ends": _nothing(
        "a number", "to know which events are gone", "nobody", "for ever", "a number only",
    ),
    "webhook_endpoints": _nothing(
        "URL of a receiver of the publisher's, sealed headers, how it fares", "to send events", "admins",
        "until it is deleted", "it is about systems",
    ),
    "webhook_secrets": _nothing(
        "sealed secrets", "to sign events", "nobody", "until they are rotated out", "secrets only",
    ),
    "webhook_deliveries": _nothing(
        "ids of events that are owed or were sent to a receiver", "so that none is lost", "admins",
        "30 days, unless the site says; what failed as long as its event",
        "ids and times of acts that the export lists with their comments",
    ),
    "webhook_attempts": _nothing(
        "when an event was sent and with what status", "to see why one did not arrive", "admins",
        "as long as its delivery", "it is about systems",
    ),
    "watched_states": _nothing(
        "whether the scorer is down or too much waits", "to tell of it once", "the publisher's systems", "for ever",
        "it is about the service",
    ),
    "idempotency_keys": _nothing(
        "a random key and a hash of a request", "so that a retry writes nothing twice", "nobody",
        "7 days, or until erasure", "a random key of the browser, beside the comment that is exported itself",
    ),
    "accounts": _nothing(
        "address, name, password hash and second factor of a moderator or admin", "to sign in", "the person; admins",
        "until `account delete`", "it is about moderators and admins",
    ),
    "invitations": _nothing(
        "a hash of a moderator's first link", "to set the first password", "nobody", "until it is used or over",
        "it is about moderators and admins",
    ),
    "sessions": _nothing(
        "a hash of a moderator's session, and its times", "to stay signed in", "the person", "until it is over",
        "it is about moderators and admins",
    ),
    "members": Kept(
        what="name and role of a moderator or admin, and as whom they write on the site",
        why="to know who may decide, and that nobody decides about their own comments",
        sees="admins",
        lasts="for ever: decisions name them; erasure takes the link to the commenter",
        withheld=dict.fromkeys(
            ("id", "site_id", "account_id", "name", "role", "commenter_id", "created_at", "disabled_at"), _MODERATOR
        ),
    ),
    "api_tokens": _nothing(
        "a hash of a token, its name and last use", "to let systems in", "admins", "for ever: acts name them",
        "it is about systems, moderators and admins",
    ),
    "sites": _nothing(
        "settings of a site", "to run it", "admins", "for ever", "settings only",
    ),
    "policies": _nothing(
        "rules of a site, and who put them in force", "decisions name them", "moderators", "for ever", "rules only",
    ),
    "threads": _nothing(
        "page, title and question of a discussion", "to show it", "readers", "for ever", "it is about articles",
    ),
    "thread_pages": _nothing(
        "page keys that lead to a discussion", "so that old links work", "readers", "for ever", "it is about articles",
    ),
    "calibrations": _nothing(
        "curves and figures of a model", "to read its scores", "admins", "for ever", "it holds numbers, no text",
    ),
    "signing_keys": _nothing(
        "sealed keys", "to sign author tokens", "nobody", "until deleted", "keys only",
    ),
    "network_keys": _nothing(
        "sealed keys", "to hash networks", "nobody", "until rotated out, after which no hash leads back", "keys only",
    ),
    "suggested_scores": _nothing(
        "what people of a system that scores through us said of a text; the text where the key allows it, else a hash",
        "to see how far scores are right, and to calibrate them", "admins", "365 days, unless the site says",
        "the system that sends it knows whom it is about, and has it deleted by its own id of the text",
    ),
    "audit_heads": _nothing(
        "the end of each audit chain", "to notice a missing event", "admins", "for ever", "hashes only",
    ),
}  # fmt: skip


def as_markdown() -> str:
    """Answer the data map as the table of docs/privacy.md."""
    lines = ["| where | what | why | who sees it | how long |", "|---|---|---|---|---|"]
    lines += [
        f"| `{name}` | {kept.what} | {kept.why} | {kept.sees} | {kept.lasts} |" for name, kept in DATA_MAP.items()
    ]
    return "\n".join(lines) + "\n"


def withheld_as_markdown() -> str:
    """Answer what of a commenter's rows is not exported, and why, as the list of docs/privacy.md."""
    lines = []
    for name, kept in DATA_MAP.items():
        if kept.not_of_commenters is not None:
            lines.append(f"* `{name}`: {kept.not_of_commenters}.")
        for reason in dict.fromkeys(kept.withheld.values()):
            columns = ", ".join(f"`{name}.{column}`" for column, why in kept.withheld.items() if why == reason)
            lines.append(f"* {columns}: {reason}.")
    return "\n".join(lines) + "\n"
