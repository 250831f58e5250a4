"""Invitations to be a member, one membership of a person on a site, and what a sanction outlives an erasure by."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant

revision = "0005"
down_revision = "0004"

_INDEXES = (
    ("ix_audit_events_subject", "audit_events", ["subject"]),
    ("ix_reports_commenter_id", "reports", ["commenter_id"]),
)
#: Of several memberships of one person on one site the first admin's counts, else the first.
_DISABLE_DOUBLES = """
UPDATE members SET disabled_at = CURRENT_TIMESTAMP WHERE disabled_at IS NULL AND account_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM members AS other
    WHERE other.site_id = members.site_id AND other.account_id = members.account_id AND other.disabled_at IS NULL
    AND ((other.role = 'admin' AND members.role <> 'admin') OR (other.role = members.role AND other.id < members.id))
)
"""
#: What was lifted is deleted from now on.
_LIFTED = "SELECT id FROM fingerprints WHERE lifted_at IS NOT NULL"


def upgrade() -> None:
    op.execute(f"DELETE FROM fingerprint_bands WHERE fingerprint_id IN ({_LIFTED})")  # noqa: S608
    op.execute("DELETE FROM fingerprints WHERE lifted_at IS NOT NULL")
    with op.batch_alter_table("fingerprints") as table:
        table.drop_column("lifted_at")
    op.execute(_DISABLE_DOUBLES)
    # Those of a site's admin cannot be told from the operator's, and a provider's account is opened by nothing else.
    op.execute("UPDATE invitations SET used_at = CURRENT_TIMESTAMP WHERE used_at IS NULL")
    op.execute("UPDATE accounts SET password_hash = NULL WHERE oidc_subject IS NOT NULL")
    active = sa.text("disabled_at IS NULL")
    op.create_index(
        "uq_members_active",
        "members",
        ["site_id", "account_id"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    with op.batch_alter_table("invitations") as table:
        table.add_column(sa.Column("member_id", Id, nullable=True))
        table.create_foreign_key(op.f("fk_invitations_member_id"), "members", ["member_id"], ["id"])
        table.create_index("ix_invitations_member_id", ["member_id"])
    op.create_table(
        "sanction_marks",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("sanction_id", Id, nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["sanction_id"], ["sanctions.id"], name=op.f("fk_sanction_marks_sanction_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_sanction_marks_site_id")),
        sa.PrimaryKeyConstraint("site_id", "mark", "sanction_id", name=op.f("pk_sanction_marks")),
    )
    op.create_index("ix_sanction_marks_sanction_id", "sanction_marks", ["sanction_id"])
    for name, table_name, columns in _INDEXES:
        op.create_index(name, table_name, columns)


def downgrade() -> None:
    op.add_column("fingerprints", sa.Column("lifted_at", Instant(), nullable=True))
    for name, table_name, _ in _INDEXES:
        op.drop_index(name, table_name=table_name)
    op.drop_table("sanction_marks")
    with op.batch_alter_table("invitations") as table:
        table.drop_index("ix_invitations_member_id")
        table.drop_constraint("fk_invitations_member_id", type_="foreignkey")
        table.drop_column("member_id")
    op.drop_index("uq_members_active", table_name="members")
