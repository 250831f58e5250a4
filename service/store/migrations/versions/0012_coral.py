"""How a Coral asks a site about its comments."""

import sqlalchemy as sa
from alembic import op

from service.store.types import NullableJson

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("sites", sa.Column("coral", NullableJson, nullable=True))


def downgrade() -> None:
    op.drop_column("sites", "coral")
