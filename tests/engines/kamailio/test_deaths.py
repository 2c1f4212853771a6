"""What the edge survives: its own death, a lost or locked database file, a change while it works."""

import asyncio
import contextlib
import signal
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.engines.kamailio.client import LINES_ONE_BY_ONE, Edge, EdgeRefused
from offhook.engines.kamailio.directory import Directory, credential, edit, lines_like, note_revisions, revisions, write
from offhook.engines.kamailio.render import write_configuration
from offhook.engines.kamailio.settings import EdgeMisconfigured
from offhook.services.ports.registrar import RegistrarAbsent
from tests.engines.kamailio.conftest import CARRIER_IP, DIRECTORY, NEEDS_IPV6, RunningEdge, changed, settings_in
from tests.engines.kamailio.talk import SHORT_SILENCE_SECONDS, Line, NothingCame, Phone, eventually, ha1, reply, token, udp_line
from tests.engines.kamailio.test_calls import answered, invites, preloaded, switch_text, within

pytestmark = pytest.mark.engines


async def test_registrations_and_calls_outlive_a_killed_kamailio(edge: RunningEdge, switch: Line) -> None:
    anna, ben = await edge.phone(), await edge.phone("ben", transport="TCP")
    assert (await anna.registers()).status == (await ben.registers()).status == 200
    before = await edge.client.contacts("anna", "lumen.test")
    call, _, answer = await answered(edge, switch, anna)

    async def written() -> bool:
        with contextlib.closing(sqlite3.connect(edge.settings.database)) as file:
            return bool(file.execute("SELECT count(*) FROM location").fetchone()[0] == 2)

    await eventually(written)
    edge.end(signal.SIGKILL)
    with pytest.raises(RegistrarAbsent, match="Kamailio did not answer"):
        await edge.client.contacts("anna", "lumen.test")
    await edge.start()

    async def back() -> bool:  # the control socket answers a moment before the registrations are read
        return bool(await edge.client.contacts("anna", "lumen.test"))

    await eventually(back)
    (after,) = await edge.client.contacts("anna", "lumen.test")
    assert after.uri == before[0].uri
    assert await edge.client.contacts("ben", "lumen.test") == (), "its TCP connection is gone"
    switch.send(switch_text(edge, "INVITE", after.uri, preloaded(edge), call=token()), edge.inner)
    await anna.line.hear(invites)
    uri, to, routes = within(answer)
    anna.send(anna.text("BYE", uri, *routes, call=call, cseq=3, to=to))
    assert (await switch.hear(lambda m: m.method == "BYE")).one("Call-ID") == call


async def test_what_rings_when_kamailio_is_killed_can_be_cancelled_on_both_sides(edge: RunningEdge, switch: Line) -> None:
    anna, ben = await edge.phone(), await edge.phone("ben")
    call, branch, target = token(), token(), "sip:102@lumen.test"
    challenge = await anna.answer_to(anna.text("INVITE", target, call=call))
    anna.send(anna.text("INVITE", target, anna.proof(challenge, "INVITE", target), call=call, cseq=2, branch=branch))
    from_anna = await switch.hear(invites)
    switch.send(reply(from_anna, 180, "Ringing"), edge.inner)
    await anna.line.hear(lambda m: m.status == 180)
    ours, our_branch = token(), token()
    switch.send(switch_text(edge, "INVITE", ben.contact.strip("<>"), preloaded(edge), call=ours, branch=our_branch), edge.inner)
    at_ben = await ben.line.hear(invites)
    edge.end(signal.SIGKILL)
    await edge.start()
    anna.send(anna.text("CANCEL", target, call=call, cseq=2, branch=branch))
    cancel = await switch.hear(lambda m: m.method == "CANCEL")
    assert cancel.all("Via")[0] == from_anna.all("Via")[0], "the switch knows the INVITE by it"
    switch.send(reply(cancel, 200), edge.inner)
    switch.send(reply(from_anna, 487, "Request Terminated"), edge.inner)
    over = await anna.line.hear(lambda m: m.status == 487)
    assert (over.one("CSeq"), over.source) == ("2 INVITE", edge.phones)
    switch.send(switch_text(edge, "CANCEL", ben.contact.strip("<>"), preloaded(edge), call=ours, branch=our_branch), edge.inner)
    assert (await ben.line.hear(lambda m: m.method == "CANCEL")).all("Via")[0] == at_ben.all("Via")[0]
    ben.send(reply(at_ben, 487, "Request Terminated"))
    assert (await switch.hear(lambda m: m.status == 487)).source == edge.inner


@pytest.mark.parametrize("ip", [CARRIER_IP, pytest.param("::1", marks=NEEDS_IPV6)])
async def test_a_carrier_whose_call_rang_when_kamailio_was_killed_is_answered_by_the_socket_it_knows(
    edge: RunningEdge, switch: Line, ip: str
) -> None:
    line = await udp_line(ip)
    edit(edge.settings.database, {"carriers": {ip: "yes"}})
    await edge.client.reload("carriers")
    at, call = (ip if ip == "::1" else edge.carriers[0], edge.settings.carrier_port), token()
    carrier = Phone(line, at, user="+12065550199", domain="carrier.test")
    carrier.send(carrier.text("INVITE", f"sip:+12065550100@127.0.0.1:{at[1]}", call=call))
    came = await switch.hear(invites)
    switch.send(reply(came, 180, "Ringing"), edge.inner)
    await line.hear(lambda m: m.status == 180)
    edge.end(signal.SIGKILL)
    await edge.start()
    switch.send(reply(came, 503, "Service Unavailable"), edge.inner)
    over = await line.hear(lambda m: m.status == 503)
    assert over.source is not None and over.source[:2] == at
    line.close()


async def test_once_nothing_can_ring_any_more_a_cancel_of_nothing_is_told_so(edge: RunningEdge, switch: Line) -> None:
    """RFC 3261, 9.2; it can be challenged no more than an ACK (22.1)."""
    edge.end()
    edge.settings = replace(edge.settings, longest_ringing_ms=0)
    await edge.start()
    anna = await edge.phone()

    async def told_so() -> bool:
        call = token()
        anna.send(anna.text("CANCEL", "sip:102@lumen.test", call=call))
        try:
            told = await anna.line.hear(lambda m: m.one("Call-ID") == call, SHORT_SILENCE_SECONDS)
        except NothingCame:  # within the first second it is passed on
            return False
        return told.status == 481

    await eventually(told_so)


async def test_a_lost_or_locked_database_file_stops_nobody(edge: RunningEdge, switch: Line) -> None:
    anna, ben = await edge.phone(), await edge.phone("ben")
    with contextlib.closing(sqlite3.connect(edge.settings.database, isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        assert (await anna.registers()).status == 200
        await asyncio.sleep(1.5 * edge.settings.write_back_seconds)
        assert (await ben.registers()).status == 200
        assert len(await edge.client.contacts("anna", "lumen.test")) == 1
        await answered(edge, switch, anna)
        file.execute("COMMIT")

    for path in edge.settings.database.parent.glob("edge.sqlite*"):
        path.unlink()
    assert (await anna.registers()).status == 200
    await asyncio.sleep(1.5 * edge.settings.write_back_seconds)
    assert (await ben.registers()).status == 200
    assert len(await edge.client.contacts("ben", "lumen.test")) == 1
    await answered(edge, switch, ben)
    anna.send(anna.text("INVITE", "sip:911@lumen.test", call=token()))
    assert (await switch.hear(lambda m: invites(m) and "911" in m.uri)).one("X-Offhook-Source") == "emergency"


async def test_a_new_password_and_a_new_organization_count_from_the_reload_on(edge: RunningEdge) -> None:
    anna, carl = await edge.phone(), await edge.phone("carl", domain="oak.test")
    carl.password = "carl-secret"
    assert (await carl.registers()).status == 403
    await anna.registers()
    people = {who: secret for who, secret in DIRECTORY.credentials.items() if who != ("ben", "lumen.test")}
    people |= {
        ("anna", "lumen.test"): (ha1("anna", "lumen.test", "new"), "anna"),
        ("carl", "oak.test"): (ha1("carl", "oak.test", "carl-secret"), "carl"),
    }
    write(edge.settings.database, changed(credentials=people))
    await edge.client.reload()
    assert (await carl.registers()).status == 200
    assert (await anna.registers()).status == 401
    anna.password = "new"
    assert (await anna.registers()).status == 200
    assert (await (await edge.phone("ben")).registers()).status == 401
    assert len(await edge.client.contacts("anna", "lumen.test")) == 1, "a new directory leaves registrations alone"


async def test_lines_of_the_directory_count_at_once_and_after_a_restart(edge: RunningEdge) -> None:
    secret = ha1("anna", "lumen.test", "new")
    lines: dict[str, dict[str, str | None]] = {
        "credentials": {"anna@lumen.test": credential(secret, "anna"), "ben@lumen.test": None, "nobody@lumen.test": None},
        "domains": {"oak.test": "yes", "pine.test": None},
    }
    anna, ben, paul = await edge.phone(), await edge.phone("ben"), await edge.phone("paul", domain="pine.test")
    assert (await anna.registers()).status == 200
    anna.password = "new"
    assert (await anna.registers()).status == 401
    edit(edge.settings.database, lines)
    await edge.client.take_up(lines)
    for _ in range(2):
        assert ((await anna.registers()).status, (await ben.registers()).status) == (200, 401)
        paul.password = "paul-secret"
        assert (await paul.registers()).status == 403
        edge.end()
        await edge.start()
        anna, ben, paul = await edge.phone(), await edge.phone("ben"), await edge.phone("paul", domain="pine.test")
        anna.password = "new"


async def test_many_lines_are_read_from_the_file_at_once(edge: RunningEdge) -> None:
    crowd: dict[str, str | None] = {f"user{number}@lumen.test": credential("0" * 32, "ben") for number in range(LINES_ONE_BY_ONE)}
    lines = {"credentials": crowd | {"anna@lumen.test": credential(ha1("anna", "lumen.test", "new"), "anna")}}
    edit(edge.settings.database, lines)
    await edge.client.take_up(lines)
    anna = await edge.phone()
    assert (await anna.registers()).status == 401
    anna.password = "new"
    assert (await anna.registers()).status == 200
    assert lines_like(edge.settings.database, "credentials", "user1[01]@*").keys() == {"user10@lumen.test", "user11@lumen.test"}


def test_the_file_remembers_what_was_taken_up_from_it(folder: Path) -> None:
    path = folder / "edge.sqlite"
    assert revisions(path) == {}
    write(path, changed(revisions={1: 7, 2: 9}))
    note_revisions(path, {1: 8, 2: None, 3: 1})
    assert revisions(path) == {1: 8, 3: 1}


async def test_nobody_is_refused_while_the_directory_is_reloaded(edge: RunningEdge) -> None:
    crowd = {(f"user{number}", "lumen.test"): ("0" * 32, f"user{number}") for number in range(20_000)}
    write(edge.settings.database, changed(credentials={**DIRECTORY.credentials, **crowd}))
    anna, statuses, done = await edge.phone(), [], asyncio.Event()

    async def register() -> None:
        while not done.is_set():
            statuses.append((await anna.registers()).status)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(register())
    for _ in range(10):
        await edge.client.reload()
    done.set()
    await task
    assert set(statuses) == {200}
    assert len(statuses) >= 3


async def test_a_reload_without_a_file_keeps_what_was_known(edge: RunningEdge) -> None:
    with contextlib.closing(sqlite3.connect(edge.settings.database)) as file:
        file.execute("DROP TABLE credentials")
        file.commit()
    with pytest.raises(EdgeRefused):
        await edge.client.reload()
    assert (await (await edge.phone()).registers()).status == 200


def test_write_replaces_the_directory_and_leaves_registrations(folder: Path) -> None:
    path = folder / "edge.sqlite"
    write(path, DIRECTORY)
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("INSERT INTO location (ruid, username) VALUES ('r', 'anna')")
        file.commit()
        write(path, Directory({("x", "y.test"): ("1" * 32, "xaver")}, {}, ()))
        assert file.execute("SELECT username FROM location").fetchall() == [("anna",)]
        assert file.execute("SELECT key_name, key_value FROM credentials").fetchall() == [("x@y.test", "1" * 32 + ":xaver")]
        assert file.execute("SELECT key_name FROM domains").fetchall() == [("y.test",)]
        assert file.execute("SELECT count(*) FROM carriers").fetchone() == (0,)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("user, secret", [("Anna", "1" * 32), ("anna", "password"), ("anna", "A" * 32)])
def test_a_credential_that_could_never_match_is_refused(folder: Path, user: str, secret: str) -> None:
    with pytest.raises(ValueError, match="lower"):
        write(folder / "edge.sqlite", Directory({(user, "lumen.test"): (secret, "anna")}, {}, ()))


async def test_a_folder_too_deep_for_a_socket_is_named(folder: Path) -> None:
    with pytest.raises(EdgeMisconfigured, match="run_folder"):
        settings_in(folder / ("x" * 100))


def test_the_configuration_is_readable_by_its_owner_alone(folder: Path) -> None:
    assert write_configuration(settings_in(folder)).stat().st_mode & 0o777 == 0o600


async def test_a_dead_edge_is_named_within_a_second_or_so(folder: Path) -> None:
    started = time.monotonic()
    with pytest.raises(RegistrarAbsent, match=r"ul\.lookup"):
        await Edge(settings_in(folder)).contacts("anna", "lumen.test")
    assert time.monotonic() - started < 5
