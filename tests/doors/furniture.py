"""What an organization has, and what it is called: for tests that ask for another's."""

from dataclasses import dataclass
from typing import Any

from offhook.domain.jobs import RowState
from offhook.services.people_csv import read_sheet
from offhook.services.ports.jobs import RowResult
from offhook.services.ports.listing import Listing
from offhook.services.ports.mails import NewMail
from offhook.services.ports.webhooks import NewDelivery
from offhook.services.sandbox import SandboxOrganization
from tests.doors.rooms import World

NOBODYS, NOBODYS_NUMBER, NOBODYS_E164 = "zzzzzz", "987654", "+14155550188"


@dataclass(frozen=True)
class Things:
    """What an organization has, by where its name can stand and as what; several where there are several ways to name it."""

    path: dict[str, list[str]]
    query: dict[str, list[str]]
    body: dict[str, list[Any]]

    def of(self, where: str) -> dict[str, list[Any]]:
        return {"path": self.path, "query": self.query, "body": self.body}[where]


def furnish(world: World, of: SandboxOrganization, minute: int) -> Things:
    """Something of every noun, and what it is called."""
    user, number = of.users[0].user, of.users[0].user.number
    over, alive = world.recorded(minute, of=of)[0], world.lives(minute + 1, of=of)
    mark = of.profile.name.split()[0]
    with world.database.change(of.profile.id, user.username) as transaction:
        transaction.users.change(user.id, email=f"{user.username}@{mark.lower()}.example")
        transaction.users.set_password(user.id, "hash")
        token = transaction.tokens.add(f"{mark}1", f"{mark} crm", frozenset({"calls:read"}), None)
        webhook = transaction.webhooks.add(f"https://{mark.lower()}.example.com/", ["*"], "sealed").id
        transaction.webhooks.add_deliveries([NewDelivery(webhook, f"{mark}-event", "user.changed", mark)])
        delivery = transaction.webhooks.deliveries(webhook, Listing(1, sort=(("id", False),))).items[0].id
        transaction.mails.add([NewMail("welcome", f"{mark}-event", f"{user.username}@{mark.lower()}.example", "en", mark, 2e9)])
        mail = transaction.mails.page(Listing(1, sort=(("id", False),))).items[0].id
        extension = "15" + str(minute % 10)
        attendant = transaction.attendants.add(mark, "en", extension, f"This is {mark}.", {"1": user.id})
        job = transaction.jobs.add(
            "import-users", user.username, 2, {"scopes": []}, read_sheet(f"username,name\n{user.username},{user.name}".encode()).packed()
        )
        refused = RowResult(2, RowState.REFUSED, user.username, "thing.taken", "username", f"{user.username} is there")
        transaction.jobs.record(job.id, [refused], None)
        device = transaction.devices.all(user.id)[0]
    texts = {"username": user.username, "name": user.name, "extension": extension, "number": str(number), "attendant": mark}
    texts |= {"email": f"{user.username}@{mark.lower()}.example", "label": f"{mark} crm", "sip_username": device.sip_username}
    ids = {"device": device.id, "token": token, "webhook": webhook, "delivery": delivery, "attendant": attendant.id, "job": job.id}
    ids |= {"mail": mail}
    path = {name: [str(id)] for name, id in ids.items()} | {"username": [user.username], "number": [str(number)]}
    path |= {"call": [over, alive, over[:8]], "address": ["192.0.2.7"], "organization": [str(of.profile.id)]}
    path |= {"invitation": ["1"], "carrier": ["sandbox"], "country": ["US"], "sku": ["phone-system"], "price": ["1"]}
    kinds: dict[str, Any] = {"user": user.id, "password": user.id, "number": number, "organization": of.profile.id}
    kinds["attendant_key"] = f"{attendant.id}:1"
    kinds |= {kind: ids[kind] for kind in ("device", "token", "webhook", "attendant")}
    names = {"user": user.username, "device": device.sip_username, "attendant": mark, "organization": of.profile.domain}
    path |= {"id": [f"{kind}/{id}" for kind, id in (*kinds.items(), *names.items())]}
    query = {name: [text] for name, text in texts.items()} | {
        "event": [f"{mark}-event"],
        "recipient": [texts["email"]],
        "q": [user.username, mark],
        "prefix": [str(number)],
        "domain": [of.profile.domain],
        "call": [over, alive, over[:8]],
        "who": [user.username],
        "caller": [user.username, f"{user.username}@{of.profile.domain}", str(number)],
        "dialled": [str(number), extension],
    }
    query |= {"id": [str(number), f"{attendant.id}:1"]}  # what is called by a number alone may be something else of one's own
    body: dict[str, list[Any]] = {name: [texts[name]] for name in ("username", "extension", "number", "attendant", "email")}
    body |= {"usernames": [[user.username]]}
    body |= {"main_number": [number], "keys": [{"1": user.username}], "from": [user.username, number], "to": [number, extension]}
    return Things(path, query, body)


def nobodys(where: str, name: str, like: Any) -> Any:
    """Something that is like theirs, and that nobody has."""
    if isinstance(like, dict | list):
        return dict.fromkeys(like, NOBODYS) if isinstance(like, dict) else [NOBODYS]
    if str(like).startswith("+"):
        return NOBODYS_E164
    if name == "id" and "/" in str(like):
        kind, _, id = str(like).partition("/")
        return f"{kind}/{nobodys(where, '', id)}"
    if name == "extension":
        return "159"
    if "@" in str(like):
        return f"{NOBODYS}@example.com"
    return NOBODYS_NUMBER if str(like).replace(":", "").isdigit() else NOBODYS
