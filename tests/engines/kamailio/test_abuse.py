"""Floods, scanners, guesses and made-up routes: what the edge answers, and who goes on undisturbed."""

import asyncio
import re
import time
from dataclasses import replace

import pytest

from tests.engines.kamailio.conftest import RunningEdge
from tests.engines.kamailio.talk import Line, Message, Phone, eventually, free_ports, reply, tcp_line, token, udp_line
from tests.engines.kamailio.test_calls import answered, invites, preloaded, switch_text, within

pytestmark = pytest.mark.engines
ATTACKER = "127.0.9.1"
WRONGS = (
    ("CSeq: 1 INVITE", "CSeq: 1 BYE"),
    ("CSeq", "XSeq"),
    ("Max-Forwards: 70", "Max-Forwards: 0"),
    ("SIP/2.0\r\n", "SIP/9.0\r\n"),
    ("sip:102@lumen.test", "http://x"),
    ("From:", "From: <sip:a@b>;tag=2\r\nFrom:"),
    ("\r\n\r\n", f"\r\nX-Long: {'a' * 9000}\r\n\r\n"),
)


def anatomy(message: Message) -> str:
    """An answer without what differs in any two answers."""
    return re.sub(r'nonce="[^"]*"|branch=\S+|tag=\S+|rport=\d+|Call-ID: \S+', "", message.text)


async def test_a_wrong_password_and_an_unknown_user_look_the_same(edge: RunningEdge) -> None:
    anna, nobody = await edge.phone(), await edge.phone("mary")
    nobody.line = anna.line
    anna.password = nobody.password = "wrong"
    first, second = await anna.registers(), await nobody.registers()
    assert first.status == second.status == 401
    assert anatomy(first).replace("anna", "mary") == anatomy(second)
    assert re.search(r"edge\.wrong_password user=anna@lumen\.test source=udp:127\.0\.0\.1:\d+: .*correct the password", edge.log)
    assert re.search(r"edge\.unknown_user user=mary@lumen\.test source=udp:127\.0\.0\.1:\d+: ", edge.log)
    assert await edge.client.contacts("anna", "lumen.test") == ()


async def test_an_unknown_domain_and_another_organizations_user_are_refused(edge: RunningEdge) -> None:
    stranger = await edge.phone("anna", domain="nowhere.test")
    assert (await stranger.registers()).status == 403
    assert "edge.unknown_domain domain=nowhere.test" in edge.log
    anna = await edge.phone("anna")
    anna.domain = "pine.test"
    assert (await anna.registers()).status == 401
    anna = await edge.phone("anna")
    answer = await anna.ask("REGISTER", "sip:lumen.test", to="<sip:ben@lumen.test>", sender="<sip:anna@lumen.test>")
    assert answer.status == 403
    assert "edge.identity_refused" in edge.log


async def test_a_call_in_the_name_of_another_is_refused(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone("anna")
    for sender in ("<sip:ben@lumen.test>", "<sip:anna@pine.test>"):
        call, uri = token(), "sip:102@lumen.test"
        challenge = await anna.answer_to(anna.text("INVITE", uri, call=call, sender=sender))
        assert challenge.status == 407
        answer = await anna.answer_to(anna.text("INVITE", uri, anna.proof(challenge, "INVITE", uri), call=call, cseq=2, sender=sender))
        assert answer.status in (403, 407)
    await switch.hears_nothing()


async def test_a_second_credential_lends_nobody_a_name(edge: RunningEdge, switch: Line) -> None:
    """Two headers: the first names ben, the second is anna's own right proof."""
    anna = await edge.phone("anna")
    call, uri = token(), "sip:102@lumen.test"
    challenge = await anna.answer_to(anna.text("INVITE", uri, call=call, sender="<sip:ben@lumen.test>"))
    bens = 'Proxy-Authorization: Digest username="ben", realm="other.test", nonce="x", uri="x", response="0123456789abcdef0123456789abcdef"'
    proofs = (bens, anna.proof(challenge, "INVITE", uri))
    for lines in (proofs, proofs[::-1]):
        answer = await anna.answer_to(anna.text("INVITE", uri, *lines, call=call, cseq=2, sender="<sip:ben@lumen.test>"))
        assert answer.status in (403, 407)
    await switch.hears_nothing()


async def test_a_call_without_a_password_never_reaches_the_switch(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    await anna.registers()
    text = anna.text("INVITE", "sip:102@lumen.test", call=token())
    assert (await anna.answer_to(text)).status == 407
    forged = f"Route: <sip:127.0.0.1:{edge.settings.inner_port};lr;tk=d00000000000000000000000000000000>"
    for to, extra in (("<sip:102@lumen.test>;tag=x", ()), ("<sip:102@lumen.test>;tag=x", (forged,)), ("<sip:102@lumen.test>", (forged,))):
        answer = await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", *extra, call=token(), to=to))
        assert answer.status in (407, 481)
    await switch.hears_nothing()


async def test_only_the_switch_may_use_the_inner_port(edge: RunningEdge, switch: Line) -> None:
    stranger = await edge.phone()
    stranger.edge = edge.inner
    stranger.send(stranger.text("INVITE", f"sip:ben@127.0.0.1:{stranger.line.address[1]}", call=token()))
    await stranger.line.hears_nothing()
    assert "edge.inner_refused" in edge.log


async def test_nobody_makes_us_a_relay(edge: RunningEdge, switch: Line) -> None:
    anna, victim = await edge.phone(), await udp_line("127.0.7.7")
    ip, port = victim.address
    target = f"sip:x@{ip}:{port}"
    route = f"Route: <sip:{edge.phones[0]}:{edge.phones[1]};lr>, <sip:{ip}:{port};lr>"
    for method in ("INVITE", "BYE", "ACK", "MESSAGE", "OPTIONS", "INFO"):
        for to in (f"<{target}>", f"<{target}>;tag=x"):
            for extra in ((), (route,)):
                anna.send(anna.text(method, target, *extra, call=token(), to=to))
    # A ticket of a real call, with a target and a further Route of another's choice, leads to the switch alone.
    call, _, answer = await answered(edge, switch, anna)
    _, to, routes = within(answer)
    anna.send(anna.text("BYE", target, *routes, f"Route: <sip:{ip}:{port};lr>", call=call, cseq=3, to=to))
    assert (await switch.hear(lambda m: m.method == "BYE")).uri == target
    # Another call's ticket is none.
    assert (await anna.answer_to(anna.text("BYE", target, *routes, call=token(), to=to))).status == 481
    # A reply that nobody asked for, its Via naming the victim.
    vias = "".join(f"Via: SIP/2.0/UDP {at}:{number};branch=z9hG4bK{number}\r\n" for at, number in (edge.phones, victim.address))
    rest = f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: {token()}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    anna.send(f"SIP/2.0 200 OK\r\n{vias}{rest}")
    await victim.hears_nothing()
    assert "edge.relay_refused" in edge.log


async def banned(edge: RunningEdge, source: str, user: str | None = None) -> bool:
    return any((ban.source, ban.user) == (source, user) for ban in await edge.client.bans())


async def test_a_flood_is_banned_and_others_go_on(edge: RunningEdge) -> None:
    attacker, anna = await edge.phone(ip=ATTACKER), await edge.phone()
    for number in range(400):
        attacker.send(attacker.text("OPTIONS", "sip:lumen.test", call=f"f{number}"))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: banned(edge, ATTACKER))
    assert (await anna.registers()).status == 200
    with pytest.raises(AssertionError):
        await attacker.answer_to(attacker.text("OPTIONS", "sip:lumen.test", call=token()), 1.0)
    assert edge.log.count("edge.flood source=udp:127.0.9.1") == 1
    assert "edge.banned source=127.0.9.1 reason=flood" in edge.log
    counters = await edge.client.counters()
    assert counters["blocked"] > 0 and counters["bans_now"] == 1
    assert 0 < counters["memory_free"] < edge.settings.shared_memory_mb << 20

    await edge.client.unban(ATTACKER)
    assert not await banned(edge, ATTACKER)
    assert (await edge.client.counters())["bans_now"] == 0


async def test_a_guesser_is_banned_by_user_and_then_by_source(edge: RunningEdge) -> None:
    attacker, neighbour, anna = await edge.phone(ip=ATTACKER), await edge.phone("ben", ip=ATTACKER), await edge.phone()
    attacker.password = "wrong"
    for _ in range(edge.settings.guesses_by_user):
        assert (await attacker.registers()).status == 401
    assert await banned(edge, ATTACKER, "anna@lumen.test")
    attacker.password = "anna-secret"
    assert (await attacker.registers()).status == 403
    assert (await neighbour.registers()).status == 200
    assert (await anna.registers()).status == 200

    await edge.client.unban(ATTACKER)
    assert (await attacker.registers()).status == 200

    await guess(edge, attacker)
    attacker.user = "user1"
    assert await silent_or_status(attacker) is None
    assert (await neighbour.registers()).status == 200, "registered, at an address and port of its own"
    assert (await anna.registers()).status == 200


async def guess(edge: RunningEdge, phone: Phone) -> None:
    """Look for passwords until the address is banned."""
    phone.password = "wrong"
    for number in range(edge.settings.guesses_by_source):
        phone.user = f"user{number}"
        await silent_or_status(phone)
    assert await banned(edge, phone.line.address[0])


async def silent_or_status(phone: Phone) -> int | None:
    try:
        return (await phone.ask("REGISTER", "sip:lumen.test", to=f"<sip:{phone.user}@lumen.test>", seconds=1.0)).status
    except AssertionError:
        return None


async def scans(scanner: Phone, times: int) -> None:
    """Say a scanner's name so often; nobody answers."""
    scanner.agent = "friendly-scanner"
    for _ in range(times):
        scanner.send(scanner.text("OPTIONS", "sip:lumen.test", call=token()))
    await scanner.line.hears_nothing(seconds=0.3)


async def test_a_scanner_is_not_answered_and_banned_if_it_goes_on_unless_trusted(edge: RunningEdge) -> None:
    scanner, honest = await edge.phone("mary", ip=ATTACKER), await edge.phone(ip=ATTACKER)
    await scans(scanner, edge.settings.guesses_by_source - 1)
    assert await edge.client.bans() == ()
    assert (await honest.ask("OPTIONS", "sip:lumen.test")).status == 200, "one forged packet silences nobody"
    await scans(scanner, 1)
    assert await banned(edge, ATTACKER)
    assert edge.log.count("edge.scanner source=udp:127.0.9.1") == 1
    edge.end()
    edge.settings = replace(edge.settings, trusted=("127.0.9.0/24",))
    await edge.start()
    for number in range(3 * edge.settings.flood_requests):
        scanner.send(scanner.text("OPTIONS", "sip:lumen.test", call=f"t{number}"))
    assert (await scanner.registers()).status == 401, "trusted, but without a password still nobody"
    assert await edge.client.bans() == ()


async def test_what_is_forged_bans_no_address_of_telephones(edge: RunningEdge) -> None:
    """UDP proves no address: a scanner's name, an unknown domain, a flood, a call that claims to be a carrier's."""
    anna, ben, forger = await edge.phone(ip=ATTACKER), await edge.phone("ben", ip=ATTACKER), await edge.phone("mary", ip=ATTACKER)
    await anna.registers()
    await scans(forger, 2 * edge.settings.guesses_by_source)
    for port in (edge.phones, edge.carriers):
        for number in range(2 * edge.settings.guesses_by_source):
            forger.edge = port
            forger.send(forger.text("INVITE", "sip:1@nowhere.test", call=f"{port}{number}", sender="<sip:x@nowhere.test>"))
    forger.edge = edge.phones
    for number in range(2 * edge.settings.flood_requests):
        forger.send(forger.text("OPTIONS", "sip:lumen.test", call=f"f{number}"))
    assert (await anna.registers()).status == 200, "in the middle of it"
    assert (await ben.registers()).status == 200, "and another telephone there once it is over"
    assert await edge.client.bans() == ()


async def test_a_wrong_password_counts_only_where_its_nonce_was_given_to(edge: RunningEdge) -> None:
    """Else whoever is given one could have another address banned, by packets that claim to come from there."""
    own, victim = await edge.phone(ip=ATTACKER), await edge.phone()
    own.password = "wrong"
    uri, me = "sip:lumen.test", "<sip:anna@lumen.test>"
    for _ in range(2 * edge.settings.guesses_by_user):
        call = token()
        challenge = await own.answer_to(own.text("REGISTER", uri, call=call, to=me))
        forged = victim.text("REGISTER", uri, own.proof(challenge, "REGISTER", uri), call=call, cseq=2, to=me)
        assert "stale=true" in (await victim.answer_to(forged)).one("WWW-Authenticate")
    assert await edge.client.bans() == ()
    assert (await victim.registers()).status == 200
    assert (await edge.client.counters())["wrong_passwords"] == 0


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
async def test_what_was_overheard_cannot_be_sent_again(edge: RunningEdge, switch: Line, method: str) -> None:
    """From the same address, as behind one NAT, with a Contact of the listener's."""
    anna, thief = await edge.phone(), await edge.phone()
    uri = "sip:lumen.test" if method == "REGISTER" else "sip:102@lumen.test"
    me, call = "<sip:anna@lumen.test>", token()
    challenge = await anna.answer_to(anna.text(method, uri, call=call, to=me))
    proof = anna.proof(challenge, method, uri)
    anna.send(anna.text(method, uri, proof, call=call, cseq=2, to=me))
    if method == "REGISTER":
        await anna.line.hear(lambda m: m.status == 200)
    else:
        await switch.hear(invites)
    answer = await thief.answer_to(thief.text(method, uri, proof, call=call, cseq=2, to=me))
    assert answer.status == challenge.status and "stale=true" in answer.text
    assert all(str(thief.line.address[1]) not in contact.uri for contact in await edge.client.contacts("anna", "lumen.test"))
    await switch.hears_nothing(invites, seconds=0.2)
    assert (await anna.registers()).status == 200


async def test_guesses_at_one_user_from_everywhere_are_told_and_lock_nobody_out(edge: RunningEdge) -> None:
    edge.end()
    edge.settings = replace(edge.settings, guesses_of_user=6)
    await edge.start()
    for number in range(8):
        attacker = await edge.phone(ip=f"127.0.9.{10 + number}")
        attacker.password = "wrong"
        assert (await attacker.registers()).status == 401
    assert edge.log.count("edge.guessed_at user=anna@lumen.test") == 1
    assert (await edge.client.counters())["guessed_users"] == 1
    assert await edge.client.bans() == ()
    assert (await (await edge.phone()).registers()).status == 200


async def test_counts_of_forged_sources_are_bounded(edge: RunningEdge) -> None:
    """There is no end of addresses that a packet may claim; what is counted of them must fit in memory."""
    edge.end()
    edge.settings = replace(edge.settings, new_sources_per_second=5)
    await edge.start()
    scanners = [await edge.phone(ip=f"127.0.10.{number}") for number in range(1, 60)]
    for scanner in scanners:
        scanner.agent = "sipvicious"
        scanner.send(scanner.text("OPTIONS", "sip:lumen.test", call=token()))
    assert (await (await edge.phone()).registers()).status == 200
    counted = [entry for slot in await edge.client._ask("htable.dump", "guesses") for entry in slot["slot"]]
    assert 5 <= len(counted) <= 15, "those of a second, or of two where one ended meanwhile"
    attacker = await edge.phone(ip=ATTACKER)
    await guess(edge, attacker)


async def test_a_telephone_that_moves_on_and_on_is_not_remembered_for_ever(edge: RunningEdge) -> None:
    edge.end()
    edge.settings = replace(edge.settings, contacts_per_user=1)
    await edge.start()
    for _ in range(14):
        anna = await edge.phone()
        await anna.registers(contact="<sip:anna@127.0.0.1:5999>")
    held = [entry["name"] for slot in await edge.client._ask("htable.dump", "sources") for entry in slot["slot"]]
    assert len([name for name in held if name.startswith("sip:")]) == 10


async def test_sipvicious_finds_no_user(edge: RunningEdge) -> None:
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/svwar", "-P", str(free_ports(1)[0]), "-e", "100-140", "-m", "INVITE", "--force", "--maximumtime=3",
        f"udp://127.0.0.1:{edge.settings.sip_port}", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert b"reqauth" not in output and b"noauth" not in output, output
    assert "edge.scanner source=udp:127.0.0.1" in edge.log
    assert (await (await edge.phone()).registers()).status == 200


async def test_half_open_connections_block_nobody_and_are_closed(edge: RunningEdge) -> None:
    half = [await asyncio.open_connection(*edge.phones, local_addr=(ATTACKER, 0)) for _ in range(60)]
    for number, (_, writer) in enumerate(half):
        writer.write(b"REGISTER sip:lumen.test SIP/2.0\r\nVia: SIP/2.0/TCP 1.2.3.4\r\n" if number % 2 else b"")
    anna = await edge.phone(transport="TCP")
    started = time.monotonic()
    assert (await anna.registers()).status == 200
    assert time.monotonic() - started < 5
    for reader, writer in half:
        assert await asyncio.wait_for(reader.read(100), 20) == b""
        writer.close()
    await asyncio.sleep(0.2)
    assert (await anna.ask("OPTIONS", "sip:lumen.test")).status == 200, "a registered phone's connection outlives its silence"


async def test_rubbish_is_dropped_or_refused_and_others_go_on(edge: RunningEdge, switch: Line) -> None:
    line = await udp_line("127.0.9.4")
    anna = await edge.phone()
    good = anna.text("INVITE", "sip:102@lumen.test", call=token())
    rubbish = [
        "", "\r\n", "\0" * 500, "INVITE", "INVITE sip:x SIP/2.0\r\n\r\n", good[: len(good) // 2],
        *(good.replace(right, wrong, 1) for right, wrong in WRONGS),
    ]  # fmt: skip
    for text in rubbish:
        line.send(text, edge.phones)
    assert (await anna.registers()).status == 200, edge.log
    await switch.hears_nothing(seconds=0.3)
    tcp = await tcp_line(edge.phones, "127.0.9.4")
    tcp.send("\x16\x03\x01 this is not SIP\r\n\r\n", edge.phones)
    assert (await anna.registers()).status == 200


async def test_an_alias_made_up_by_a_phone_leads_nowhere(edge: RunningEdge, switch: Line) -> None:
    anna, victim = await edge.phone(), await udp_line("127.0.7.8")
    ip, port = victim.address
    forged = anna.contact.replace(">", f";alias={ip}~{port}~1>")
    assert (await anna.ask("INVITE", "sip:102@lumen.test", contact=forged)).status == 400
    await anna.registers(contact=forged)
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    assert contact.uri.count("alias=") == 1
    switch.send(switch_text(edge, "INVITE", contact.uri, preloaded(edge), call=token()), edge.inner)
    invite = await anna.line.hear(invites)
    anna.send(reply(invite, 200, contact=forged))
    await switch.hears_nothing(lambda m: m.status == 200)
    await victim.hears_nothing(seconds=0.2)
