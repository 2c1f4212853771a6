"""People sign in: who is let in, who must wait, and when a session ends."""

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from httpx import AsyncClient, Response

from offhook.domain.access import EVERYTHING, SCOPES_OF, Role
from offhook.services import passwords, sign_in
from offhook.services.passwords import HASHER, NOBODYS, Hashing
from offhook.services.sign_in import SignIns
from offhook.services.throttle import Throttle
from offhook.services.users import change_user
from tests.doors.rooms import World

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "a few words of her own"
ANNA = "anna@lumen.test"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is not what most of these tests are about."""
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    monkeypatch.setattr(passwords, "NOBODYS", QUICK.hash("nobody's"))


async def lets_in(world: World, username: str = "anna", password: str = GOOD, role: Role | None = None) -> None:
    """The organization's own token lets somebody sign in."""
    if role:
        change_user(world.database, world.lumen.profile.id, username, {"role": role}, who="tests")
    async with world.client(world.lumen.token) as client:
        answer = await client.put(f"/api/v1/users/{username}/sign-in", json={"password": password})
    assert answer.status_code == 200, answer.text


async def tries(world: World, password: str = GOOD, username: str = ANNA) -> Response:
    async with world.client(None) as client:
        return await client.post("/api/v1/sign-in", json={"username": username, "password": password})


async def token_of(world: World, username: str = ANNA) -> str:
    answer = await tries(world, username=username)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def passwords_of(world: World) -> list[dict[str, Any]]:
    with world.database.view(world.lumen.profile.id) as transaction:
        return [dict(change.after) for change in transaction.history.since(0) if change.kind == "password" and change.after]


@pytest.mark.parametrize("role", [None, *Role])
async def test_who_signs_in_may_do_what_the_role_may_for_half_a_day(world: World, role: Role | None) -> None:
    await lets_in(world, role=role)
    answer = await tries(world, username=" Anna@Lumen.TEST ")
    told = answer.json()
    scopes = sorted(SCOPES_OF[role]) if role else []
    assert (told["scopes"], told["user"]["role"], told["organization"]) == (scopes, role, "lumen.test")
    async with world.client(told["token"]) as client:
        me = (await client.get("/api/v1/me")).json()
    assert me["scopes"] == scopes and me["user"]["username"] == "anna" and me["label"] == ANNA
    assert me["expires_at"] == told["expires_at"]
    with world.database.view(world.lumen.profile.id) as transaction:
        (entry,) = transaction.tokens.of_user(world.lumen.users[0].user.id)
    assert entry.expires_at is not None and abs(entry.expires_at - time.time() - 12 * 3600) < 60


async def test_the_hash_is_argon2id_and_the_history_says_only_that_it_was_set(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", HASHER)
    await lets_in(world)
    with world.database.view(world.lumen.profile.id) as transaction:
        kept = transaction.users.password(world.lumen.users[0].user.id)
    assert kept and kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$") and not HASHER.check_needs_rehash(NOBODYS)
    assert [each["hash"] for each in passwords_of(world)] == ["set"]


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (ANNA, "a few other words"),
        ("nobody@lumen.test", GOOD),
        ("anna@nowhere.test", GOOD),
        ("anna@pine.test", GOOD),
        ("anna", GOOD),
        ("", ""),
        ("@", "@"),
        ("anna\x00@lumen.test", GOOD),
        ("ben@lumen.test", GOOD),  # who was given no password
        (ANNA, ""),
    ],
)
async def test_whoever_is_not_let_in_is_told_the_same(world: World, username: str, password: str) -> None:
    await lets_in(world)
    answer = await tries(world, password, username)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (401, "sign_in.wrong")
    assert told == (await tries(world, "wrong as wrong can be", "zoe@zoo.test")).json()


async def test_as_much_is_computed_for_who_is_not_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same time, told by what is computed: time itself is nothing to assert on."""
    await lets_in(world)
    looked_at: list[str] = []
    real = passwords._matches

    def noted(hash: str, password: str) -> bool:
        looked_at.append(hash)
        return real(hash, password)

    monkeypatch.setattr(passwords, "_matches", noted)
    for username in ("nobody@lumen.test", "x@y.test", "ben@lumen.test", ANNA):
        await tries(world, "wrong as wrong can be", username)
    assert looked_at[:3] == [passwords.NOBODYS] * 3 and len(looked_at) == 4
    assert looked_at[3] != passwords.NOBODYS and not QUICK.check_needs_rehash(looked_at[3])


async def test_nobodys_hash_opens_nothing() -> None:
    assert await Hashing().matches(QUICK.hash("nobody's"), "nobody's") is True
    assert await Hashing().matches(None, "nobody's") is False


async def test_a_guesser_waits_longer_each_time_and_a_right_password_waits_with_it(world: World) -> None:
    await lets_in(world)
    for _ in range(6):
        assert (await tries(world, "wrong as wrong can be")).status_code == 401
    answer = await tries(world)
    assert (answer.status_code, answer.json()["code"]) == (429, "sign_in.throttled")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (await tries(world, username="ben@lumen.test")).status_code == 401  # somebody else's account


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(world: World) -> Iterator[Clock]:
    clock = Clock()
    accounts, addresses = Throttle(5, 60.0, clock=clock), Throttle(20, 60.0, clock=clock)
    world.app.state.house.sign_ins.__init__(None, accounts, addresses)
    yield clock


async def test_who_is_throttled_for_ever_is_let_in_after_a_minute(world: World, clock: Clock) -> None:
    await lets_in(world)
    for _ in range(40):
        await tries(world, "wrong as wrong can be")
        clock.now += 61
    await tries(world, "wrong as wrong can be")
    for _ in range(100):  # these are not even counted
        assert (await tries(world, "wrong as wrong can be")).status_code == 429
    clock.now += 60
    assert (await tries(world)).status_code == 200


async def test_guesses_from_elsewhere_do_not_keep_the_owner_out(world: World, clock: Clock) -> None:
    await lets_in(world)
    assert (await tries(world)).status_code == 200
    sign_ins: SignIns = world.app.state.house.sign_ins
    for number in range(30):
        with pytest.raises((sign_in.WrongSignIn, sign_in.TooManySignIns)):
            await sign_ins.sign_in(world.database, ANNA, "wrong as wrong can be", f"198.51.100.{number}")
    with pytest.raises(sign_in.TooManySignIns):
        await sign_ins.sign_in(world.database, ANNA, GOOD, "198.51.100.99")
    assert (await tries(world)).status_code == 200


async def test_an_address_that_guesses_at_many_is_throttled_for_all(world: World, clock: Clock) -> None:
    await lets_in(world)
    for number in range(21):
        assert (await tries(world, "wrong as wrong can be", f"user{number}@lumen.test")).status_code == 401
    assert (await tries(world)).status_code == 429
    clock.now += 1
    assert (await tries(world)).status_code == 200
    clock.now += 1
    assert (await tries(world, "wrong as wrong can be", "user30@lumen.test")).status_code == 401
    # One success took back itself and not the guesses before it.
    assert (await tries(world)).status_code == 429


async def test_many_who_guess_at_once_are_counted_before_they_are_answered(world: World) -> None:
    await lets_in(world)
    answers = await asyncio.gather(*(tries(world, "wrong as wrong can be") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 6 + [429] * 6


async def test_hashes_are_computed_one_at_a_time_and_give_way() -> None:
    hashing, at_once, most = Hashing(), 0, 0
    lock, niceness = threading.Lock(), set()

    def work() -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        time.sleep(0.005)
        with lock:
            at_once -= 1
        return 1

    before = os.getpriority(os.PRIO_PROCESS, 0)
    done = await asyncio.gather(*(hashing._compute(work) for _ in range(30)), return_exceptions=True)
    assert most == 1 and done.count(1) == passwords.MOST_WAITING
    assert niceness == {max(before, passwords.NICENESS)}
    assert await hashing._compute(work) == 1  # places are given back


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("123456789", "value.invalid"),
        ("x" * 201, "value.invalid"),
        ("", "value.invalid"),
        ("anna@lumen.test", "value.invalid"),
        ("ANNA@lumen.TEST", "value.invalid"),
        ("\ud800 half a letter", "value.invalid"),
    ],
)
async def test_a_password_is_long_enough_and_not_the_name(world: World, password: str, code: str) -> None:
    async with world.client(world.lumen.token) as client:
        body = json.dumps({"password": password})
        answer = await client.put("/api/v1/users/anna/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, "password")
    assert password not in answer.text or not password
    assert passwords_of(world) == []


async def test_letters_may_be_composed_by_another_keyboard(world: World) -> None:
    await lets_in(world, password="Zoe\u0308 a\u030angstro\u0308m")
    assert (await tries(world, "Zo\u00eb \u00e5ngstr\u00f6m")).status_code == 200


async def test_signing_out_ends_the_session_and_no_other(world: World) -> None:
    await lets_in(world)
    one, other = await token_of(world), await token_of(world)
    async with world.client(one) as client:
        assert (await client.post("/api/v1/sign-out")).status_code == 204
        assert (await client.get("/api/v1/me")).status_code == 401
    async with world.client(other) as client:
        assert (await client.get("/api/v1/me")).status_code == 200
    async with world.client(world.lumen.token) as client:
        refused = await client.post("/api/v1/sign-out")
    assert (refused.status_code, refused.json()["code"]) == (409, "sign_in.none")


async def me(client: AsyncClient) -> int:
    return (await client.get("/api/v1/me")).status_code


async def test_a_new_role_name_or_password_and_removal_end_every_session_at_once(world: World) -> None:
    own = world.lumen.profile.id
    await lets_in(world)
    changes: list[dict[str, Any]] = [{"role": "reader"}, {"role": None}, {"username": "ann"}, {"username": "anna"}]
    for change in changes:
        name = "ann" if change.get("username") == "anna" else "anna"
        async with world.client(await token_of(world, f"{name}@lumen.test")) as client:
            assert await me(client) == 200
            change_user(world.database, own, name, change, who="tests")
            assert await me(client) == 401, change
    async with world.client(await token_of(world)) as client:
        change_user(world.database, own, "anna", {"language": "de"}, who="tests")
        assert await me(client) == 200, "what decides nothing ends nothing"
        await lets_in(world, password="some other words")
        assert await me(client) == 401
    await lets_in(world)
    async with world.client(await token_of(world)) as client, world.client(world.lumen.token) as owner:
        with world.database.change(own, "tests") as transaction:
            for attendant in transaction.attendants.all():
                transaction.attendants.remove(attendant.id)
            transaction.users.remove(world.lumen.users[0].user.id)
        assert await me(client) == 401 and await me(owner) == 200


async def test_oneself_needs_the_old_password_and_is_signed_out(world: World) -> None:
    await lets_in(world, role=Role.GLOBAL)
    async with world.client(await token_of(world)) as client:
        for old in ({}, {"old_password": "not this one either"}):
            refused = await client.put("/api/v1/users/anna/sign-in", json={"password": "some other words"} | old)
            assert (refused.status_code, refused.json()["code"]) == (403, "sign_in.wrong_old_password")
        done = await client.put("/api/v1/users/anna/sign-in", json={"password": "some other words", "old_password": GOOD})
        assert done.status_code == 200 and done.json()["revision"]
        assert await me(client) == 401
    assert (await tries(world)).status_code == 401
    assert (await tries(world, "some other words")).status_code == 200


async def test_guessing_the_old_password_is_throttled_too(world: World) -> None:
    await lets_in(world)
    async with world.client(await token_of(world)) as client:
        codes = [
            (await client.put("/api/v1/users/anna/sign-in", json={"password": "some other words", "old_password": "x"})).status_code
            for _ in range(8)
        ]
    assert codes[0] == 403 and codes[-1] == 429


@pytest.mark.parametrize("role", [None, Role.VOICE, Role.BILLING, Role.HELP_DESK, Role.READER])
async def test_only_global_administrators_set_how_others_sign_in(world: World, role: Role | None) -> None:
    await lets_in(world, role=role)
    async with world.client(await token_of(world)) as client:
        refused = await client.put("/api/v1/users/ben/sign-in", json={"password": "some other words"})
        assert (refused.status_code, refused.json()["code"]) == (403, "access.forbidden")
    change_user(world.database, world.lumen.profile.id, "anna", {"role": "global"}, who="tests")
    async with world.client(await token_of(world)) as client:
        assert (await client.put("/api/v1/users/ben/sign-in", json={"password": "some other words"})).status_code == 200


async def test_the_oldest_session_makes_room_for_the_twenty_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MOST_SESSIONS", 3)
    await lets_in(world)
    made = [await token_of(world) for _ in range(4)]
    codes = []
    for token in made:
        async with world.client(token) as client:
            codes.append(await me(client))
    assert codes == [401, 200, 200, 200]


async def test_a_session_that_has_expired_opens_nothing_and_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await lets_in(world)
    monkeypatch.setattr(sign_in, "SESSION_SECONDS", -1.0)
    async with world.client(await token_of(world)) as client:
        assert await me(client) == 401
    monkeypatch.undo()
    await token_of(world)
    with world.database.view(world.lumen.profile.id) as transaction:
        assert len(transaction.tokens.of_user(world.lumen.users[0].user.id)) == 1


async def test_passwords_stand_in_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await lets_in(world)
        await tries(world)
        await tries(world, "wrong as wrong can be", "typed by mistake here")
    assert "signed in" in caplog.text and "refused" in caplog.text
    for secret in (GOOD, "wrong as wrong", "typed by mistake"):
        assert secret not in caplog.text


async def test_a_programs_token_does_everything_or_what_it_was_given(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        me = (await client.get("/api/v1/me")).json()
    assert me["user"] is None and set(me["scopes"]) == EVERYTHING and me["expires_at"] is None


async def test_a_session_is_no_configuration(world: World) -> None:
    await lets_in(world)
    own, asked = world.lumen.profile.id, world.switch.refreshed

    def revision() -> tuple[int, int]:
        with world.database.view(own) as transaction:
            return transaction.profile().revision, len(transaction.history.since(0))

    before = revision()
    first, second = await token_of(world), await token_of(world)
    assert revision() == before and world.switch.refreshed == asked
    async with world.client(first) as client, world.client(world.lumen.token) as owner:
        (told, _) = (await owner.get("/api/v1/tokens", params={"username": "anna"})).json()["tokens"]
        assert told["username"] == "anna"
        ended = (await owner.delete(f"/api/v1/tokens/{told['id']}")).json()
        assert ended == {"revision": before[0], "in_effect": True}
        assert await me(client) == 401
    async with world.client(second) as client:
        assert (await client.post("/api/v1/sign-out")).status_code == 204
        assert await me(client) == 401
    assert revision() == before
    third = await token_of(world)
    change_user(world.database, own, "anna", {"role": "reader"}, who="tests")
    assert revision() == (before[0] + 1, before[1] + 1), "the role alone"
    async with world.client(third) as client:
        assert await me(client) == 401
