"""Transactions: one organization's, or the provider's. One request is one transaction, committed when its block ends."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from offhook.domain.errors import Conflict, Invalid, Missing, Unavailable
from offhook.domain.jobs import JobId
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.delta import Delta, SignIn
from offhook.services.ports.store import Configuration, Configured, Lag, Profile
from offhook.store import tables
from offhook.store.answers import Answers
from offhook.store.attendants import Attendants
from offhook.store.calls import Calls
from offhook.store.carriers import Carriers
from offhook.store.catalogue import Countries, CountryWords, Prices, Products
from offhook.store.configuration import read_configuration, read_configured, read_configured_as_of
from offhook.store.delta import read_delta, read_sign_ins
from offhook.store.engine import READS_ONLY, has_collided, is_away, open_engine, was_unfit, words_of
from offhook.store.history import History
from offhook.store.invitations import Invitations
from offhook.store.jobs import Jobs, unfinished_jobs
from offhook.store.lag import read_lags
from offhook.store.mails import AllMails, OwnMails, ProviderMails
from offhook.store.numbers import Numbers
from offhook.store.organizations import Organizations, profile_of
from offhook.store.people import People
from offhook.store.provider import ProviderHistory, ProviderScope
from offhook.store.scope import Scope
from offhook.store.stock import Stock
from offhook.store.tokens import AllTokens, Tokens
from offhook.store.users import Devices, Users
from offhook.store.webhooks import AllWebhooks, Webhooks


class Transaction:
    """What one organization owns; services.ports.store.Transaction."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.organization = scope.organization
        self.users = Users(scope)
        self.devices = Devices(scope)
        self.attendants = Attendants(scope)
        self.numbers = Numbers(scope)
        self.tokens = Tokens(scope)
        self.history = History(scope)
        self.webhooks = Webhooks(scope)
        self.answers = Answers(scope.connection, scope.organization)
        self.jobs = Jobs(scope)
        self.people = People(scope)
        self.calls = Calls(scope.connection, scope.organization)
        self.countries = CountryWords(scope.connection)
        self.mails = OwnMails(scope)

    @property
    def revision(self) -> int | None:
        return self._scope.revision_taken

    def profile(self) -> Profile:
        own = self._scope.row(tables.organizations)
        assert own is not None
        return profile_of(own)

    def change_profile(self, **values: Any) -> None:
        number = values.get("main_number")
        if number is not None and not self._scope.has(tables.numbers, tables.numbers.c.e164 == number):
            raise Missing(f"{number} is not one of the organization's numbers.", "main_number")
        self._scope.update(tables.organizations, **values)

    def delta(self, since: int) -> Delta:
        return read_delta(self._scope, since)

    def configured(self, revision: int | None = None) -> Configured:
        return read_configured(self._scope) if revision is None else read_configured_as_of(self._scope, revision)


class ProviderTransaction:
    """The provider's tables; services.ports.store.ProviderTransaction."""

    def __init__(self, connection: Connection, who: str, *, writes: bool) -> None:
        self._connection = connection
        self._who = who
        self._writes = writes
        self._inside: dict[OrganizationId, Transaction] = {}
        self._scope = ProviderScope(connection, who, writes=writes)
        self.organizations = Organizations(self._scope)
        self.carriers = Carriers(self._scope)
        self.stock = Stock(self._scope)
        self.countries = Countries(self._scope)
        self.products = Products(self._scope)
        self.prices = Prices(self._scope)
        self.tokens = AllTokens(self._scope)
        self.invitations = Invitations(self._scope)
        self.history = ProviderHistory(self._scope)
        self.webhooks = AllWebhooks(connection)
        self.answers = Answers(connection, None)
        self.calls = Calls(connection, None)
        self.mails = ProviderMails(self._scope)
        self.all_mails = AllMails(connection)

    @property
    def revision(self) -> int | None:
        return self._scope.revision_taken

    def inside(self, organization: OrganizationId) -> Transaction:
        if organization not in self._inside:
            self._inside[organization] = Transaction(Scope(self._connection, organization, self._who, writes=self._writes))
        return self._inside[organization]

    def configuration(self) -> Configuration:
        return read_configuration(self._connection)

    def unfinished_jobs(self) -> list[tuple[OrganizationId, JobId]]:
        return unfinished_jobs(self._connection)

    def lags(self) -> dict[str, Lag]:
        return read_lags(self._connection)

    def sign_ins(self) -> dict[OrganizationId, dict[str, SignIn]]:
        return read_sign_ins(self._connection)


@contextmanager
def transaction_for(engine: Engine, organization: OrganizationId, who: str) -> Iterator[Transaction]:
    """One organization's transaction that may write, in the name of `who`. Raises Missing, Conflict, Unavailable."""
    with _connection(engine, writes=True) as connection:
        yield Transaction(Scope(connection, organization, who, writes=True))


@contextmanager
def trial_for(engine: Engine, organization: OrganizationId) -> Iterator[Transaction]:
    """One organization's transaction that may write and is taken back when its block ends. Raises Missing, Conflict, Unavailable."""
    with _connection(engine, writes=True) as connection:
        yield Transaction(Scope(connection, organization, "", writes=True))
        connection.rollback()


@contextmanager
def view_of(engine: Engine, organization: OrganizationId) -> Iterator[Transaction]:
    """One organization's transaction that only reads. Raises Missing, Unavailable."""
    with _connection(engine, writes=False) as connection:
        yield Transaction(Scope(connection, organization, "", writes=False))


@contextmanager
def provider_transaction(engine: Engine, who: str) -> Iterator[ProviderTransaction]:
    """The provider's transaction that may write, in the name of `who`. Raises Conflict, Unavailable."""
    with _connection(engine, writes=True) as connection:
        yield ProviderTransaction(connection, who, writes=True)


@contextmanager
def provider_view(engine: Engine) -> Iterator[ProviderTransaction]:
    """The provider's transaction that only reads. Raises Unavailable."""
    with _connection(engine, writes=False) as connection:
        yield ProviderTransaction(connection, "", writes=False)


@contextmanager
def _connection(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    try:
        with engine.connect() as connection, connection.execution_options(**{READS_ONLY: not writes}), connection.begin():
            yield connection
    except PoolExhausted as busy:
        raise Unavailable("The database is asked more than it can answer; try again in a moment.") from busy
    except DBAPIError as error:
        if has_collided(error):
            raise Conflict("Somebody else took the same thing at this moment; try again.") from error
        if was_unfit(error):
            raise Invalid(f"The database cannot keep that: {words_of(error)}.") from error
        if is_away(error):
            raise Unavailable(f"The database does not answer ({words_of(error)}). {what_to_look_at(engine)}") from error
        raise


def what_to_look_at(engine: Engine) -> str:
    """What whoever keeps the system does when its database is away."""
    if engine.dialect.name == "postgresql":
        return "Check that the server runs, can be reached, lets Offhook in and has room; calls go on meanwhile."
    return "Check that its disk is there, not full, and writable."


class Database:
    """services.ports.store.Store on an engine of SQLAlchemy."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def at(cls, url: str) -> Self:
        """The database at `url`; its tables must be there (migrate.migrate)."""
        return cls(open_engine(url))

    def change(self, organization: OrganizationId, who: str) -> AbstractContextManager[Transaction]:
        return transaction_for(self.engine, organization, who)

    def trial(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        return trial_for(self.engine, organization)

    def view(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        return view_of(self.engine, organization)

    def provider_change(self, who: str) -> AbstractContextManager[ProviderTransaction]:
        return provider_transaction(self.engine, who)

    def provider_view(self) -> AbstractContextManager[ProviderTransaction]:
        return provider_view(self.engine)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()
