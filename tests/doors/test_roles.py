"""What each role may do, asked of every route the API has; and who may make whom an administrator."""

import re
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from offhook.domain.access import Role, scopes_of
from offhook.domain.errors import Conflict, Forbidden
from offhook.domain.users import UserId
from offhook.doors.api.access import Needs
from offhook.doors.api.app import API, OURS
from offhook.doors.api.deeds import RequestStore
from offhook.services.roles import LastAdministrator
from offhook.services.secrets import new_token, token_hash
from offhook.services.tokens import authenticate
from offhook.services.users import add_user, change_user, remove_user
from tests.doors.rooms import World
from tests.doors.test_isolation import OF_THE_PROVIDER as THE_PROVIDERS

FOR_EVERYBODY = {("POST", "/sign-in"), ("POST", "/sign-out"), ("GET", "/me"), ("GET", "/healthz")}
LOOKED_AT_INSIDE = {("GET", "/events"), ("PUT", "/users/{username}/sign-in")}
"""What they need depends on what is asked: tests of their own."""
OF_THE_PROVIDER = {(method.upper(), path.removeprefix(API)) for method, path in THE_PROVIDERS if path.startswith(API)}


def needed(dependant: Dependant) -> Iterator[str]:
    if isinstance(dependant.call, Needs):
        yield dependant.call.scope
    for inner in dependant.dependencies:
        yield from needed(inner)


def routes() -> dict[tuple[str, str], set[str]]:
    """Every route of the API, with the scopes that it names."""
    found = [route for room in OURS for route in room.router.routes]
    return {(method, r.path): set(needed(r.dependant)) for r in found if isinstance(r, APIRoute) for method in r.methods or ()}


def session(world: World, role: Role | None, username: str = "anna") -> str:
    """Somebody with this role is signed in; the token."""
    with world.database.change(world.lumen.profile.id, "tests") as transaction:
        user = transaction.users.by_username(username)
        assert user
        transaction.users.change(user.id, role=role and role.value)
        token = new_token()
        transaction.tokens.add(token_hash(token), username, scopes_of(role), None, UserId(user.id))
    return token


def test_every_route_says_what_it_needs() -> None:
    silent = {route for route, scopes in routes().items() if not scopes}
    assert silent == FOR_EVERYBODY | LOOKED_AT_INSIDE | OF_THE_PROVIDER
    assert len(routes()) > 40


@pytest.mark.parametrize("role", [None, *Role])
async def test_a_role_opens_what_its_scopes_name_and_nothing_else(world: World, role: Role | None) -> None:
    opened = 0
    for (method, path), scopes in sorted(routes().items()):
        if (method, path) in FOR_EVERYBODY | LOOKED_AT_INSIDE:
            continue
        token = session(world, role)
        async with world.client(token) as client:
            answer = await client.request(method, "/api/v1" + re.sub(r"{\w+}", "987654", path))
        forbidden = answer.status_code == 403
        may = scopes <= scopes_of(role) and (method, path) not in OF_THE_PROVIDER
        assert forbidden == (not may), f"{role} {method} {path}: {answer.text}"
        opened += not forbidden
    assert (opened == 0) == (role is None)


@pytest.mark.parametrize("role", [None, *Role])
def test_nobody_gives_or_takes_a_role_that_is_more_than_their_own(world: World, role: Role | None) -> None:
    own = world.lumen.profile.id
    for username in ("maria", "nina"):
        add_user(world.database, own, username=username, name=username, role=Role.GLOBAL, who="tests")
    store = RequestStore(world.database)
    store.visitor = authenticate(world.database, session(world, role))
    for wanted in [None, *Role]:
        for username, before in (("ben", None), ("maria", Role.GLOBAL)):
            change_user(world.database, own, username, {"role": before}, who="tests")
            may = before is wanted or (scopes_of(role) >= scopes_of(wanted) and scopes_of(role) >= scopes_of(before))
            if may:
                change_user(store, own, username, {"role": wanted}, who="anna")
            else:
                with pytest.raises(Forbidden):
                    change_user(store, own, username, {"role": wanted}, who="anna")
            with world.database.view(own) as transaction:
                kept = transaction.users.by_username(username)
            assert kept and kept.role is (wanted if may else before)
    change_user(world.database, own, "maria", {"role": Role.GLOBAL}, who="tests")
    if role is not Role.GLOBAL:
        with pytest.raises(Forbidden):
            remove_user(store, own, "maria", who="anna")
        with pytest.raises(Forbidden):
            add_user(store, own, username="otto", name="Otto", role=Role.GLOBAL, who="anna")


def test_the_last_global_administrator_stays_unless_a_program_for_everything_says_so(world: World) -> None:
    own = world.lumen.profile.id
    store = RequestStore(world.database)
    store.visitor = authenticate(world.database, session(world, Role.GLOBAL))
    add_user(store, own, username="maria", name="Maria", role=Role.GLOBAL, who="anna")
    change_user(store, own, "maria", {"role": Role.VOICE}, who="anna")
    with pytest.raises(LastAdministrator):
        change_user(store, own, "anna", {"role": None}, who="anna")
    add_user(store, own, username="nina", name="Nina", role=Role.GLOBAL, who="anna")
    remove_user(store, own, "nina", who="anna")
    with world.database.change(own, "tests") as transaction:
        for attendant in transaction.attendants.all():
            transaction.attendants.remove(attendant.id)
    with pytest.raises(LastAdministrator):
        remove_user(store, own, "anna", who="anna")
    assert issubclass(LastAdministrator, Conflict)
    store.visitor = authenticate(world.database, world.lumen.token)
    remove_user(store, own, "anna", who="the organization's token")


def test_an_organization_may_begin_without_an_administrator(world: World) -> None:
    store = RequestStore(world.database)
    store.visitor = authenticate(world.database, world.lumen.token)
    change_user(store, world.lumen.profile.id, "ben", {"role": Role.GLOBAL}, who="sandbox")


@pytest.mark.parametrize("changes", [{"username": "mary"}, {"email": "mary@example.com"}])
def test_how_somebody_is_known_who_may_do_more_is_not_changed(world: World, changes: dict[str, str]) -> None:
    own = world.lumen.profile.id
    add_user(world.database, own, username="maria", name="Maria", role=Role.GLOBAL, who="tests")
    add_user(world.database, own, username="nina", name="Nina", role=Role.HELP_DESK, who="tests")
    store = RequestStore(world.database)
    store.visitor = authenticate(world.database, session(world, Role.VOICE))
    with pytest.raises(Forbidden) as refused:
        change_user(store, own, "maria", dict(changes), who="anna")
    assert refused.value.field == next(iter(changes))
    change_user(store, own, "maria", {"name": "Maria L.", "extension": "177"}, who="anna")
    change_user(store, own, "nina", dict(changes), who="anna")
    store.visitor = authenticate(world.database, session(world, Role.GLOBAL))
    change_user(store, own, "maria", {"email": "m@example.com"}, who="anna")
