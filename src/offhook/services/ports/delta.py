"""What whoever holds an organization's configuration in memory needs, to have it as it is now."""

from collections.abc import Mapping
from typing import NamedTuple

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination
from offhook.domain.users import User, UserId


class SignIn(NamedTuple):
    """What proves a telephone: its HA1 by MD5 (lower-case hex), and the username of the user whose address it registers as."""

    ha1: str
    owner: str


class Delta(NamedTuple):
    """What was touched in an organization since a revision, as it stands now; None for what is gone.

    Each line says what is, not what to do, so one that is taken up twice changes nothing more.
    """

    users: Mapping[UserId, User | None]
    attendants: Mapping[AttendantId, Attendant | None]
    numbers: Mapping[E164, Destination | None]
    """None too while a number is given to nobody."""
    sign_ins: Mapping[str, SignIn | None]
    """By the name that a telephone signs in with; names that stopped to count stand here with None."""
