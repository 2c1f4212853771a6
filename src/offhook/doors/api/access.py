"""Whose request it is: bearer tokens (RFC 6750 2.1), no cookies, so that no foreign page can act for anybody."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from offhook.domain.errors import Kind, Refusal, Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.house import House
from offhook.services.tokens import Access, authenticate


class NotTheProvider(Refusal):
    """An organization's token was used for what concerns all of them."""

    code, kind = "access.not_the_provider", Kind.FORBIDDEN


class NoOrganization(Refusal):
    """The provider's token was used where an organization's is needed."""

    code, kind = "access.no_organization", Kind.FORBIDDEN


bearer = HTTPBearer(
    auto_error=False, description="An API token: `api.token` in sandbox.json, or the one shown when an organization is created."
)


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


Inside = Annotated[House, Depends(_house)]
"""The house whose door this is."""


def _access(house: Inside, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Access:
    if sent is None:
        raise Unauthenticated("Send an API token in the header: Authorization: Bearer TOKEN.")
    return authenticate(house.store, sent.credentials)


Visitor = Annotated[Access, Depends(_access)]
"""Whoever has a valid token: an organization, or the provider."""


def _organization(access: Visitor) -> OrganizationId:
    if access.organization is None:
        raise NoOrganization("This is the provider's token; this asks for one of an organization.")
    return access.organization


Own = Annotated[OrganizationId, Depends(_organization)]
"""The organization whose token it is; what is another's does not exist for it."""


def must_be_provider(access: Access) -> Access:
    """The provider. Raises NotTheProvider."""
    if access.organization is not None:
        raise NotTheProvider("This concerns every organization: use the provider's token (provider.token in the data folder).")
    return access


def _provider(access: Visitor) -> Access:
    return must_be_provider(access)


Provider = Annotated[Access, Depends(_provider)]
"""Whoever looks after the whole system."""
