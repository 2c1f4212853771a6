"""Organizations that leave: when each was closed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has left so far."""
    op.add_column("organizations", sa.Column("closed_at", sa.Float(53)))
