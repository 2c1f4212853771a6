"""Who may make whom an administrator: looked at in every change before it is committed, so that no way of changing people is left out."""

from offhook.domain.access import Role, may_give
from offhook.domain.errors import Conflict, Forbidden
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import Transaction
from offhook.services.tokens import Access

USER = "user"
"""Their kind in the history."""


class LastAdministrator(Conflict):
    """Without this user nobody could let anybody in any more."""

    code = "role.last_administrator"


def must_be_given(transaction: Transaction, access: Access) -> None:
    """Whether whoever came in may change the roles that this transaction changed. Raises Forbidden, LastAdministrator.

    A role is given and taken by those who may do all it may. The last global administrator stays, unless a program's token for everything
    says otherwise: whoever holds that can make another one.
    """
    if transaction.revision is None or access.sovereign:
        return
    changed = [(_role(change.before), _role(change.after)) for change in transaction.history.in_revision(transaction.revision, USER)]
    for before, after in changed:
        for role in (before, after) if before is not after else ():
            if not may_give(access.scopes, role):
                raise Forbidden(f"The role {role} is given and taken only by those who may do all that it may.", "role")
    if any(before is Role.GLOBAL is not after for before, after in changed) and not _has_administrator(transaction):
        raise LastAdministrator("This is the last global administrator; make somebody else one first.", "role")


def _role(row: object) -> Role | None:
    told = row.get("role") if isinstance(row, dict) else None
    return Role(told) if told else None


def _has_administrator(transaction: Transaction) -> bool:
    return bool(transaction.users.page(Listing(1, equal={"role": Role.GLOBAL.value})).items)
