"""Webhooks, with a real program at the other end: what it is told, how it knows that it is us, and what happens when it does not answer."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from offhook.engines.post.client import Poster
from offhook.services import deliveries, tokens, webhooks
from offhook.services.deliveries import DISABLED_AFTER_SECONDS, RETRY_AFTER_SECONDS, Deliverer
from offhook.services.ports.changes import ChangesWanted
from offhook.services.sealing import Sealing
from offhook.services.secrets import token_hash
from offhook.services.tokens import Access
from offhook.services.users import add_user, change_user
from tests.doors.conftest import KEY
from tests.doors.posting import Clock, Post, asked, listed, made
from tests.doors.receivers import Receiver, a_receiver
from tests.doors.rooms import World

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "webhooks.md"


async def test_changes_and_calls_are_told_signed_and_in_order(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url)
    own = world.lumen.profile.id
    add_user(world.database, own, username="maria", name="Mariä", who="ada")
    change_user(world.database, own, "maria", {"name": "Maria Sol"}, who="ada")
    (call,) = world.recorded(1)
    await post.goes_out()
    kinds = [got.said["event"] for got in receiver.got]
    assert kinds == ["webhook.created", "user.created", "user.changed", "call.began", "call.answered", "call.ended"]
    created, changed, began, answered, ended = (got.said for got in receiver.got[1:])
    assert created["organization"] == "lumen.test" and created["change"]["before"] is None and created["change"]["who"] == "ada"
    assert (changed["change"]["before"]["name"], changed["change"]["after"]["name"]) == ("Mariä", "Maria Sol")
    assert ended["call"]["call"] == call and ended["call"]["ending"] == "completed.by_callee"
    assert began["call"] == {name: ended["call"][name] for name in ("call", "started_at", "caller", "dialled", "direction")}
    assert answered["call"] == began["call"] | {name: ended["call"][name] for name in ("answered_at", "connected")}
    assert (began["at"], answered["at"]) == (began["call"]["started_at"], answered["call"]["answered_at"])
    for got in receiver.got:
        stamp = got.headers["offhook-timestamp"]
        assert abs(int(stamp) - time.time()) < 60
        assert got.headers["offhook-signature"] == webhooks.signature(webhook["secret"], int(stamp), got.body)
        assert got.headers["offhook-signature"] != webhooks.signature(webhook["secret"], int(stamp), got.body + b" ")
        assert got.headers["offhook-event"] == got.said["event"] and got.headers["offhook-event-id"] == got.said["id"]
    assert {each["state"] for each in await listed(world, webhook)} == {"delivered"}


async def test_the_documented_example_is_what_is_computed() -> None:
    text = PAGE.read_text()
    values = dict(re.findall(r"^\| (secret|timestamp|body|signature) \| `(.+?)` \|$", text, re.MULTILINE))
    assert webhooks.signature(values["secret"], int(values["timestamp"]), values["body"].encode()) == values["signature"]
    documented = re.findall(r"\d+ [smh]", re.search(r"tried again after (.+?)\.", text, re.DOTALL)[1])  # type: ignore[index]
    units = {"s": 1, "m": 60, "h": 3600}
    assert tuple(int(each.split()[0]) * units[each[-1]] for each in documented) == RETRY_AFTER_SECONDS


async def test_what_is_told_is_what_was_asked_for_and_never_another_organizations(world: World, receiver: Receiver, post: Post) -> None:
    await made(world, receiver.url, "user.created", "call.*")
    add_user(world.database, world.pine.profile.id, username="petra", name="Petra", who="paul")
    world.recorded(1, of=world.pine)
    add_user(world.database, world.lumen.profile.id, username="maria", name="Maria", who="ada")
    change_user(world.database, world.lumen.profile.id, "maria", {"name": "Maria Sol"}, who="ada")
    (own,) = world.recorded(2)
    await post.goes_out()
    assert [got.said["event"] for got in receiver.got] == ["user.created", "call.began", "call.answered", "call.ended"]
    assert receiver.got[1].said["call"]["call"] == own
    assert "petra" not in str([got.body for got in receiver.got])


async def test_secrets_are_told_to_nobody(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url)
    async with world.client(world.lumen.token) as client:
        token = (await client.post("/api/v1/tokens", json={"label": "crm", "scopes": ["calls:read"]})).json()["token"]
        await client.put("/api/v1/users/anna/sign-in", json={"password": "a few words of her own"})
    await post.goes_out()
    bodies = b"".join(got.body for got in receiver.got).decode()
    assert "token.created" in bodies and "password.created" in bodies and '"hash":"set"' in bodies
    for secret in (webhook["secret"], token, token_hash(token), "argon2", "gAAAA"):
        assert secret not in bodies
    with world.database.view(world.lumen.profile.id) as transaction:
        (kept,) = transaction.webhooks.all()
    assert webhook["secret"] not in kept.secret and Sealing(KEY, "webhooks").open(kept.secret) == webhook["secret"]


async def test_what_fails_is_tried_again_for_a_day_and_then_has_failed(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    receiver.answers(500, b"no room\r\nhere" + b"x" * 100_000)
    world.recorded(1)
    await post.goes_out()
    (first,) = await listed(world, webhook)
    assert (first["state"], first["attempts"], first["last_status"]) == ("waiting", 1, 500)
    assert first["last_error"].startswith("it answered 500: no room  here") and len(first["last_error"]) <= 300
    for count, pause in enumerate(RETRY_AFTER_SECONDS, start=1):
        await post.later(pause - 5)
        assert len(receiver.got) == count, "not before its time"
        await post.later(6)
        assert len(receiver.got) == count + 1
    (last,) = await listed(world, webhook)
    assert (last["state"], last["attempts"], last["next_at"]) == ("failed", len(RETRY_AFTER_SECONDS) + 1, None)
    assert 0.9 * 86400 < sum(RETRY_AFTER_SECONDS) <= 86400
    assert {got.headers["offhook-event-id"] for got in receiver.got} == {first["event"]}
    assert [got.headers["offhook-attempt"] for got in receiver.got] == [str(number + 1) for number in range(len(receiver.got))]
    await post.later(86400)
    assert len(receiver.got) == len(RETRY_AFTER_SECONDS) + 1
    receiver.answers(200)
    await asked(world, "POST", f"/{webhook['id']}/deliveries/{last['id']}/again")
    await post.goes_out()
    (again,) = await listed(world, webhook, state="delivered")
    assert again["event"] == first["event"] and again["attempts"] == 1


async def test_one_that_fails_does_not_hold_back_those_after_it(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url, "user.created")
    add_user(world.database, world.lumen.profile.id, username="maria", name="Maria", who="ada")
    receiver.answers(503)
    await post.goes_out()
    receiver.answers(200)
    add_user(world.database, world.lumen.profile.id, username="nina", name="Nina", who="ada")
    await post.later(2)
    assert [each["state"] for each in await listed(world, webhook)] == ["waiting", "delivered"]
    await post.later(10)
    assert [got.said["change"]["after"]["username"] for got in receiver.got] == ["maria", "nina", "maria"]


async def test_a_change_names_no_default_that_anybody_could_send(world: World) -> None:
    described = world.app.openapi()["components"]["schemas"]["WebhookChanges"]
    assert not any("default" in field for field in described["properties"].values()) and "required" not in described


async def test_a_redirection_is_not_followed(world: World, receiver: Receiver, post: Post) -> None:
    async with a_receiver() as elsewhere:
        webhook = await made(world, receiver.url, "call.ended")
        receiver.answers(307, b"", f"Location: {elsewhere.url}")
        world.recorded(1)
        await post.goes_out()
        assert elsewhere.got == []
    (delivery,) = await listed(world, webhook)
    assert delivery["state"] == "waiting" and "redirection" in delivery["last_error"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"])
async def test_nothing_of_our_own_is_posted_to(world: World, receiver: Receiver, clock: Clock, host: str) -> None:
    post = Post(world, clock, to_private=False)
    webhook = await made(world, f"http://{host}:{receiver.port}/", "call.ended")
    world.recorded(1)
    await post.goes_out()
    (delivery,) = await listed(world, webhook)
    assert receiver.got == [] and delivery["state"] == "waiting" and delivery["attempts"] == 1
    assert "not of the public network" in delivery["last_error"]


async def test_the_name_is_resolved_once_and_what_was_looked_at_is_connected_to(
    world: World, receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers otherwise the second time gains nothing: nobody asks a second time."""
    loop, real, names = asyncio.get_running_loop(), asyncio.get_running_loop().getaddrinfo, []

    async def resolved(host: str, port: int, **more: Any) -> Any:
        names.append(host)
        return await real("127.0.0.1", port, **more)

    monkeypatch.setattr(type(loop), "getaddrinfo", lambda _loop, host, port, **more: resolved(host, port, **more))
    await made(world, f"http://crm.example.com:{receiver.port}/taken", "call.ended")
    world.recorded(1)
    await post.goes_out()
    assert names.count("crm.example.com") == 1
    assert receiver.got[0].headers["host"] == f"crm.example.com:{receiver.port}"


async def test_who_takes_nothing_for_three_days_is_disabled_with_a_word_in_the_history(
    world: World, receiver: Receiver, post: Post
) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    receiver.answers(500)
    for day in range(5):
        world.recorded(day)
        await post.goes_out()
        for pause in RETRY_AFTER_SECONDS:
            await post.later(pause + 1)
        shown = await asked(world, "GET", f"/{webhook['id']}")
        if not shown["enabled"]:
            break
    assert not shown["enabled"] and 2 <= day <= 4
    with world.database.view(world.lumen.profile.id) as transaction:
        change = transaction.history.page(1, ChangesWanted(kind="webhook"))[0]
    assert change.after and change.after["enabled"] is False and change.who == "webhooks (it took nothing for 3 days)"
    assert {each["state"] for each in await listed(world, webhook)} == {"failed"}
    count = len(receiver.got)
    world.recorded(50)
    await post.later(10)
    assert len(receiver.got) == count
    await asked(world, "PATCH", f"/{webhook['id']}", json={"enabled": True})
    receiver.answers(200)
    world.recorded(51)
    await post.later(deliveries.LONGEST_REST_SECONDS)
    assert len(receiver.got) >= count + 1
    assert DISABLED_AFTER_SECONDS == 3 * 86400


async def test_a_test_is_posted_once(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    asked_for = await asked(world, "POST", f"/{webhook['id']}/test")
    receiver.answers(404)
    await post.goes_out()
    (delivery,) = await listed(world, webhook)
    assert (delivery["id"], delivery["state"], delivery["last_status"]) == (asked_for["id"], "failed", 404)
    assert receiver.got[0].said["event"] == "webhook.test"


async def test_what_was_being_posted_at_the_end_is_posted_again(world: World, receiver: Receiver, post: Post, clock: Clock) -> None:
    await made(world, receiver.url, "call.ended")
    world.recorded(1)
    receiver.opened.clear()
    await post.deliverer.look()
    while not receiver.got:
        await asyncio.sleep(0.01)
    for task in list(post.deliverer._at_work.values()):
        task.cancel()  # the process ends here, the other side has it already
    await post.deliverer.settled()
    receiver.opened.set()
    await Post(world, clock).goes_out()
    assert len(receiver.got) == 2 and receiver.got[0].said == receiver.got[1].said


async def test_a_call_that_was_written_down_late_is_told_too_and_none_twice(world: World, receiver: Receiver, post: Post) -> None:
    await made(world, receiver.url, "call.ended")
    world.recorded(5)
    await post.goes_out()
    (late,) = world.recorded(1)  # an earlier call, whose record came later, and for this test with a time before that of the other
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE cdrs SET kept_at = kept_at - 5 WHERE call = ?", (late,))
    for _ in range(3):
        await post.later(deliveries.AGAIN_EVERY_SECONDS + 1)
    told = [got.said["call"]["call"] for got in receiver.got]
    assert late in told and len(told) == len(set(told)) == 2


async def test_another_secret_signs_from_then_on(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    other = (await asked(world, "POST", f"/{webhook['id']}/secret"))["secret"]
    world.recorded(1)
    await post.goes_out()
    (got,) = receiver.got
    assert other != webhook["secret"]
    assert got.headers["offhook-signature"] == webhooks.signature(other, int(got.headers["offhook-timestamp"]), got.body)


async def test_a_secret_of_another_installation_is_said_so(world: World, receiver: Receiver, clock: Clock) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    world.recorded(1)
    deliverer = Deliverer(world.database, world.switch, Poster(to_private=True), Sealing(b"another key", "webhooks"), clock)
    await deliverer.look()
    await deliverer.settled()
    (delivery,) = await listed(world, webhook)
    assert receiver.got == [] and "another installation" in delivery["last_error"]


async def test_a_webhook_that_is_removed_takes_its_deliveries_along(world: World, receiver: Receiver, post: Post) -> None:
    webhook = await made(world, receiver.url, "call.ended")
    world.recorded(1)
    receiver.answers(500)
    await post.goes_out()
    await asked(world, "DELETE", f"/{webhook['id']}")
    await post.later(100)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "", "crm.example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "https://anna:word@example.com/", "http://example.com/#x",
        "http://example.com:0/", "http://example.com:99999/", "http://exa mple.com/", "http://example.com\\@localhost/", "gopher://127.0.0.1/",
        "http://[::1/", "http://\u0665/", "http://example.com/\r\nX: y", "https://" + "x" * 2000,
    ],
)  # fmt: skip
async def test_an_address_that_is_none_is_refused(world: World, url: str) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/webhooks", json={"url": url, "events": ["*"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "url")


@pytest.mark.parametrize("events", [[], ["user"], ["user.gone"], ["call.changed"], ["**"], ["user.changed", "x"], "user.*", [1]])
async def test_events_that_there_are_not_are_refused(world: World, events: Any) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/webhooks", json={"url": "https://example.com/", "events": events})
    assert answer.status_code == 422 and answer.json()["field"].startswith("events")


async def test_nobody_is_told_of_what_they_may_not_see(world: World) -> None:
    access = Access(world.lumen.profile.id, "crm", frozenset({"webhooks:read", "webhooks:write", "calls:read"}))
    token = tokens.make_token(world.database, access, "crm", sorted(access.scopes), None).token
    async with world.client(token) as client:
        for events in (["*"], ["user.*"], ["call.ended", "token.created"]):
            refused = await client.post("/api/v1/webhooks", json={"url": "https://example.com/", "events": events})
            assert refused.status_code == 403, events
        assert (await client.post("/api/v1/webhooks", json={"url": "https://example.com/", "events": ["call.*"]})).status_code == 201
        theirs = await made(world, "https://example.com/all", "*")
        moved = await client.patch(f"/api/v1/webhooks/{theirs['id']}", json={"url": "https://elsewhere.example.com/"})
        assert moved.status_code == 403


async def test_an_old_etag_is_refused(world: World) -> None:
    webhook = await made(world, "https://example.com/")
    async with world.client(world.lumen.token) as client:
        seen = (await client.get(f"/api/v1/webhooks/{webhook['id']}")).headers["etag"]
        assert (await client.patch(f"/api/v1/webhooks/{webhook['id']}", json={"enabled": False}, headers={"If-Match": seen})).is_success
        stale = await client.patch(f"/api/v1/webhooks/{webhook['id']}", json={"enabled": True}, headers={"If-Match": seen})
    assert stale.status_code == 412


async def test_there_is_an_end_to_webhooks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 2)
    for number in range(2):
        await made(world, f"https://example.com/{number}")
    async with world.client(world.lumen.token) as client:
        assert (await client.post("/api/v1/webhooks", json={"url": "https://example.com/3", "events": ["*"]})).status_code == 422
