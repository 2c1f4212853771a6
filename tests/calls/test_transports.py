"""Telephones over UDP, TCP and TLS, IPv4 and IPv6, call each other and are heard; a certificate changes under a call that stands."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.intercom import Refused, ask
from offhook.phones.calls import Who
from offhook.phones.registration import RegistrationRefused
from offhook.phones.waiting import NotInTime
from offhook.supervisor.certificates import CertificateFolder, now_utc
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system
from tests.engines.kamailio.conftest import IPV6, NEEDS_IPV6

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that speaks IPv6 too, where there is any."""
    settings = {"OFFHOOK_ADDRESS6": "::1"} if IPV6 else {}
    running = start_system(tmp_path_factory.mktemp("transports") / "var", **settings)
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.mark.parametrize("caller, called", [("udp", "tls"), ("tls", "tcp"), ("tcp", "udp"), ("tls", "tls")])
async def test_telephones_of_any_transport_call_each_other(system: System, caller: str, called: str) -> None:
    async with registered(system.phone("anna", transport=caller), system.phone("ben", transport=called)) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await (call if called == "tls" else other).hangs_up()
        await told(system, call, "completed.by_caller" if called == "tls" else "completed.by_callee")
        assert (await other.ended()).status == (await call.ended()).status


@NEEDS_IPV6
@pytest.mark.parametrize(
    "caller, called", [(("udp", True), ("udp", False)), (("tls", False), ("tcp", True)), (("tls", True), ("tls", True))]
)
async def test_ipv6_and_ipv4_call_each_other(system: System, caller: tuple[str, bool], called: tuple[str, bool]) -> None:
    one = system.phone("anna", transport=caller[0], ipv6=caller[1])
    two = system.phone("ben", transport=called[0], ipv6=called[1])
    async with registered(one, two) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await other.holds()
        await other.resumes()
        await hear_each_other(call, other)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert ("[::1]" in json.dumps(answer["explanation"])) is (caller[1] or called[1])


@NEEDS_IPV6
@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_a_telephone_with_ipv6_alone_leaves_the_offer_to_us(system: System, transport: str) -> None:
    async with registered(system.phone("anna", transport=transport, ipv6=True), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", offerless=True)
        other = await ben.rings(PATIENCE_SECONDS)
        await other.answers()
        await call.answered(PATIENCE_SECONDS)
        assert call.answer is not None and b"c=IN IP6 ::1" in call.answer.body
        await hear_each_other(call, other)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_certificate_changes_under_a_call_that_stands(system: System) -> None:
    async with registered(system.phone("anna", transport="tls"), system.phone("ben", transport="tls")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        server = system.plan.tls_folder / "server.pem"
        before = server.read_bytes()
        server.write_text("spoilt")
        (shown,) = await ask(system.plan.supervisor_desk, "reload_certificates", timeout_seconds=10)
        assert shown["own"] and "lumen.test" in shown["names"] and "127.0.0.1" in shown["names"]
        assert server.read_bytes() not in (before, b"spoilt")
        await hear_each_other(call, other)
        await other.holds()
        await other.resumes()
        await hear_each_other(call, other)
        async with registered(system.phone("ben", transport="tls")):
            pass
        await other.hangs_up()
        await told(system, call, "completed.by_callee")


async def test_a_telephone_that_trusts_another_authority_does_not_register(system: System) -> None:
    stranger = system.phone("anna", transport="tls", authority="/etc/ssl/certs/ca-certificates.crt")
    async with stranger:
        with pytest.raises((NotInTime, RegistrationRefused)):
            await stranger.register(patience=2)


async def test_a_telephone_over_tls_that_is_gone_is_not_rung(system: System) -> None:
    async with registered(system.phone("anna")) as (anna,), registered(system.phone("ben", transport="tls")) as (ben,):
        await ben.vanish()
        call = await anna.dials("102")
        assert (await call.ended(20)).status == 480


def test_an_address_this_machine_does_not_have_is_named(system: System) -> None:
    with pytest.raises(AssertionError, match=r"no address 2001:db8::77; correct OFFHOOK_ADDRESS6|no IPv6; remove OFFHOOK_ADDRESS6"):
        start_system(system.folder.parent / "none", OFFHOOK_ADDRESS6="2001:db8::77")


def test_a_key_that_is_not_there_stops_the_start_by_its_name(system: System) -> None:
    with pytest.raises(AssertionError, match=r"OFFHOOK_TLS_CERTIFICATE: /nowhere/cert.pem cannot be read"):
        start_system(
            system.folder.parent / "unsigned",
            OFFHOOK_TLS_CERTIFICATE="/nowhere/cert.pem",
            OFFHOOK_TLS_KEY="/nowhere/key.pem",
            OFFHOOK_RTP_PORTS="16500-16599",  # out of the way of other systems
        )


async def test_an_operators_own_certificate_is_shown_replaced_and_kept_when_the_new_one_is_none(tmp_path: Path) -> None:
    operators = CertificateFolder(tmp_path / "operator", ("127.0.0.1", "pbx.example"))
    operators.bring_up_to_date(now_utc())
    files = {"OFFHOOK_TLS_CERTIFICATE": str(operators.server), "OFFHOOK_TLS_KEY": str(operators.server)}
    running = start_system(tmp_path / "var", OFFHOOK_RTP_PORTS="16600-16699", **files)
    try:
        assert not (running.plan.tls_folder / "authority.pem").exists()
        async with registered(running.phone("anna", transport="tls", authority=operators.authority)):
            pass
        replace(operators, names=("127.0.0.1", "new.example")).bring_up_to_date(now_utc())
        (shown,) = await ask(running.plan.supervisor_desk, "reload_certificates", timeout_seconds=10)
        assert (shown["own"], set(shown["names"])) == (False, {"127.0.0.1", "new.example"})
        operators.server.write_text("spoilt")
        with pytest.raises(Refused, match="OFFHOOK_TLS_CERTIFICATE"):
            await ask(running.plan.supervisor_desk, "reload_certificates", timeout_seconds=10)
        async with registered(running.phone("ben", transport="tls", authority=operators.authority)):
            pass
    finally:
        assert running.stop() == 0


async def test_a_call_over_tls_outlives_the_death_of_the_edge_and_the_other_side_can_hang_up(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben", transport="tls")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        assert ben.registration is not None
        times, dead = ben.registration.registered, system.pids()["kamailio"]
        os.kill(dead, signal.SIGKILL)
        await eventually(lambda: system.pids()["kamailio"] not in (None, dead), "another Kamailio")
        await hear_each_other(call, other)
        await eventually(lambda: ben.registration is not None and ben.registration.registered > times, "ben's telephone connecting anew")
        await call.hangs_up()
        assert (await other.ended()).who is Who.THEM
        await told(system, call, "completed.by_caller")
    await assert_nothing_is_left(system)
