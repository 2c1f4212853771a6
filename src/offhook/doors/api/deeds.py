"""The store as one request sees it: it notes what revision the request made, and keeps the request's idempotency key with the change."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from offhook.domain.access import allows
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import ProviderTransaction, Store, Transaction
from offhook.services.roles import must_be_given
from offhook.services.tokens import Access


@dataclass(slots=True)
class Pending:
    """A request that named an idempotency key and is being answered. `written` once its change is committed, the key with it.

    Without an `organization` it is the provider's.
    """

    organization: OrganizationId | None
    key: str
    fingerprint: str
    written: bool = False
    over: bool = False


class RequestStore:
    """services.ports.store.Store for one request. `revision` is that of its last change, None while there was none.

    `organization` is whose change it was, None for what is the provider's.
    """

    def __init__(self, store: Store, pending: Pending | None = None) -> None:
        self._store = store
        self._pending = pending
        self.revision: int | None = None
        self.visitor: Access | None = None
        """Who came in, once that is known: nobody makes an administrator of more than they are."""
        self.organization: OrganizationId | None = None

    @contextmanager
    def change(self, organization: OrganizationId, who: str) -> Iterator[Transaction]:
        pending = self._to_keep(organization)
        with self._store.change(organization, who) as transaction:
            yield transaction
            if self.visitor is not None:
                must_be_given(transaction, self.visitor)
            # Last in the transaction: a change that is refused leaves no key behind, one that is committed always does.
            if pending is not None:
                transaction.answers.keep(pending.key, pending.fingerprint)
            revision = transaction.revision or transaction.profile().revision
        self._committed(organization, revision, pending)

    @contextmanager
    def trial(self, organization: OrganizationId) -> Iterator[Transaction]:
        with self._store.trial(organization) as transaction:
            yield transaction
            # Who may change nobody plans what others will do.
            if self.visitor is not None and allows(self.visitor.scopes, "users:write"):
                must_be_given(transaction, self.visitor)

    def view(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        return self._store.view(organization)

    @contextmanager
    def provider_change(self, who: str) -> Iterator[ProviderTransaction]:
        pending = self._to_keep(None)
        with self._store.provider_change(who) as provider:
            yield provider
            if pending is not None:
                provider.answers.keep(pending.key, pending.fingerprint)
            revision = provider.revision
        self._committed(None, revision, pending)

    def provider_view(self) -> AbstractContextManager[ProviderTransaction]:
        return self._store.provider_view()

    def _to_keep(self, organization: OrganizationId | None) -> Pending | None:
        """The key that is to be committed with a change of theirs, None when there is none."""
        pending = self._pending
        ours = pending is not None and not pending.written and not pending.over and pending.organization == organization
        return pending if ours else None

    def _committed(self, organization: OrganizationId | None, revision: int | None, pending: Pending | None) -> None:
        self.revision, self.organization = revision, organization
        if pending is not None:
            pending.written = True
