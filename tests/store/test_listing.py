"""A page is found by an index, however many there are."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, ToUser
from offhook.domain.users import UserId
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import NewUser
from offhook.store.transaction import Database, Transaction


@pytest.fixture
def asked(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What was asked of the database."""
    if database.engine.dialect.name != "sqlite":
        pytest.skip("plans are told by SQLite here")
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            found.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def plans(database: Database, asked: list[tuple[str, Any]]) -> list[str]:
    """How SQLite goes about each statement that was asked, a line for each table."""
    with database.engine.connect() as connection:
        return [
            row[3] for statement, parameters in asked for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


QUESTIONS: dict[str, Any] = {
    "people": lambda inside: inside.users.page(Listing(50, (("username", False),), after=("m",))),
    "people by name": lambda inside: inside.users.page(Listing(50, (("name", False),), after=("Ada", "m"))),
    "people by extension": lambda inside: inside.users.page(Listing(50, (("extension", True),), after=("300", "m"))),
    "one of them": lambda inside: inside.users.by_username("anna"),
    "numbers": lambda inside: inside.numbers.page(Listing(50, (("number", False),), after=("+1206",))),
    "numbers of a user": lambda inside: inside.numbers.of(ToUser(UserId(1))),
    "telephones": lambda inside: inside.devices.page(Listing(50, (("id", False),), after=(7,))),
    "telephones of a user": lambda inside: inside.devices.all(UserId(1)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_is_read_whole_or_sorted_to_find_few(
    database: Database, lumen: OrganizationId, asked: list[tuple[str, Any]], question: str
) -> None:
    with database.change(lumen, "tests") as transaction:
        for n in range(3):
            user = transaction.users.add(NewUser(f"user{n}", f"Name {n}", "en", f"20{n}"))
            transaction.numbers.assign(E164(f"+1206555010{n}"), ToUser(user.id))
    asked.clear()
    with database.view(lumen) as inside:
        assert isinstance(inside, Transaction)
        QUESTIONS[question](inside)
    for line in plans(database, [each for each in asked if "organizations" not in each[0].split("FROM")[1]]):
        assert line.startswith(("SEARCH", "MULTI-INDEX", "INDEX", "LIST", "USE")), line
        assert "e164" not in line or question == "numbers" or "target" in line, f"all numbers are gone through: {line}"


def test_a_plan_that_reads_all_would_be_noticed(database: Database, asked: list[tuple[str, Any]]) -> None:
    with database.engine.connect() as connection:
        lines = [row[3] for row in connection.execute(text("EXPLAIN QUERY PLAN SELECT * FROM users ORDER BY email"))]
    assert lines[0].startswith("SCAN")
