"""What is there at the first start: two organizations to try things out with, and the hidden one in which the self-test calls.

Numbers are fictional: 555-0100 to 555-0199 in real area codes, which the North American Numbering Plan keeps for fiction.
Passwords and tokens are derived from the installation's secret key, so they stay those of the first start although the database
holds only hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offhook.domain.attendants import Attendant
from offhook.domain.numbers import E164, NumberNotAvailable
from offhook.domain.organizations import Carrier, Destination, Purpose, ToAttendant, ToUser
from offhook.domain.users import User, UserId
from offhook.services.devices import FIRST_DEVICE
from offhook.services.first_catalogue import furnish
from offhook.services.ports.store import CarrierEntry, NewUser, Profile, ProviderTransaction, Store, Transaction
from offhook.services.secrets import derive, ha1, token_hash
from offhook.services.stock import put_in
from offhook.services.tokens import ALL

CARRIER = "sandbox"
STOCK = tuple(E164(f"+1{area}55501{last:02}") for area in ("206", "503") for last in range(100))
"""The numbers that its organizations may take."""
OUTSIDE = frozenset(number for number in STOCK if number[-2] == "9")
"""Those of them with which its carrier plays the public network: some misbehave (carriers/sandbox), the last one calls in."""
_PLAYS_OUTSIDE = "plays the public network of the sandbox"
PROBE_DOMAIN = "selftest.invalid"
_WHO = "sandbox"


@dataclass(frozen=True, slots=True)
class _Person:
    username: str
    name: str
    extension: str
    number: E164


@dataclass(frozen=True, slots=True)
class _Menu:
    name: str
    extension: str
    number: E164
    greeting: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    domain: str
    purpose: Purpose
    people: tuple[_Person, ...]
    menu: _Menu | None = None


_LUMEN = _Plan(
    "Lumen Works",
    "lumen.test",
    Purpose.SANDBOX,
    (
        _Person("anna", "Anna Lind", "101", E164("+12065550101")),
        _Person("ben", "Ben Okafor", "102", E164("+12065550102")),
        _Person("chloe", "Chloe Martin", "103", E164("+12065550103")),
    ),
    _Menu(
        "Reception",
        "100",
        E164("+12065550100"),
        "Welcome to Lumen Works. We are glad you called. For Anna, press 1. For Ben, press 2. To talk to Chloe at the reception, press 0.",
        {"1": "anna", "2": "ben", "0": "chloe"},
    ),
)
_PINE = _Plan("Pine Bakery", "pine.test", Purpose.SANDBOX, (_Person("paul", "Paul Novak", "101", E164("+15035550101")),))
_PROBE = _Plan(
    "Self-test",
    PROBE_DOMAIN,
    Purpose.PROBE,
    (
        _Person("probe1", "Probe One", "901", E164("+13125550191")),
        _Person("probe2", "Probe Two", "902", E164("+13125550192")),
    ),
    _Menu("Self-test", "900", E164("+13125550190"), "This is the self-test of the telephone system. Press 1 to go on.", {"1": "probe2"}),
)


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """A user and the password of the first start; None when somebody has set another one since."""

    user: User
    password: str | None


@dataclass(frozen=True, slots=True)
class SandboxOrganization:
    """An organization made at the first start, as it is now; of its people those of the first start who are still there."""

    profile: Profile
    users: tuple[SandboxUser, ...]
    attendant: Attendant | None
    attendant_number: E164 | None
    token: str


@dataclass(frozen=True, slots=True)
class SandboxSummary:
    """All that was seeded: `first` is Lumen Works, `others` the tenants beside it, `probe` the self-test's own."""

    first: SandboxOrganization
    others: tuple[SandboxOrganization, ...]
    probe: SandboxOrganization
    carrier: Carrier


def seed(store: Store, secret_key: bytes, carrier_host: str, carrier_port: int) -> SandboxSummary:
    """Create what is missing and bring the sandbox carrier's address up to date. What people changed since stays changed."""
    carrier = Carrier(CARRIER, carrier_host, carrier_port)
    with store.provider_change(_WHO) as provider:
        known = {entry.carrier.name: entry for entry in provider.carriers.all()}
        entry = CarrierEntry(carrier, sandbox=True, default=CARRIER in known and known[CARRIER].default)
        if known.get(CARRIER) != entry:
            provider.carriers.put(entry)
        if not any(each.withheld for each in provider.stock.held(OUTSIDE).values()):
            put_in(provider, STOCK, CARRIER)
            provider.stock.change_all(OUTSIDE, withheld=_PLAYS_OUTSIDE)
        furnish(provider, sandbox=True)
        first, *others = (_organization(provider, plan, secret_key) for plan in (_LUMEN, _PINE))
        return SandboxSummary(first, tuple(others), _organization(provider, _PROBE, secret_key), carrier)


def seed_probe(store: Store, secret_key: bytes) -> SandboxOrganization:
    """Create only the self-test's organization, if it is missing; there is no sandbox carrier then."""
    with store.provider_change(_WHO) as provider:
        _withdraw_stock(provider)
        provider.carriers.remove(CARRIER)
        furnish(provider, sandbox=False)
        return _organization(provider, _PROBE, secret_key)


def _withdraw_stock(provider: ProviderTransaction) -> None:
    """What nobody has of the sandbox's numbers goes with it; what somebody has stays theirs, of no carrier that is known."""
    known = provider.stock.held(provider.stock.of_carrier(CARRIER)).values()
    provider.stock.remove_all([each.number for each in known if each.organization is None])
    provider.stock.change_all([each.number for each in known if each.organization is not None], carrier=None)


def sandbox_json(summary: SandboxSummary, *, sip_host: str, sip_port: int, edge_host: str, edge_port: int, api_url: str) -> dict[str, Any]:
    """What stands in sandbox.json: the first organization, the others in the same form under "others".

    `edge_host` and `edge_port` are where carriers reach this system.
    """
    carrier = {"host": summary.carrier.host, "port": summary.carrier.port, "edge_host": edge_host, "edge_port": edge_port}

    def described(organization: SandboxOrganization) -> dict[str, Any]:
        sip = {
            "host": sip_host,
            "port": sip_port,
            "domain": organization.profile.domain,
            "users": [_user(user) for user in organization.users],
        }
        attendant = organization.attendant
        return {
            "sip": sip,
            "attendant": attendant and {"extension": attendant.extension, "number": organization.attendant_number},
            "carrier": carrier,
            "api": {"url": api_url, "token": organization.token},
        }

    return described(summary.first) | {"others": [described(organization) for organization in summary.others]}


def _user(entry: SandboxUser) -> dict[str, Any]:
    user = entry.user
    return {"username": user.username, "password": entry.password, "extension": user.extension, "number": user.number}


def _organization(provider: ProviderTransaction, plan: _Plan, secret_key: bytes) -> SandboxOrganization:
    token = derive(secret_key, f"token of {plan.domain}")
    profile = provider.organizations.by_domain(plan.domain)
    if profile is None:
        profile = provider.organizations.add(plan.name, plan.domain, "US", plan.purpose, "America/Los_Angeles")
        put_in(provider, [*(person.number for person in plan.people), *([plan.menu.number] if plan.menu else [])], None)
        transaction = provider.inside(profile.id)
        _fill(transaction, plan, secret_key)
        transaction.tokens.add(token_hash(token), _WHO, frozenset({ALL}), None)
    return _as_it_is(provider.inside(profile.id), plan, secret_key, token)


def _fill(transaction: Transaction, plan: _Plan, secret_key: bytes) -> None:
    ids: dict[str, UserId] = {}
    for person in plan.people:
        user = transaction.users.add(NewUser(person.username, person.name, "en", person.extension))
        _ring(transaction, person.number, ToUser(user.id))
        password = _password(secret_key, person.username, plan.domain)
        transaction.devices.add(user.id, FIRST_DEVICE, person.username, ha1(person.username, plan.domain, password))
        ids[person.username] = user.id
    if menu := plan.menu:
        keys = {key: ids[username] for key, username in menu.keys.items()}
        attendant = transaction.attendants.add(menu.name, "en", menu.extension, menu.greeting, keys)
        if _ring(transaction, menu.number, ToAttendant(attendant.id)):
            transaction.change_profile(main_number=menu.number)


def _ring(transaction: Transaction, number: E164, to: Destination) -> bool:
    """Have a number ring there; False when somebody has taken it since an earlier sandbox had it, who keeps it."""
    try:
        transaction.numbers.assign(number, to)
    except NumberNotAvailable:
        return False
    return True


def _as_it_is(transaction: Transaction, plan: _Plan, secret_key: bytes, token: str) -> SandboxOrganization:
    """Only what the plan made: who was added later has a password that is known to nobody here, and there may be thousands."""
    profile = transaction.profile()
    there = (transaction.users.by_username(person.username) for person in plan.people)
    users = (SandboxUser(user, _unchanged_password(transaction, user, profile.domain, secret_key)) for user in there if user is not None)
    attendant = transaction.attendants.by_name(plan.menu.name) if plan.menu else None
    numbers = transaction.numbers.of(ToAttendant(attendant.id)) if attendant else []
    return SandboxOrganization(profile, tuple(users), attendant, next(iter(numbers), None), token)


def _unchanged_password(transaction: Transaction, user: User, domain: str, secret_key: bytes) -> str | None:
    password = _password(secret_key, user.username, domain)
    first = next((device for device in transaction.devices.all(user.id) if device.sip_username == user.username), None)
    kept = transaction.devices.credential(first.id) if first else None
    return password if kept == ha1(user.username, domain, password) else None


def _password(secret_key: bytes, username: str, domain: str) -> str:
    return derive(secret_key, f"SIP password of {username}@{domain}")
