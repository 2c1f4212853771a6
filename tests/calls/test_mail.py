"""A running system tells people by mail, over TLS, and neither its death nor the mail server's loses a mail or doubles one."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.calls.system import System, start_system
from tests.mail_server import Mailbox, a_mailbox, certificates

pytestmark = pytest.mark.engines

PATIENCE_SECONDS = 20.0
PASSWORD = "word-of-the-mail-server"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    made = certificates(tmp_path / "tls", "127.0.0.1")
    with a_mailbox(made.path, auth_required=True, require_starttls=True) as box:
        box.password = PASSWORD.encode()
        yield box


@pytest.fixture
def mailing(tmp_path: Path, box: Mailbox) -> Iterator[System]:
    """A system that has a mail server."""
    server = f"smtp://phones:{PASSWORD}@127.0.0.1:{box.port}?starttls=yes&cafile={tmp_path}/tls/authority.pem"
    system = start_system(tmp_path / "var", OFFHOOK_MAIL_SERVER=server, OFFHOOK_MAIL_FROM="Telephones <phones@example.com>")
    yield system
    assert system.stop() == 0, system.output.read_text()


async def came(box: Mailbox, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(box.came) < count:
            await asyncio.sleep(0.05)


def got(url: str) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE_SECONDS)


async def test_people_are_told_by_mail_and_the_password_of_the_mail_server_is_told_nobody(mailing: System, box: Mailbox) -> None:
    made = mailing.api("POST", "/users", json={"username": "zoe", "name": "Zoë Lind", "email": "zoe@example.com", "language": "fr"})
    assert made.status_code == 201, made.text
    await came(box, 1)
    (welcome,) = box.came
    assert welcome.encrypted and welcome.user == "phones" and welcome.recipients == ["zoe@example.com"]
    assert "Bonjour Zoë Lind" in welcome.text and f"{mailing.plan.address}:{mailing.plan.sip_port}" in welcome.text
    done = mailing.offhook("invitations", "add", "pine.test", "--email", "maria@example.com", "--json")
    invitation = json.loads(done.stdout)
    assert invitation["mailed"], done.stderr
    await came(box, 2)
    link = re.search(r"http://\S+/welcome/\S+", box.came[1].text)
    assert link and link[0] == invitation["link"] and got(link[0]).status_code == 200
    tried = mailing.offhook("mails", "test", "--to", "you@example.com")
    assert tried.returncode == 0 and len(box.came) == 3, tried.stderr
    figures = got(f"{mailing.plan.api_url}/metrics").text
    assert 'offhook_mail_attempts_total{verdict="sent"} 2' in figures and "offhook_mails_waiting 0" in figures
    assert 'offhook_history_behind_revisions{consumer="mail"} 0' in figures
    findings = json.loads(mailing.offhook("doctor", "--json").stdout)["findings"]
    assert {each["state"] for each in findings if each["area"] == "mail"} == {"ok"}
    told = mailing.output.read_text() + json.dumps(findings) + "".join(file.read_text() for file in (mailing.folder / "logs").glob("*.log"))
    assert PASSWORD not in told and invitation["link"] not in told


async def test_what_dies_in_the_middle_loses_no_mail_and_a_stop_doubles_none(mailing: System, box: Mailbox) -> None:
    box.hangs_at = "DATA"
    assert mailing.api("POST", "/users", json={"username": "zoe", "name": "Zoe", "email": "zoe@example.com"}).status_code == 201
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not box.at_once:
            await asyncio.sleep(0.05)
    os.kill(mailing.pids()["web"], signal.SIGKILL)
    box.hangs_at = None
    await came(box, 1)
    assert box.came[0].recipients == ["zoe@example.com"]
    assert mailing.stop() == 0
    more = {name: value for name, value in mailing.environment.items() if name.startswith("OFFHOOK_")}
    again = start_system(mailing.folder, **more)
    try:
        assert again.api("POST", "/users", json={"username": "kim", "name": "Kim", "email": "kim@example.com"}).status_code == 201
        await came(box, 2)
        await asyncio.sleep(2.5)  # two more looks: what was sent before would have come by now
        assert [each.recipients[0] for each in box.came] == ["zoe@example.com", "kim@example.com"]
        assert [mail["state"] for mail in again.api("GET", "/mails").json()["mails"]] == ["sent", "sent"]
    finally:
        assert again.stop() == 0
