"""Whose request it is: bearer tokens (RFC 6750 2.1), no cookies, so that no foreign page can act for anybody."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from offhook.domain.access import EVERYTHING, allows, of_provider_for
from offhook.domain.errors import Forbidden, Kind, Refusal, Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.deeds import RequestStore
from offhook.doors.api.house import House
from offhook.services.ports.store import Store
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
    return replace(house, store=RequestStore(house.store, getattr(request.state, "pending", None)))


Inside = Annotated[House, Depends(_house)]
"""The house whose door this is; its store knows which request it serves, so what goes on after the answer needs `app.state.house`."""


def _access(request: Request, house: Inside, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Access:
    if sent is None:
        raise Unauthenticated("Send an API token in the header: Authorization: Bearer TOKEN.")
    access = may_ask(authenticate(house.store, sent.credentials), request.method)
    if isinstance(house.store, RequestStore):
        house.store.visitor = access
    return access


def may_ask(access: Access, method: str) -> Access:
    """Who came in. Raises Forbidden for a program of the provider that may not ask so: every route is looked at here, by its method."""
    needed = of_provider_for(method)
    if access.organization is None and not allows(access.scopes, needed):
        raise Forbidden(f"This needs the scope {needed}; this token of the provider has not got it.")
    return access


async def visitor_of(store: Store, headers: Headers) -> Access | None:
    """Whose token stands in a request that no route has seen yet; None without a good one. Raises Unavailable."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return await run_in_threadpool(authenticate, store, token.strip())
    except Unauthenticated:
        return None


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


def provider(access: Visitor) -> Access:
    """Whoever looks after the whole system. Raises NotTheProvider."""
    return must_be_provider(access)


Provider = Annotated[Access, Depends(provider)]
"""Whoever looks after the whole system."""


class Needs:
    """A dependency that lets in who holds a scope; the provider holds none and all: what only an organization has refuses it by itself."""

    def __init__(self, scope: str) -> None:
        if scope not in EVERYTHING:
            raise ValueError(f"{scope} is no scope of domain.access")
        self.scope = scope

    def __call__(self, access: Visitor) -> Access:
        """Who came in. Raises Forbidden."""
        if access.organization is not None and not allows(access.scopes, self.scope):
            raise Forbidden(f"This needs the scope {self.scope}; your token or your role has not got it. Ask an administrator.")
        return access


def needs(scope: str) -> Any:
    """What a route says to name the scope it needs: `visitor: Annotated[Access, needs("users:write")]`, or in its `dependencies`."""
    return Depends(Needs(scope))
