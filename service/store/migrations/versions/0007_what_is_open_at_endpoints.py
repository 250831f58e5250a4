"""An index of what each webhook endpoint is owed, and of its dead letters, which are counted wherever it is shown."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    is_open = sa.text("state IN ('pending', 'dead')")
    op.create_index(
        "ix_webhook_deliveries_open",
        "webhook_deliveries",
        ["site_id", "endpoint_id", "state"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_deliveries_open", table_name="webhook_deliveries")
