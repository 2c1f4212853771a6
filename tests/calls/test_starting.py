"""How a system starts, what it refuses to start with, and what it tells of itself: ports, settings, two at once, an empty one."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from offhook.phones.phone import Phone
from offhook.phones.registration import Account, RegistrationRefused
from offhook.sip.addresses import Address
from tests.calls.stories import connected, hear_each_other, registered
from tests.calls.system import GONE_SECONDS, READY_SECONDS, System, free_port, start_system

pytestmark = pytest.mark.engines

RUN = (sys.executable, "-P", "-m", "offhook", "run")
MAPLE = {"name": "Maple Workshop", "domain": "maple.test", "country": "CA"}


def _environment(folder: Path, **settings: str) -> dict[str, str]:
    ports = {"OFFHOOK_SIP_PORT": str(free_port()), "OFFHOOK_HTTP_PORT": str(free_port(socket.SOCK_STREAM))}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    return ours | {"OFFHOOK_DATA_DIR": str(folder), "OFFHOOK_DRAIN_SECONDS": "0"} | ports | settings


def _refused(environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """What is said by a system that does not start."""
    ended = subprocess.run(RUN, env=environment, capture_output=True, text=True, timeout=GONE_SECONDS, check=False)
    assert ended.returncode != 0
    assert "Starting" not in ended.stdout and "Traceback" not in ended.stderr
    assert not Path(environment["OFFHOOK_DATA_DIR"], "sandbox.json").exists()
    return ended


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(socket.SOCK_DGRAM, "OFFHOOK_SIP_PORT"), (socket.SOCK_STREAM, "OFFHOOK_SIP_PORT"), (socket.SOCK_STREAM, "OFFHOOK_HTTP_PORT")],
    ids=["SIP over UDP", "SIP over TCP", "HTTP"],
)
def test_a_taken_port_is_named_with_its_setting_before_anything_starts(tmp_path: Path, kind: socket.SocketKind, setting: str) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        said = _refused(_environment(tmp_path / "var", **{setting: str(port)})).stderr
    transport = "TCP" if kind is socket.SOCK_STREAM else "UDP"
    assert f"{transport} port {port} on 127.0.0.1 ({setting}) is in use" in said
    assert f"set {setting} to a free port" in said
    assert [log.name for log in (tmp_path / "var" / "logs").iterdir()] == ["supervisor.log"], "nothing was started"


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    wrong = {"OFFHOOK_SIP_PORT": "sixty", "OFFHOOK_HTTP_PORT": "70000", "OFFHOOK_RTP_PORTS": "20001-20003", "OFFHOOK_ADDRESS": "0.0.0.0"}
    wrong |= {"OFFHOOK_SANDBOX": "perhaps", "OFFHOOK_DRAIN_SECONDS": "-1", "OFFHOOK_TRUSTED": "everybody", "OFFHOOK_ADRESS": "127.0.0.1"}
    ended = _refused(_environment(tmp_path / "var", **wrong))
    assert ended.returncode == 2
    for name, value in wrong.items():
        assert f"{name}={value!r}: " in ended.stderr
    assert "did you mean OFFHOOK_ADDRESS?" in ended.stderr
    assert not (tmp_path / "var").exists()


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A second system on this machine."""
    running = start_system(tmp_path_factory.mktemp("beside") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


async def test_two_systems_run_side_by_side(system: System, beside: System) -> None:
    here, there = system.plan, beside.plan
    assert here.rtp_last < there.rtp_first or there.rtp_last < here.rtp_first
    async with registered(system.phone("anna"), system.phone("ben"), beside.phone("anna"), beside.phone("ben")) as (anna, ben, ada, bob):
        call, other = await connected(anna, ben, "102")
        call_there, other_there = await connected(ada, bob, "102")
        await hear_each_other(call, other)
        await hear_each_other(call_there, other_there)
        await call.hangs_up()
        await hear_each_other(call_there, other_there)
        await call_there.hangs_up()


async def test_a_password_of_one_system_is_wrong_in_the_other(system: System, beside: System) -> None:
    password = system.sandbox["sip"]["users"][0]["password"]
    async with beside.phone("anna", password=password) as anna:
        with pytest.raises(RegistrationRefused):
            await anna.register()


def test_the_data_folder_of_a_running_system_is_refused(beside: System) -> None:
    before = (beside.folder / "sandbox.json").read_text()
    ended = subprocess.run(RUN, env=_environment(beside.folder), capture_output=True, text=True, timeout=GONE_SECONDS, check=False)
    assert ended.returncode == 1
    assert f"Another system (process {beside.process.pid}) uses the data folder {beside.folder}" in ended.stderr
    assert "OFFHOOK_DATA_DIR" in ended.stderr
    assert (beside.folder / "sandbox.json").read_text() == before


def test_the_sandbox_file_has_the_agreed_form(beside: System) -> None:
    first, (second,) = beside.sandbox, beside.sandbox["others"]
    assert (beside.folder / "sandbox.json").stat().st_mode & 0o777 == 0o600
    assert set(first) == {"sip", "attendant", "carrier", "api", "others"} and set(second) == {"sip", "attendant", "carrier", "api"}
    for each in (first, second):
        assert set(each["sip"]) == {"host", "port", "domain", "users"}
        assert {tuple(user) for user in each["sip"]["users"]} == {("username", "password", "extension", "number")}
        assert {"host", "port"} <= set(each["carrier"]) and set(each["api"]) == {"url", "token"}
        assert all(user["password"] for user in each["sip"]["users"])
    assert (first["sip"]["host"], first["sip"]["port"]) == ("127.0.0.1", int(beside.environment["OFFHOOK_SIP_PORT"]))
    assert first["api"]["url"] == f"http://127.0.0.1:{beside.environment['OFFHOOK_HTTP_PORT']}"
    assert [(user["username"], user["extension"]) for user in first["sip"]["users"]] == [("anna", "101"), ("ben", "102"), ("chloe", "103")]
    assert (first["sip"]["domain"], first["attendant"]["extension"]) == ("lumen.test", "100")
    assert (second["sip"]["domain"], second["attendant"]) == ("pine.test", None)
    assert [(user["username"], user["extension"]) for user in second["sip"]["users"]] == [("paul", "101")]
    assert first["api"]["token"] != second["api"]["token"]


@contextmanager
def _started(environment: Mapping[str, str]) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A system that runs, and what it printed until it was ready. A folder's sandbox.json of before is gone by its first line."""
    process = subprocess.Popen(RUN, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    overdue = threading.Timer(READY_SECONDS, process.kill)
    overdue.start()
    printed, sandbox_file = "", Path(environment["OFFHOOK_DATA_DIR"], "sandbox.json")
    try:
        for line in process.stdout:
            if line.startswith("Starting"):
                assert not sandbox_file.exists()
            printed += line
            if line.startswith("What happens is written to"):
                break
        yield printed, process
    finally:
        overdue.cancel()
        process.send_signal(signal.SIGTERM)
        process.wait(GONE_SECONDS)
        process.stdout.close()


async def test_without_the_sandbox_a_link_creates_the_organization_once(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "sandbox.json").write_text("{}")
    environment = _environment(folder, OFFHOOK_SANDBOX="no")
    with _started(environment) as (printed, _):
        link = re.search(r"opens, once, within a week: (http\S+/welcome/\S+)", printed)
        assert link is not None, printed
        assert not (folder / "sandbox.json").exists() and "password" not in printed
        token = _created_by(link[1])
        await _people_talk(_people_of(environment, link[1].partition("/welcome/")[0], token))
    with _started(environment) as (printed, _):
        assert "/welcome/" not in printed


def _created_by(link: str) -> str:
    """The first administrator's token; the link is good no more."""
    page = httpx.get(link)
    assert page.status_code == 200 and "<form" in page.text
    created = httpx.post(link, data=MAPLE, timeout=20)
    assert created.status_code == 200, created.text
    shown = re.search(r'<pre class="token">([^<]+)</pre>', created.text)
    assert shown is not None
    again = httpx.post(link, data=MAPLE | {"domain": "oak.test"}, timeout=20)
    assert again.status_code == 404 and 'class="token"' not in again.text
    return shown[1]


def _people_of(environment: Mapping[str, str], url: str, token: str) -> list[Phone]:
    """Telephones of two people whom the administrator adds."""
    edge, phones = Address("127.0.0.1", int(environment["OFFHOOK_SIP_PORT"]), "udp"), []
    with httpx.Client(base_url=url + "/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20) as api:
        for username, extension in (("maria", "201"), ("noah", "202")):
            added = api.post("/users", json={"username": username, "name": username.title(), "extension": extension})
            assert added.status_code == 201, added.text
            account = api.post(f"/users/{username}/password").json()
            assert account["in_effect"] is True
            phones.append(Phone(username, account=Account(username, MAPLE["domain"], edge, account["password"])))
    return phones


async def _people_talk(phones: list[Phone]) -> None:
    async with registered(*phones) as (maria, noah):
        call, other = await connected(maria, noah, "202")
        await hear_each_other(call, other)
        await call.hangs_up()


def _address_of_this_machine() -> str | None:
    """An address other than loopback; nothing is sent to find it, and what is sent to it stays on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


async def test_off_loopback_the_passwords_of_the_sandbox_are_refused(tmp_path: Path) -> None:
    address = _address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    system = start_system(tmp_path / "var", OFFHOOK_ADDRESS=address)
    try:
        assert system.edge.host == address
        for username, domain in (("anna", "lumen.test"), ("paul", "pine.test")):
            async with system.phone(username, domain, host=address) as phone:
                with pytest.raises(RegistrationRefused):
                    await phone.register()
        assert f"The sandbox's passwords are refused, because {address} is reached by others" in system.output.read_text()
        passwords = [user["password"] for user in system.sandbox["sip"]["users"]]
        assert not any(password in system.output.read_text() for password in passwords)
    finally:
        assert system.stop() == 0
