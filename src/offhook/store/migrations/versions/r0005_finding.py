"""Indexes: calls by ending, changes by time and by who made them, keys and sessions by user. When an organization was emptied."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is closed so far was emptied at once."""
    op.add_column("organizations", sa.Column("emptied_at", sa.Float(53)))
    op.execute("UPDATE organizations SET emptied_at = closed_at")
    op.create_index("ix_cdrs_organization_id_ending_call", "cdrs", ["organization_id", "ending", "call"])
    op.create_index("ix_changes_organization_id_at_revision", "changes", ["organization_id", "at", "revision"])
    op.create_index("ix_changes_organization_id_who_revision", "changes", ["organization_id", "who", "revision"])
    op.create_index("ix_attendant_keys_organization_id_user_id", "attendant_keys", ["organization_id", "user_id"])
    op.create_index("ix_tokens_organization_id_user_id", "tokens", ["organization_id", "user_id"])
