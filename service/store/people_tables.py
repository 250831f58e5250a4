"""The tables of people: commenters with sanctions, members with accounts and sessions, tokens and keys."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, flag, metadata, not_negative, one_of, own_id, ref, site
from service.store.types import Id, Json

commenters = sa.Table(
    "commenters",
    metadata,
    own_id(),
    site(),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("name", sa.String(80), nullable=True),
    sa.Column("subject", sa.String(200), nullable=True),
    # What the publisher's last token said of a signed commenter.
    sa.Column("avatar_url", sa.String(2048), nullable=True),
    flag("verified"),
    sa.Column("badges", Json, nullable=False, server_default="[]"),
    # Set by a moderator.
    flag("trusted"),
    # What readers hide an author by; erasure takes it.
    sa.Column("author_key", sa.String(16), nullable=True),
    sa.Column("token_generation", sa.Integer, nullable=False, server_default="1"),
    at("first_seen_at"),
    at("last_seen_at", nullable=True),
    at("erased_at", nullable=True),
    # How the comments of an erased commenter are to end, until all of them have.
    sa.Column("erasure", sa.String(10), nullable=True),
    sa.UniqueConstraint("site_id", "subject", name="uq_commenters_site_id_subject"),
)
_UNFINISHED = commenters.c.erasure.is_not(None)
sa.Index("ix_commenters_erasure", commenters.c.id, sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED)

#: A restriction of a commenter; in force until it is lifted or its time is over.
sanctions = sa.Table(
    "sanctions",
    metadata,
    own_id(),
    site(),
    ref("commenter_id", "commenters"),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    # The sentence of the reason as it was then; the commenter reads it.
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=True),
    sa.Column("imposed_by", sa.String(80), nullable=False),
    at("created_at"),
    at("until", nullable=True),
    at("lifted_at", nullable=True),
    sa.Column("lifted_by", sa.String(80), nullable=True),
    # The decisions that took down the commenter's recent comments in the same act, so that it can be undone.
    sa.Column("swept", Json, nullable=False, server_default="[]"),
    one_of("kind", ["ban", "suspension", "pre_moderation"]),
    sa.Index("ix_sanctions_commenter_id", "commenter_id", "id"),
    sa.Index("ix_sanctions_site_id", "site_id", "id"),
)

#: What a sanction goes on knowing somebody by who erased themselves: hashes under keys of ours.
sanction_marks = sa.Table(
    "sanction_marks",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    # Of the publisher's id of an account, or of the network that a guest wrote from.
    sa.Column("mark", sa.String(64), primary_key=True),
    sa.Column("sanction_id", Id, sa.ForeignKey("sanctions.id"), primary_key=True),
    at("until", nullable=True),
    sa.Index("ix_sanction_marks_sanction_id", "sanction_id"),
)

#: A text that was removed for cause, so that it is known when it comes again: hashes, never the text.
fingerprints = sa.Table(
    "fingerprints",
    metadata,
    own_id(),
    site(),
    ref("comment_id", "comments"),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("text_hash", sa.String(64), nullable=False),
    sa.Column("sketch", Json, nullable=False),
    at("created_at"),
    sa.Index("ix_fingerprints_text_hash", "site_id", "text_hash"),
    sa.Index("ix_fingerprints_comment_id", "comment_id"),
)

#: Parts of sketches; texts that share one are compared.
fingerprint_bands = sa.Table(
    "fingerprint_bands",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("band", sa.String(40), primary_key=True),
    sa.Column("fingerprint_id", Id, sa.ForeignKey("fingerprints.id"), primary_key=True),
    sa.Index("ix_fingerprint_bands_fingerprint_id", "fingerprint_id"),
)

#: A person who signs in; what they may do where is in `members`.
accounts = sa.Table(
    "accounts",
    metadata,
    own_id(),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("password_hash", sa.Text, nullable=True),
    # Encrypted with SECRET_KEY; in force once a first code was entered.
    sa.Column("totp_sealed", sa.Text, nullable=True),
    at("totp_confirmed_at", nullable=True),
    # The time step of the last code, so that none counts twice.
    sa.Column("totp_step", sa.BigInteger, nullable=True),
    sa.Column("recovery_hashes", Json, nullable=False, server_default="[]"),
    sa.Column("oidc_issuer", sa.String(300), nullable=True),
    sa.Column("oidc_subject", sa.String(300), nullable=True),
    at("created_at"),
    at("disabled_at", nullable=True),
    sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="uq_accounts_oidc"),
)

#: A link by which a person sets a password once, and becomes the member that it names.
invitations = sa.Table(
    "invitations",
    metadata,
    own_id(),
    ref("account_id", "accounts"),
    # Null: the operator's, by which a password is set anew.
    ref("member_id", "members", nullable=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    at("created_at"),
    at("expires_at"),
    at("used_at", nullable=True),
    sa.Index("ix_invitations_account_id", "account_id"),
    sa.Index("ix_invitations_member_id", "member_id"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    own_id(),
    ref("account_id", "accounts"),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    at("created_at"),
    at("last_used_at"),
    at("expires_at"),
    at("revoked_at", nullable=True),
    sa.Index("ix_sessions_account_id", "account_id"),
    sa.Index("ix_sessions_expires_at", "expires_at"),
)

members = sa.Table(
    "members",
    metadata,
    own_id(),
    # Null: a member of the installation, who may do everything on every site.
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), nullable=True),
    # Null too while an invitation waits: nobody is a member who did not take it.
    ref("account_id", "accounts", nullable=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("role", sa.String(12), nullable=False),
    # As whom this person writes on the site; they never decide about these comments.
    ref("commenter_id", "commenters", nullable=True),
    at("created_at"),
    at("disabled_at", nullable=True),
    sa.Index("ix_members_site_id", "site_id"),
    sa.Index("ix_members_account_id", "account_id"),
    sa.Index("ix_members_commenter_id", "commenter_id"),
)
_ACTIVE = members.c.disabled_at.is_(None)
sa.Index(
    "uq_members_active",
    members.c.site_id,
    members.c.account_id,
    unique=True,
    sqlite_where=_ACTIVE,
    postgresql_where=_ACTIVE,
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    own_id(),
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), nullable=True),
    ref("member_id", "members", nullable=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    at("created_at"),
    at("expires_at", nullable=True),
    at("revoked_at", nullable=True),
    at("last_used_at", nullable=True),
    # What the key may of scores for other systems: how often, whether texts may be kept, on which scale they are read.
    sa.Column("per_minute", sa.Integer, nullable=False, server_default="600"),
    flag("may_store"),
    sa.Column("scale", sa.String(12), nullable=False, server_default="perspective"),
    one_of("scale", ["perspective", "probability"]),
    *not_negative("per_minute"),
    sa.Index("ix_api_tokens_site_id", "site_id"),
)

#: Keys that sign author tokens; `sealed` is encrypted with SECRET_KEY.
signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    at("created_at"),
    at("retired_at", nullable=True),
)

#: Keys under which network addresses are hashed; a new one each period, and an old one is deleted, after which no
#: address can be found again from its hash. `sealed` is encrypted with SECRET_KEY.
network_keys = sa.Table(
    "network_keys",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    at("created_at"),
)
