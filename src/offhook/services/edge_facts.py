"""What the edge must know: all of it for a start, and what differs when something was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offhook.domain.emergency import emergency_numbers
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.delta import SignIn
from offhook.services.ports.store import CarrierEntry, Configured, Profile, Store


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """What the edge must know to challenge, to let emergency calls pass and to accept carriers.

    `sign_ins` maps (the name that a telephone signs in with, domain) to what proves it, `emergency` a domain to its country's emergency
    numbers; `carriers` are (host, port), `revisions` what each organization was at.
    """

    sign_ins: Mapping[tuple[str, str], SignIn]
    emergency: Mapping[str, frozenset[str]]
    carriers: tuple[tuple[str, int], ...]
    revisions: Mapping[OrganizationId, int]


def load_edge_facts(store: Store, off_loopback: bool) -> EdgeFacts:
    """Everything, as it is now. With `off_loopback` nobody of a sandbox organization can sign in. Raises Unavailable."""
    with store.provider_view() as provider:
        profiles, sign_ins, carriers = provider.organizations.all(), provider.sign_ins(), provider.carriers.all()
    return EdgeFacts(
        sign_ins={
            (name, profile.domain): proof
            for profile in profiles
            if may_sign_in(profile, off_loopback)
            for name, proof in sign_ins.get(profile.id, {}).items()
        },
        emergency={profile.domain: emergency_numbers(profile.country) for profile in profiles},
        carriers=addresses(carriers),
        revisions={profile.id: profile.revision for profile in profiles},
    )


def may_sign_in(profile: Profile, off_loopback: bool) -> bool:
    """Whether an organization's telephones are let in at all: the sandbox's passwords are known to whoever read its file."""
    return not (off_loopback and profile.purpose is Purpose.SANDBOX)


def addresses(carriers: Sequence[CarrierEntry]) -> tuple[tuple[str, int], ...]:
    """Where carriers call from."""
    return tuple((entry.carrier.host, entry.carrier.port) for entry in carriers)


def sign_ins_of(configured: Configured) -> dict[str, SignIn]:
    """What proves the telephones of one organization, by the name that they sign in with."""
    owners = {user.id: user.username for user in configured.users}
    proofs = configured.credentials
    return {device.sip_username: SignIn(proofs[device.sip_username].ha1_md5, owners[device.user]) for device in configured.devices}
