"""The auto attendants of an organization."""

from offhook.domain.attendants import Attendant
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import Store


def list_attendants(store: Store, organization: OrganizationId) -> list[Attendant]:
    """Every attendant, by name. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.attendants.all()
