"""What the provider offers: countries, the catalogue, prices."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All three are empty: the first products come at the start, and the provider's history tells so."""
    op.create_table(
        "countries",
        sa.Column("code", sa.String(2), nullable=False),
        sa.Column("served", sa.Boolean),
        sa.Column("services", sa.JSON, nullable=False),
        sa.Column("currency", sa.String(3)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_countries"),
    )
    op.create_table(
        "products",
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("name_en", sa.String(100), nullable=False),
        sa.Column("name_fr", sa.String(100), nullable=False),
        sa.Column("description_en", sa.String(500), nullable=False),
        sa.Column("description_fr", sa.String(500), nullable=False),
        sa.Column("needs", sa.String(40)),
        sa.Column("service", sa.String(30)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("sku", name="pk_products"),
    )
    op.create_table(
        "prices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("micros", sa.BigInteger),
        sa.Column("valid_from", sa.Float(53), nullable=False),
        sa.Column("made_up", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prices"),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name="fk_prices_sku"),
        sa.UniqueConstraint("sku", "country", "currency", "period", "valid_from", name="uq_prices_sku_country_currency_period_valid_from"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_prices_currency_country", "prices", ["currency", "country"])
