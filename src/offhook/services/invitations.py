"""Links that work once: into an organization as its global administrator, or, at the first start, to make one."""

import time
from dataclasses import dataclass, replace

from offhook.domain.access import Role
from offhook.domain.errors import Conflict, Missing
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import User
from offhook.services.mail_room import INVITATION, MailRoom
from offhook.services.organizations import founded, must_be_open, tenant_of
from offhook.services.ports.invitations import Invitation, InvitationId
from offhook.services.ports.organizations import Tenant
from offhook.services.ports.store import NewUser, Profile, ProviderTransaction, Store, Transaction
from offhook.services.secrets import new_token, token_hash
from offhook.services.tokens import ALL
from offhook.services.users import checked_email, checked_language, checked_username

INVITATION_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that was just made; its token is shown here and never again. `mailed`: its link is on its way to `email`."""

    token: str
    invitation: Invitation
    mailed: bool


@dataclass(frozen=True, slots=True)
class Invitee:
    """Who is invited, as far as that is known: how they are or shall be called, where mail reaches them, which language they read.

    Without a language it is that of the user who is there already, or English.
    """

    username: str | None = None
    email: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """What an invitation leads to: an organization, None where it makes one; `user` is who uses it, if they are there already."""

    profile: Profile | None
    username: str | None = None
    user: User | None = None


def found_organization(
    store: Store,
    *,
    name: str,
    domain: str,
    country: str,
    time_zone: str = "UTC",
    invitee: Invitee,
    room: MailRoom | None = None,
    who: str,
) -> tuple[Tenant, Invited]:
    """A new organization, and an invitation for its first global administrator; by mail if there is a `room` and an address.

    Raises Invalid or Conflict with the field they are about.
    """
    with store.provider_change(who) as provider:
        profile = founded(provider, name, domain, country, time_zone)
        return tenant_of(provider, profile.id), _invited(provider, profile, invitee, room)


def invite_administrator(store: Store, id: OrganizationId, invitee: Invitee, who: str, room: MailRoom | None = None) -> Invited:
    """An invitation into an organization that is open; by mail if there is a `room` and an address.

    Raises Missing, AlreadyClosed, Invalid.
    """
    with store.provider_change(who) as provider:
        must_be_open(tenant_of(provider, id))
        # From here on nobody closes it.
        return _invited(provider, provider.inside(id).profile(), invitee, room)


def list_invitations(store: Store, id: OrganizationId | None) -> list[Invitation]:
    """Those into an organization that can be used, or (None) that make one, as the link of the first start. Raises Missing."""
    with store.provider_view() as provider:
        if id is not None:
            tenant_of(provider, id)
        return provider.invitations.open(id, time.time())


def revoke_invitation(store: Store, id: OrganizationId | None, invitation: InvitationId, who: str) -> None:
    """It can be used no more; None as in `list_invitations`. Raises Missing."""
    with store.provider_change(who) as provider:
        if id is not None:
            tenant_of(provider, id)
        provider.invitations.revoke(id, invitation)
        provider.mails.give_up(_event(invitation), "the invitation was revoked")


def invite(store: Store, who: str = "start") -> str:
    """The token of an invitation that makes one organization, once, within a week (INVITATION_SECONDS)."""
    with store.provider_change(who) as provider:
        return _invited(provider, None, Invitee(), None).token


def accept(store: Store, token: str, name: str, domain: str, country: str, time_zone: str = "UTC") -> tuple[Profile, str]:
    """The organization that an invitation was used for, and its first administrator's API token.

    Raises Invalid or Conflict with the field they are about (the invitation stays good then), Missing when there is no such invitation.
    """
    api_token = new_token()
    with store.provider_change("invitation") as provider:
        _used(provider, token, None)
        profile = founded(provider, name, domain, country, time_zone)
        inside = provider.inside(profile.id)
        inside.tokens.add(token_hash(api_token), "first administrator", frozenset({ALL}), None)
        return inside.profile(), api_token


def look_at(store: Store, token: str) -> Guest:
    """What an invitation leads to. Raises Missing."""
    with store.provider_view() as provider:
        invitation = provider.invitations.by_hash(token_hash(token), time.time())
        if invitation is None:
            raise _gone()
        if invitation.organization is None:
            return Guest(None)
        inside = provider.inside(invitation.organization)
        username = invitation.username
        return Guest(inside.profile(), username, None if username is None else inside.users.by_username(username))


def admit(store: Store, token: str, profile: Profile, new: NewUser, hash: str) -> User:
    """Let somebody in as a global administrator with a password of this hash, in their own name.

    Who is there already becomes one only where the invitation names them: a link that anybody may use takes over nobody.
    Raises Invalid and Conflict with the field (the invitation stays good then), and Missing.
    """
    with store.provider_change(f"{new.username}@{profile.domain}"[:100]) as provider:
        inside = provider.inside(profile.id)  # first, as whoever closes it does: of two who wait for each other the database ends one
        invitation = _used(provider, token, profile.id)
        user = _administrator(inside, invitation, new)
        inside.users.set_password(user.id, hash)
        return user


def _administrator(inside: Transaction, invitation: Invitation, new: NewUser) -> User:
    user = inside.users.by_username(new.username)
    if user is None:
        return inside.users.add(replace(new, email=invitation.email, role=Role.GLOBAL))
    if invitation.username != new.username:
        words = f"There is a user {new.username} already; choose another name, or have an invitation made for {new.username}."
        raise Conflict(words, "username")
    inside.users.change(user.id, name=new.name, role=Role.GLOBAL.value)
    return user


def _invited(provider: ProviderTransaction, profile: Profile | None, invitee: Invitee, room: MailRoom | None) -> Invited:
    username = None if invitee.username is None else checked_username(invitee.username)
    language = None if invitee.language is None else checked_language(invitee.language)
    token, email, expires_at = new_token(), checked_email(invitee.email), time.time() + INVITATION_SECONDS
    invitation = provider.invitations.add(token_hash(token), expires_at, None if profile is None else profile.id, username, email)
    if room is None or profile is None or email is None:
        return Invited(token, invitation, mailed=False)
    known = None if username is None else provider.inside(profile.id).users.by_username(username)
    facts = {
        "organization": profile.name,
        "domain": profile.domain,
        "username": username,
        "link": room.invitation_link(token),
        "expires_at": expires_at,
        "time_zone": profile.time_zone,
    }
    reads = language or (known.language if known else "en")
    mail = room.wrapped(INVITATION, _event(invitation.id), email, reads, facts, expires_at)
    provider.mails.add([mail], profile.id)
    return Invited(token, invitation, mailed=True)


def _event(invitation: InvitationId) -> str:
    """What a mail with its link is about."""
    return f"invitation-{invitation}"


def _used(provider: ProviderTransaction, token: str, leads_to: OrganizationId | None) -> Invitation:
    """An invitation, once it is used up. Raises Missing, also where it leads elsewhere."""
    invitation = provider.invitations.use(token_hash(token), time.time())
    if invitation is None or invitation.organization != leads_to:
        raise _gone()
    provider.mails.give_up(_event(invitation.id), "the invitation was used")
    return invitation


def _gone() -> Missing:
    return Missing("This invitation was used already, has expired or never was; ask for a new one.", "token")
