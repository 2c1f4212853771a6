"""Who may make whom an administrator: looked at in every change before it is committed, so that no way of changing people is left out."""

from offhook.domain.access import Role, may_give
from offhook.domain.errors import Conflict, Forbidden
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import Change, Transaction
from offhook.services.tokens import Access

USER = "user"
"""Their kind in the history."""


class LastAdministrator(Conflict):
    """Without this user nobody could let anybody in any more."""

    code = "role.last_administrator"


def must_be_given(transaction: Transaction, access: Access) -> None:
    """Whether whoever came in may change the roles that this transaction changed. Raises Forbidden, LastAdministrator.

    A role is given and taken by those who may do all it may, and so is the name that somebody with it signs in by. The last global
    administrator stays, unless a program's token for everything says otherwise: whoever holds that can make another one.
    """
    if transaction.revision is None or access.sovereign:
        return
    changed = transaction.history.in_revision(transaction.revision, USER)
    for change in changed:
        before, after = _role(change.before), _role(change.after)
        for role in (before, after) if before is not after else ():
            if not may_give(access.scopes, role):
                raise Forbidden(f"The role {role} is given and taken only by those who may do all that it may.", "role")
        if (field := _known_otherwise(change)) and not may_give(access.scopes, before):
            raise Forbidden(f"The {field} of somebody with the role {before} is changed only by those who may do all that it may.", field)
    gone = any(_role(change.before) is Role.GLOBAL is not _role(change.after) for change in changed)
    if gone and not _has_administrator(transaction):
        raise LastAdministrator("This is the last global administrator; make somebody else one first.", "role")


def _known_otherwise(change: Change) -> str | None:
    """What of that by which an administrator is known another one has changed."""
    if change.before is None or change.after is None:
        return None
    return next((name for name in ("username", "email") if change.before.get(name) != change.after.get(name)), None)


def _role(row: object) -> Role | None:
    told = row.get("role") if isinstance(row, dict) else None
    return Role(told) if told else None


def _has_administrator(transaction: Transaction) -> bool:
    return bool(transaction.users.page(Listing(1, equal={"role": Role.GLOBAL.value})).items)
