"""Mail, as the settings and the plan say it: which server, and how what waits for it is sealed."""

import ipaddress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from offhook.engines.mail.client import MailServer, SmtpCourier
from offhook.plan import SystemPlan
from offhook.services.mail_room import MailRoom
from offhook.services.sealing import Sealing

_PORTS = {"smtp": 587, "smtps": 465}
"""RFC 6409 and RFC 8314: where mail is submitted."""


def mail_server_of(setting: str) -> MailServer:
    """The server of OFFHOOK_MAIL_SERVER, as settings.py has read it."""
    url = urlsplit(setting)
    options = dict(parse_qsl(url.query))
    host = url.hostname or ""
    readable = options.get("starttls", "no" if is_loopback(host) else "yes") == "no"
    return MailServer(
        host,
        url.port or _PORTS[url.scheme],
        "always" if url.scheme == "smtps" else "none" if readable else "starttls",
        unquote(url.username) if url.username else None,
        unquote(url.password) if url.password else None,
        Path(options["cafile"]) if "cafile" in options else None,
    )


def courier_of(server: str, sender: str, address: str) -> SmtpCourier:
    """Whoever brings mail to that server. `address` is this machine's, by which it says hello (RFC 5321 4.1.3)."""
    return SmtpCourier(mail_server_of(server), sender, f"[{address}]")


def mail_room(plan: SystemPlan) -> MailRoom | None:
    """Where mail is put into envelopes; None where no mail server is named."""
    if plan.mail_server is None or plan.mail_from is None:
        return None
    sealing = Sealing((plan.folder / "secret.key").read_bytes(), "mail")
    courier = courier_of(plan.mail_server, plan.mail_from, plan.address)
    return MailRoom(sealing, courier, plan.pages_url, f"{plan.address}:{plan.sip_port}")


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
