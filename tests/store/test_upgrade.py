"""What any earlier release kept is there after the upgrade, on both databases."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, inspect, text

from offhook.domain.errors import Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose, ToAttendant, ToUser
from offhook.services.ports.store import Credential, NewUser
from offhook.store.engine import open_engine
from offhook.store.migrate import known_revisions, migrate, newest_revision
from offhook.store.transaction import Database

LUMEN, PINE, PROBE = OrganizationId(1), OrganizationId(2), OrganizationId(3)
ANNA, BEN = Credential("a" * 32, "1" * 64), Credential("b" * 32, "2" * 64)

FIRST_RELEASE: dict[str, list[dict[str, Any]]] = {
    "organizations": [
        {
            "id": 1,
            "name": "Lumen",
            "domain": "lumen.test",
            "country": "US",
            "purpose": "customer",
            "main_number": "+12065550100",
            "revision": 7,
        },
        {"id": 2, "name": "Pine", "domain": "pine.test", "country": "GB", "purpose": "sandbox", "main_number": None, "revision": 2},
        {"id": 3, "name": "Probe", "domain": "probe.test", "country": "US", "purpose": "probe", "main_number": None, "revision": 0},
    ],
    "users": [
        {"id": 1, "organization_id": 1, "username": "anna", "name": "Anna", "language": "en", "extension": "101"},
        {"id": 2, "organization_id": 1, "username": "ben", "name": "Ben", "language": "fr", "extension": None},
        {"id": 3, "organization_id": 2, "username": "anna", "name": "Anna Pine", "language": "en", "extension": "101"},
    ],
    "credentials": [
        {"organization_id": 1, "user_id": 1, "ha1_md5": ANNA.ha1_md5, "ha1_sha256": ANNA.ha1_sha256},
        {"organization_id": 2, "user_id": 3, "ha1_md5": BEN.ha1_md5, "ha1_sha256": BEN.ha1_sha256},
    ],
    "attendants": [
        {
            "id": 1,
            "organization_id": 1,
            "name": "Reception",
            "language": "en",
            "extension": "100",
            "greeting": "Hello — “you”.",
            "rounds": 3,
            "patience_seconds": 5,
        },
    ],
    "attendant_keys": [
        {"organization_id": 1, "attendant_id": 1, "key": "1", "user_id": 1},
        {"organization_id": 1, "attendant_id": 1, "key": "#", "user_id": 2},
    ],
    "numbers": [
        {"e164": "+12065550100", "organization_id": 1, "target_kind": "attendant", "target_id": 1},
        {"e164": "+12065550101", "organization_id": 1, "target_kind": "user", "target_id": 1},
    ],
    "carriers": [{"name": "sandbox", "host": "127.0.2.1", "port": 5080, "sandbox": True, "is_default": True}],
    "tokens": [
        {"hash": "p" * 64, "organization_id": None, "label": "provider", "expires_at": None},
        {"hash": "t" * 64, "organization_id": 1, "label": "lumen's", "expires_at": 1_900_000_000.5},
        {"hash": "u" * 64, "organization_id": 2, "label": "pine's", "expires_at": None},
    ],
    "invitations": [{"hash": "i" * 64, "expires_at": 1_900_000_000.0}],
    "changes": [
        {
            "organization_id": 1,
            "revision": 7,
            "seq": 0,
            "kind": "users",
            "object_id": "2",
            "before": json.dumps({"name": "B"}),
            "after": json.dumps({"name": "Ben"}),
            "who": "ada",
            "at": 1_700_000_000.0,
        },
    ],
    "cdrs": [
        {
            "call": "1hf7yatz8000001",
            "organization_id": 1,
            "revision": 7,
            "started_at": 1.5,
            "answered_at": None,
            "ended_at": 2.5,
            "caller": "anna",
            "dialled": "102",
            "connected": None,
            "direction": "internal",
            "ending": "completed.by_caller",
            "figures": "[]",
            "findings": "[]",
        },
    ],
    "traces": [{"call": "1hf7yatz8000001", "organization_id": 1, "packed": b"\x78\x9c\xab\xae\x05\x00\x01u\x00\xf9"}],
}
"""A row of everything, as the first release wrote them."""

ADDED: dict[str, dict[str, list[dict[str, Any]]]] = {
    "0002": {
        "passwords": [{"organization_id": 1, "user_id": 1, "hash": "$argon2id$x", "version": 8}],
        "tokens": [
            {"hash": "s" * 64, "label": "anna, signed in", "scopes": ["users:read"], "user_id": 1, "expires_at": 1_900_000_000.5}
            | {"organization_id": 1, "made_at": 1_700_000_000.0, "version": 8},
        ],
        "jobs": [
            {"id": 1, "organization_id": 1, "kind": "import-users", "state": "done", "who": "ada", "made_at": 1.5, "ended_at": 2.5}
            | {"total": 1, "done": 1, "results": {"created": 1}, "revision": 8, "explanation": None, "options": {"dry_run": False}},
        ],
        "job_inputs": [{"organization_id": 1, "job_id": 1, "wanted": b"username,name"}],
        "job_rows": [
            {"organization_id": 1, "job_id": 1, "row": 2, "state": "created", "object_id": "anna"}
            | {"code": None, "field": None, "explanation": None},
        ],
        "answers": [
            {
                "organization_id": 1,
                "key": "k",
                "fingerprint": "f" * 64,
                "status": 201,
                "headers": {"etag": '"8"'},
                "body": b"{}",
                "at": 1.5,
            },
        ],
        "webhooks": [
            {
                "id": 1,
                "organization_id": 1,
                "url": "https://crm.example.com/",
                "events": ["*"],
                "secret": "x",
                "enabled": True,
                "version": 8,
            },
        ],
        "deliveries": [
            {"id": 1, "organization_id": 1, "webhook_id": 1, "event": "change-8-0", "kind": "user.changed", "body": "{}", "state": "failed"}
            | {"attempts": 3, "next_at": 1.5, "made_at": 0.5, "last_status": 500, "last_error": "it answered 500"},
        ],
        "cursors": [{"organization_id": 1, "consumer": "switch", "revision": 8, "at": 1.5}],
    },
    "0003": {
        "organizations": [
            {"id": 4, "name": "Gone", "domain": "4.closed.invalid", "country": "US", "purpose": "customer", "main_number": None}
            | {"time_zone": "UTC", "revision": 3, "version": 3, "whole_since": 1, "closed_at": 1_700_000_000.5},
        ],
    },
    "0004": {
        "provider_changes": [
            {"revision": 5, "seq": 0, "kind": "carrier", "object_id": "north", "organization_id": None, "before": None}
            | {"after": {"name": "north"}, "who": "provider", "at": 1.5},
        ],
        "provider_answers": [{"key": "k", "fingerprint": "f" * 64, "status": 201, "headers": {"etag": '"8"'}, "body": b"{}", "at": 1.5}],
    },
    "0007": {
        "countries": [{"code": "IS", "served": True, "services": {"credits": True}, "currency": "EUR", "version": 6}],
        "products": [
            {"sku": "night-line", "kind": "add_on", "state": "on_sale", "name_en": "Night line", "name_fr": "Ligne de nuit", "version": 6}
            | {"description_en": "", "description_fr": "", "needs": None, "service": None},
        ],
        "prices": [
            {"id": 1, "sku": "night-line", "country": "", "currency": "EUR", "period": "month", "micros": 9_900_000, "version": 6}
            | {"valid_from": 1.5, "made_up": False},
        ],
    },
}
"""What the tables of a later release had room for."""

EARLIER = sorted(known_revisions() - {newest_revision()})
_NUMBERED = ("organizations", "users", "attendants", "tokens", "jobs", "webhooks", "deliveries")


def of_release(url: str, revision: str) -> None:
    """Make a database with a row of everything that a release with these tables kept; it came from the first one."""
    first_release(url)
    for later in (each for each in EARLIER if "0001" < each <= revision):
        migrate(url, later)
        engine = open_engine(url)
        known = MetaData()
        known.reflect(engine)
        with engine.begin() as connection:
            for table, rows in ADDED.get(later, {}).items():
                connection.execute(known.tables[table].insert(), rows)
            set_sequences(connection)
        engine.dispose()


def first_release(url: str) -> None:
    migrate(url, "0001")
    engine = open_engine(url)
    with engine.begin() as connection:
        for table, rows in FIRST_RELEASE.items():
            names = ", ".join(rows[0])
            values = ", ".join(f"CAST(:{name} AS JSON)" if _is_json(name, engine.dialect.name) else f":{name}" for name in rows[0])
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), rows)
        set_sequences(connection)
    engine.dispose()


def set_sequences(connection: Connection) -> None:
    """PostgreSQL numbers what comes next by itself, and does not see numbers that were given."""
    if connection.dialect.name != "postgresql":
        return
    there = inspect(connection).get_table_names()
    for table in (table for table in _NUMBERED if table in there):
        sequence = (
            connection.execute(text(f"SELECT pg_get_serial_sequence('{table}', 'id')")).scalar() if has_id(connection, table) else None
        )
        if sequence:
            connection.execute(text(f"SELECT setval('{sequence}', (SELECT coalesce(max(id), 1) FROM {table}))"))


def has_id(connection: Connection, table: str) -> bool:
    return any(column["name"] == "id" for column in inspect(connection).get_columns(table))


@pytest.fixture(params=EARLIER)
def upgraded(url: str, request: pytest.FixtureRequest) -> Database:
    of_release(url, request.param)
    migrate(url)
    return Database.at(url)


def all_rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in an order of their own."""
    engine, known = open_engine(url), MetaData()
    known.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: [dict(row) for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()]
            for name, table in known.tables.items()
        }
    engine.dispose()
    return found


@pytest.mark.parametrize("revision", [each for each in EARLIER if each > "0001"])
def test_every_row_of_a_later_release_is_there_with_all_it_had(url: str, revision: str) -> None:
    of_release(url, revision)
    before = all_rows(url)
    del before["alembic_version"]
    assert all(before.values()), f"this test has no row in {[name for name, rows in before.items() if not rows]}"
    migrate(url)
    after = all_rows(url)
    # What entered the stock is told there.
    before.pop("provider", None)
    for every in (before, after):
        every["provider_changes"] = [line for line in every.get("provider_changes", []) if line["who"] != "upgrade"]
    for table, rows in ((table, rows) for table, rows in before.items() if rows):
        kept = [{name: value for name, value in row.items() if name in rows[0]} for row in after[table]]
        assert kept == rows, table


def test_what_was_closed_before_is_taken_for_emptied(url: str) -> None:
    of_release(url, "0003")
    migrate(url)
    (gone,) = (row for row in all_rows(url)["organizations"] if row["id"] == 4)
    assert gone["emptied_at"] == gone["closed_at"] == 1_700_000_000.5
    database = Database.at(url)
    with database.provider_view() as provider:
        assert provider.organizations.to_empty() == [] and provider.tokens.by_hash("s" * 64)
    database.close()


@pytest.mark.parametrize("revision", [each for each in EARLIER if each < "0006"])
@pytest.mark.parametrize("default", [True, False])
def test_what_is_in_use_enters_the_stock_by_the_default_carrier(url: str, revision: str, default: bool) -> None:
    of_release(url, revision)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE carriers SET is_default = :default"), {"default": default})
        more = "INSERT INTO numbers (e164, organization_id, target_kind, target_id{}) VALUES (:e164, 2, 'user', 3{})"
        version = ("", "") if revision == "0001" else (", version", ", 0")
        for e164 in ("+18005550101", "+447400123456", "+447700900123", "+99912"):
            connection.execute(text(more.format(*version)), {"e164": e164})
    engine.dispose()
    migrate(url)
    carrier = "sandbox" if default else None
    whole = {"carrier": carrier, "locality": "", "withheld": None}
    rows = all_rows(url)
    told = {row["e164"]: (row["country"], row["kind"]) for row in rows["stock"]}
    # The plan does not know the last two: they are of the organization's country.
    assert told == {
        "+12065550100": ("US", "geographic"),
        "+12065550101": ("US", "geographic"),
        "+18005550101": ("US", "toll_free"),
        "+447400123456": ("GB", "mobile"),
        "+447700900123": ("GB", "geographic"),
        "+99912": ("GB", "geographic"),
    }
    lines = {line["object_id"]: line for line in rows["provider_changes"] if line["who"] == "upgrade"}
    (at,) = {line["revision"] for line in lines.values()}
    assert rows["provider"][0]["revision"] == at
    for row in rows["stock"]:
        assert {name: row[name] for name in whole} == whole and row["version"] == at
        assert lines[row["e164"]]["after"] == {name: value for name, value in row.items() if name != "version"}
        assert (lines[row["e164"]]["kind"], lines[row["e164"]]["before"]) == ("stock_number", None)
    database = Database.at(url)
    with database.provider_view() as provider:
        assert provider.stock.held([E164("+12065550101")])[E164("+12065550101")].domain == "lumen.test"
    database.close()


def test_an_installation_without_numbers_has_an_empty_stock_and_no_line(url: str) -> None:
    migrate(url, EARLIER[-1])
    migrate(url)
    rows = all_rows(url)
    assert (rows["stock"], rows["provider_changes"], rows["provider"][0]["revision"]) == ([], [], 0)


def _is_json(name: str, dialect: str) -> bool:
    return dialect == "postgresql" and name in ("before", "after", "figures", "findings")


def test_people_telephones_attendants_and_numbers_are_all_there(upgraded: Database) -> None:
    with upgraded.view(LUMEN) as lumen:
        profile = lumen.profile()
        assert (profile.name, profile.domain, profile.country, profile.main_number) == ("Lumen", "lumen.test", "US", E164("+12065550100"))
        assert (profile.purpose, profile.time_zone, profile.revision) == (Purpose.CUSTOMER, "UTC", 8)
        anna, ben = lumen.users.all()
        assert (anna.username, anna.extension, anna.number, ben.extension, ben.language, ben.role) == (
            "anna",
            "101",
            "+12065550101",
            None,
            "fr",
            None,
        )
        (telephone,) = lumen.devices.all()
        assert (telephone.user, telephone.sip_username, lumen.devices.credential(telephone.id)) == (anna.id, "anna", ANNA)
        (reception,) = lumen.attendants.all()
        assert (reception.greeting, reception.keys) == ("Hello — “you”.", {"1": anna.id, "#": ben.id})
        assert lumen.numbers.all() == {E164("+12065550100"): ToAttendant(reception.id), E164("+12065550101"): ToUser(anna.id)}
        (cdr,) = lumen.calls.page(9, None)
        assert (cdr.caller, cdr.started_at, lumen.calls.trace(cdr.call)) == ("anna", 1.5, {})
    with upgraded.view(PINE) as pine:
        (telephone,) = pine.devices.all()
        assert pine.devices.credential(telephone.id) == BEN
    upgraded.close()


def test_tokens_still_open_what_they_opened(upgraded: Database) -> None:
    with upgraded.provider_view() as provider:
        own, lumens, pines = (provider.tokens.by_hash(letter * 64) for letter in "ptu")
        assert own and own.organization is None and own.label == "provider"
        assert lumens and (lumens.organization, lumens.label, lumens.expires_at, lumens.scopes) == (
            LUMEN,
            "lumen's",
            1_900_000_000.5,
            frozenset("*"),
        )
        assert pines and (pines.organization, pines.expires_at, pines.user) == (PINE, None, None)
        (carrier,) = provider.carriers.all()
        assert (carrier.carrier.host, carrier.sandbox, carrier.default, carrier.version) == ("127.0.2.1", True, True, 0)
        assert [each.id for each in provider.tokens.of_provider()] == [own.id]
        assert len([line for line in provider.history.page(9) if line.kind != "stock_number"]) <= 1
        # What entered the stock was its first revision.
        (entered,) = {line.revision for line in provider.history.page(9) if line.kind == "stock_number"}
    with upgraded.provider_change("tests") as provider:
        invitation = provider.invitations.use("i" * 64, 1_800_000_000.0)
        assert invitation and invitation.organization is None and (entered, provider.revision) == (1, 2)
    upgraded.close()


def test_history_is_whole_from_the_upgrade_on_and_says_so_before(upgraded: Database) -> None:
    with upgraded.view(LUMEN) as lumen:
        now, then = lumen.configured(), lumen.configured(8)
        assert then.users == now.users and then.devices == now.devices and then.numbers == now.numbers
        assert then.attendants == now.attendants and then.profile == now.profile
        with pytest.raises(Missing, match="older form"):
            lumen.configured(7)
        with pytest.raises(Missing, match="no revision 9"):
            lumen.configured(9)
        assert lumen.history.since(0)[0].revision == 7
        told = json.dumps([change.after for change in lumen.history.since(7)])
        assert ANNA.ha1_md5 not in told and "t" * 64 not in told
    with upgraded.change(LUMEN, "ada") as lumen:
        lumen.users.change(lumen.users.all()[0].id, extension="111")
        chloe = lumen.users.add(NewUser("chloe", "Chloé", "fr", "103"))
    with upgraded.view(LUMEN) as lumen:
        assert [user.extension for user in lumen.configured(8).users] == ["101", None]
        assert [user.extension for user in lumen.configured(9).users] == ["111", None, "103"]
        assert chloe.id > 3
    with upgraded.view(PROBE) as probe:
        assert probe.profile().revision == 1 and probe.configured(1).users == []
    upgraded.close()
