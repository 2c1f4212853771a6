"""Organizations, users, tokens: how they come to be, and what is refused."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from offhook.domain.access import EVERYTHING
from offhook.domain.errors import Conflict, Invalid, Missing, Refusal, Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.services import invitations, organizations, tokens
from offhook.services.attendants import list_attendants
from offhook.services.devices import set_password
from offhook.services.ports.store import Store
from offhook.services.secrets import ha1, token_hash
from offhook.services.users import add_user, list_users


def test_an_invitation_makes_one_organization_and_its_administrator(store: Store) -> None:
    invitation = invitations.invite(store)
    profile, token = invitations.accept(store, invitation, " Acme ", "Phones.Acme.Example", "de")
    assert (profile.name, profile.domain, profile.country) == ("Acme", "phones.acme.example", "DE")
    assert tokens.authenticate(store, token).organization == profile.id
    assert organizations.list_organizations(store) == [profile] == [organizations.get_organization(store, profile.id)]
    with pytest.raises(Missing) as refused:
        invitations.accept(store, invitation, "Second", "second.example", "DE")
    assert refused.value.field == "token"


def test_of_two_who_use_an_invitation_at_once_one_gets_in(store: Store) -> None:
    invitation = invitations.invite(store)

    def accepted(name: str) -> bool:
        try:
            invitations.accept(store, invitation, name, f"{name}.example", "US")
        except Missing:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(accepted, ["one", "two", "three", "four"])) == 1
    assert len(organizations.list_organizations(store)) == 1


def test_a_refused_try_does_not_use_the_invitation_up(store: Store, lumen: OrganizationId) -> None:
    invitation = invitations.invite(store)
    with pytest.raises(Conflict) as refused:
        invitations.accept(store, invitation, "Acme", "lumen.test", "US")
    assert refused.value.field == "domain"
    invitations.accept(store, invitation, "Acme", "acme.example", "US")


def test_an_invitation_expires(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "INVITATION_SECONDS", -1.0)
    invitation = invitations.invite(store)
    with pytest.raises(Missing):
        invitations.accept(store, invitation, "Acme", "acme.example", "US")


@pytest.mark.parametrize(
    ("name", "domain", "country", "field"),
    [
        ("", "acme.example", "US", "name"),
        ("x" * 101, "acme.example", "US", "name"),
        ("Ac\nme", "acme.example", "US", "name"),
        ("Acme", "acme", "US", "domain"),
        ("Acme", "-acme.example", "US", "domain"),
        ("Acme", "acme..example", "US", "domain"),
        ("Acme", "192.0.2.1", "US", "domain"),
        ("Acme", "acme.exa\nmple", "US", "domain"),
        ("Acme", "a b.example", "US", "domain"),
        ("Acme", "x." * 130 + "example", "US", "domain"),
        ("Acme", "acme.example", "XX", "country"),
    ],
)
def test_what_an_organization_cannot_be_called(store: Store, name: str, domain: str, country: str, field: str) -> None:
    invitation = invitations.invite(store)
    with pytest.raises(Invalid) as refused:
        invitations.accept(store, invitation, name, domain, country)
    assert refused.value.field == field


def test_a_user_is_added_with_extension_and_number(store: Store, lumen: OrganizationId) -> None:
    anna = add_user(store, lumen, username="anna", name="Anna Lind", extension="101", number="+1 206 555 0101", language="pt-BR", who="ada")
    assert (anna.number, anna.language) == ("+12065550101", "pt-BR")
    assert list_users(store, lumen) == [anna]
    assert list_attendants(store, lumen) == []


@pytest.mark.parametrize(
    ("change", "refusal", "field"),
    [
        ({"username": ""}, Invalid, "username"),
        ({"username": "Anna"}, Invalid, "username"),
        ({"username": "anna lind"}, Invalid, "username"),
        ({"username": "anna@lumen.test"}, Invalid, "username"),
        ({"username": "x" * 65}, Invalid, "username"),
        ({"username": "taken"}, Conflict, "username"),
        ({"name": " "}, Invalid, "name"),
        ({"language": "klingon"}, Invalid, "language"),
        ({"language": ""}, Invalid, "language"),
        ({"extension": "1"}, Invalid, "extension"),
        ({"extension": "1234567"}, Invalid, "extension"),
        ({"extension": "١٢٣"}, Invalid, "extension"),
        ({"extension": "911"}, Invalid, "extension"),
        ({"extension": "101"}, Conflict, "extension"),
        ({"number": "12065550101"}, Invalid, "number"),
        ({"number": ""}, Invalid, "number"),
        ({"number": "+12065550199"}, Conflict, "number"),
    ],
)
def test_what_a_user_cannot_be(store: Store, lumen: OrganizationId, change: dict[str, Any], refusal: type[Refusal], field: str) -> None:
    add_user(store, lumen, username="taken", name="First", extension="101", number="+12065550199", who="ada")
    wanted: dict[str, Any] = {"username": "anna", "name": "Anna", "extension": "102", "number": "+12065550102"} | change
    with pytest.raises(refusal) as refused:
        add_user(store, lumen, who="ada", **wanted)
    assert refused.value.field == field
    assert [user.username for user in list_users(store, lumen)] == ["taken"]


def test_an_extension_may_be_another_countrys_emergency_number(store: Store, lumen: OrganizationId) -> None:
    assert add_user(store, lumen, username="anna", name="Anna", extension="110", who="ada").extension == "110"


def test_a_password_is_shown_once_and_replaces_the_old_one(store: Store, lumen: OrganizationId) -> None:
    anna = add_user(store, lumen, username="anna", name="Anna", who="ada")
    first, second = (set_password(store, lumen, "anna", "ada") for _ in range(2))
    assert first.password != second.password
    with store.view(lumen) as transaction:
        (device,) = transaction.devices.all(anna.id)
        assert transaction.devices.credential(device.id) == ha1("anna", "lumen.test", second.password)
        history = repr(transaction.history.since(0))
    assert "'device'" in history
    assert not re.search(r"[0-9a-f]{32}", history) and second.password not in history


def test_nobodys_password_cannot_be_set(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    add_user(store, pine, username="paul", name="Paul", who="ada")
    with pytest.raises(Missing) as refused:
        set_password(store, lumen, "paul", "ada")
    assert refused.value.field == "username"


def test_a_token_opens_its_own_organization(store: Store, lumen: OrganizationId) -> None:
    token = tokens.issue(store, lumen, "reports", 3600, "ada")
    access = tokens.authenticate(store, token)
    assert (access.organization, access.label, access.scopes, access.user, access.sovereign) == (lumen, "reports", EVERYTHING, None, True)
    provider = tokens.provider_token(store, b"key")
    assert provider == tokens.provider_token(store, b"key")
    assert tokens.authenticate(store, provider).organization is None


@pytest.mark.parametrize("token", ["", "nobody's", "é" * 100_000])
def test_nobodys_token_opens_nothing(store: Store, lumen: OrganizationId, token: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.authenticate(store, token)


def test_an_expired_token_and_a_hash_open_nothing(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "ada") as transaction:
        transaction.tokens.add(token_hash("old"), "old", frozenset({tokens.ALL}), 1.0)
    for token in ("old", token_hash("old"), token_hash(tokens.issue(store, lumen, "new", None, "ada"))):
        with pytest.raises(Unauthenticated):
            tokens.authenticate(store, token)


@pytest.mark.parametrize("label", ["", " ", "x" * 101, "re\nports"])
def test_a_token_has_a_readable_label(store: Store, lumen: OrganizationId, label: str) -> None:
    with pytest.raises(Invalid) as refused:
        tokens.issue(store, lumen, label, None, "ada")
    assert refused.value.field == "label"


def test_a_token_for_nobody_is_refused(store: Store) -> None:
    with pytest.raises(Missing):
        tokens.issue(store, OrganizationId(99), "reports", None, "ada")
