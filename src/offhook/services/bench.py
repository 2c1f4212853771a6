"""The organization that the bench calls in: a thousand users with one password that everybody knows, and an attendant of ten seconds.

Made by `offhook bench --seed` and by every bench, on loopback only. Its password is no secret, so nobody outside this machine may ever
be able to use it: a system that others can reach refuses to have it.
"""

from offhook.domain.errors import Invalid
from offhook.domain.organizations import Purpose
from offhook.services.devices import FIRST_DEVICE
from offhook.services.ports.store import NewUser, Store
from offhook.services.secrets import ha1

DOMAIN = "bench.test"
PASSWORD = "bench-secret"
USERS = (*range(1001, 1501), *range(2001, 2501))
ATTENDANT = "7000"
GREETING = (
    "Welcome to the bench. This greeting is spoken for about ten seconds, as long as the recording that other systems play here. "
    "When it is over, please press any key, and the call will be ended."
)
"""One round of it; a key that is not on its menu is answered with a sentence and the end of the call."""


def seed_bench(store: Store, *, off_loopback: bool) -> int:
    """Make what is missing; how many users were made. Raises Invalid where others than this machine can reach the system."""
    if off_loopback:
        raise Invalid("The bench's users have a published password: only a system on a loopback address may have them.")
    with store.provider_change("bench") as provider:
        profile = provider.organizations.by_domain(DOMAIN) or provider.organizations.add("Bench", DOMAIN, "US", Purpose.SANDBOX)
        transaction = provider.inside(profile.id)
        known = {user.username for user in transaction.users.all()}
        missing = [number for number in map(str, USERS) if number not in known]
        for number in missing:
            user = transaction.users.add(NewUser(number, f"User {number}", "en", number))
            transaction.devices.add(user.id, FIRST_DEVICE, number, ha1(number, DOMAIN, PASSWORD))
        if not any(attendant.extension == ATTENDANT for attendant in transaction.attendants.all()):
            transaction.attendants.add("Bench", "en", ATTENDANT, GREETING, {}, rounds=1)
        return len(missing)
