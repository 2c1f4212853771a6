"""The provider's stock of numbers: what organizations have must stand in it."""

import time

import phonenumbers
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ROWS_AT_ONCE = 5_000
_KINDS = {
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.TOLL_FREE: "toll_free",
    phonenumbers.PhoneNumberType.FIXED_LINE: "geographic",
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: "geographic",
    # Of no plan that is known: most numbers are of a place.
    phonenumbers.PhoneNumberType.UNKNOWN: "geographic",
}

_stock = sa.table("stock", *(sa.column(name) for name in ("e164", "carrier", "country", "kind", "locality", "withheld", "version")))
_changes = sa.table(
    "provider_changes",
    *(sa.column(name) for name in ("revision", "seq", "kind", "object_id", "who", "at")),
    sa.column("after", sa.JSON),
)


def upgrade() -> None:
    """What is in use enters it, by the carrier that calls go out by; without one nobody knows by whom a number comes."""
    op.create_table(
        "stock",
        sa.Column("e164", sa.String(16), nullable=False),
        sa.Column("carrier", sa.String(100)),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("locality", sa.String(100), nullable=False),
        sa.Column("withheld", sa.String(200)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("e164", name="pk_stock"),
        sa.ForeignKeyConstraint(["carrier"], ["carriers.name"], name="fk_stock_carrier"),
        sa.CheckConstraint("kind IN ('geographic', 'toll_free', 'mobile', 'national')", name="ck_stock_kind"),
    )
    _take_in_what_is_in_use()
    op.create_index("ix_stock_country_kind_e164", "stock", ["country", "kind", "e164"])
    op.create_index("ix_stock_carrier_e164", "stock", ["carrier", "e164"])
    if op.get_bind().dialect.name == "sqlite":
        _numbers_anew()
    else:
        op.create_foreign_key("fk_numbers_e164", "numbers", "stock", ["e164"], ["e164"], ondelete="RESTRICT")


def _take_in_what_is_in_use() -> None:
    """One revision of the provider's, with a line for each number."""
    database = op.get_bind()
    in_use = "SELECT n.e164, o.country FROM numbers n JOIN organizations o ON o.id = n.organization_id ORDER BY n.e164"
    rows = database.execute(sa.text(in_use)).fetchall()
    if not rows:
        return
    carrier = database.execute(sa.text("SELECT name FROM carriers WHERE is_default")).scalar()
    taken = database.execute(sa.text("UPDATE provider SET revision = revision + 1 RETURNING revision")).scalar_one()
    same = {"revision": taken, "kind": "stock_number", "who": "upgrade", "at": time.time()}
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[begin : begin + _ROWS_AT_ONCE]
        entered = [{"e164": e164, "carrier": carrier, "locality": "", "withheld": None} | _derived(e164, country) for e164, country in some]
        lines = [same | {"seq": begin + place, "object_id": row["e164"], "after": row} for place, row in enumerate(entered)]
        # With something to return many rows go in one statement, for which PostgreSQL's driver needs no journey each.
        database.execute(_stock.insert().returning(_stock.c.e164), [row | {"version": taken} for row in entered])
        database.execute(_changes.insert().returning(_changes.c.seq), lines)


def _derived(e164: str, country: str) -> dict[str, str]:
    """What the numbering plan says of a number, else that it is of the organization's country."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return {"country": country, "kind": "geographic"}
    region = phonenumbers.region_code_for_number(number)
    kind = _KINDS.get(phonenumbers.number_type(number), "national")
    # Of numbers of no country the plan says 001; a closed organization whose records are erased has none either.
    return {"country": region if region and region.isalpha() else country or "US", "kind": kind}


def _numbers_anew() -> None:
    """SQLite adds no reference to a table that is there."""
    for index in ("organization_id_target_kind_target_id", "organization_id_e164"):
        op.drop_index(f"ix_numbers_{index}", "numbers")
    op.rename_table("numbers", "numbers_before")
    op.create_table(
        "numbers",
        sa.Column("e164", sa.String(16), nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("target_kind", sa.String(20)),
        sa.Column("target_id", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("e164", name="pk_numbers"),
        sa.ForeignKeyConstraint(["e164"], ["stock.e164"], name="fk_numbers_e164", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_numbers_organization_id"),
        sa.CheckConstraint("target_kind IN ('user', 'attendant')", name="ck_numbers_target_kind"),
    )
    names = "e164, organization_id, target_kind, target_id, version"
    op.execute(f"INSERT INTO numbers ({names}) SELECT {names} FROM numbers_before ORDER BY e164")
    op.drop_table("numbers_before")
    op.create_index("ix_numbers_organization_id_target_kind_target_id", "numbers", ["organization_id", "target_kind", "target_id"])
    op.create_index("ix_numbers_organization_id_e164", "numbers", ["organization_id", "e164"])
