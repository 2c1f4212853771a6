"""Mail as it is asked for: who sees which, what is never shown, and what an invitation says of it."""

from dataclasses import replace
from typing import Any

import pytest

from offhook.domain.access import Role
from offhook.domain.mails import MailState
from offhook.services.mail_room import list_mails
from offhook.services.ports.listing import Listing
from offhook.services.ports.mailing import Outcome, Verdict
from offhook.services.ports.mails import NewMail
from offhook.services.postman import Postman
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_refusals import problem
from tests.doors.test_roles import session

MARIA = {"username": "maria", "email": "maria@example.com", "language": "fr"}


async def asked(world: World, method: str, path: str, *, by: str | None = None, **more: Any) -> Any:
    async with world.client(by or provider_token(world.database, KEY)) as client:
        return await client.request(method, f"/api/v1{path}", **more)


def without_mail(world: World) -> None:
    world.app.state.house = replace(world.app.state.house, mail_room=None)


async def test_an_invitation_goes_by_mail_and_its_link_leads_where_the_provider_says(world: World) -> None:
    answer = await asked(
        world, "POST", f"/organizations/{world.lumen.profile.id}/invitations", json=MARIA, headers={"Host": "evil.example"}
    )
    made = answer.json()
    assert answer.status_code == 201 and made["mailed"] is True
    token = made["link"].rpartition("/")[2]
    listed = await asked(world, "GET", "/provider/mails")
    (mail,) = listed.json()["mails"]
    assert (mail["kind"], mail["recipient"], mail["language"], mail["state"]) == ("invitation", "maria@example.com", "fr", "waiting")
    assert token not in listed.text
    postman = Postman(world.database, world.app.state.house.mail_room)
    await postman.look()
    await postman.settled()
    (letter,) = world.post_box.brought
    assert f"https://phones.offhook.test/welcome/{token}" in letter.text and "evil.example" not in letter.text
    (mail,) = (await asked(world, "GET", "/provider/mails?state=sent")).json()["mails"]
    assert mail["next_at"] is None and mail["attempts"] == 1
    async with world.client(None) as client:
        assert (await client.get(f"/welcome/{token}")).status_code == 200


async def test_without_mail_an_invitation_says_that_the_link_is_to_be_handed_over(world: World) -> None:
    without_mail(world)
    maple = {"name": "Maple", "domain": "maple.test", "country": "CA", "administrator": MARIA}
    made = (await asked(world, "POST", "/organizations", json=maple)).json()
    assert made["invitation"]["mailed"] is False and made["invitation"]["link"]
    assert (await asked(world, "GET", "/provider/mails")).json()["mails"] == []
    told = problem(await asked(world, "POST", "/provider/mails/test", json={"to": "anna@example.com"}))
    assert (told["status"], told["code"]) == (409, "mail.off")


async def test_a_mail_to_try_out_tells_what_the_server_said(world: World) -> None:
    assert (await asked(world, "POST", "/provider/mails/test", json={"to": " anna@example.com "})).json() == {"sent": True, "why": None}
    assert [(letter.recipient, letter.subject) for letter in world.post_box.brought] == [("anna@example.com", "A test of Offhook's mail")]
    world.post_box.says = Outcome(Verdict.AWAY, "nobody there")
    answer = await asked(world, "POST", "/provider/mails/test", json={"to": "anna@example.com", "language": "fr-CA"})
    assert answer.json() == {"sent": False, "why": "nobody there"} and "essai" in world.post_box.brought[-1].subject
    for wrong in ("anna", "anna@example.com\r\nBcc: x@example.com", "", "a@example.com, b@example.com"):
        told = problem(await asked(world, "POST", "/provider/mails/test", json={"to": wrong}))
        assert (told["status"], told["field"]) == (422, "to"), told
    assert len(world.post_box.brought) == 2
    assert problem(await asked(world, "POST", "/provider/mails/test", by=world.lumen.token, json={"to": "a@example.com"}))["status"] == 403


async def test_an_administrator_sees_what_became_of_ones_own_mail_and_tries_it_again(world: World) -> None:
    own = world.lumen.profile.id
    with world.database.change(own, "mail") as transaction:
        transaction.mails.add(
            [NewMail("welcome", f"change-{number}-0", f"user{number}@example.com", "en", "the seal", 2e9) for number in range(3)]
        )
    waits, failed, sent = list_mails(world.database, own, Listing(9, (("id", False),))).items
    with world.database.change(own, "mail") as transaction:
        transaction.mails.note(failed.id, state=MailState.FAILED.value, attempts=1, last_error="RCPT was answered 550 no such user")
        transaction.mails.note(sent.id, state=MailState.SENT.value, sealed=None)
    reader = session(world, Role.READER)
    listed = await asked(world, "GET", "/mails?sort=-id", by=reader)
    told = listed.json()["mails"]
    assert [mail["state"] for mail in told] == ["sent", "failed", "waiting"] and "the seal" not in listed.text
    assert told[1]["last_error"] == "RCPT was answered 550 no such user" and told[2]["next_at"] and not told[1]["next_at"]
    assert [mail["id"] for mail in (await asked(world, "GET", "/mails?recipient=user1@example.com", by=reader)).json()["mails"]] == [
        failed.id
    ]
    assert (await asked(world, "POST", f"/mails/{failed.id}/retry", by=reader)).status_code == 403
    voice = session(world, Role.VOICE)
    again = await asked(world, "POST", f"/mails/{failed.id}/retry", by=voice)
    assert again.status_code == 202 and (again.json()["state"], again.json()["attempts"]) == ("waiting", 0)
    refused = problem(await asked(world, "POST", f"/mails/{sent.id}/retry", by=voice))
    assert (refused["status"], refused["code"]) == (409, "mail.not_now")
    with world.database.change(own, "mail") as transaction:
        transaction.mails.note(waits.id, sealed=None)
    assert problem(await asked(world, "POST", f"/mails/{waits.id}/retry", by=voice))["code"] == "mail.expired"


@pytest.mark.parametrize("path", ["/mails", "/provider/mails"])
async def test_each_sees_only_what_is_theirs(world: World, path: str) -> None:
    await asked(world, "POST", f"/organizations/{world.lumen.profile.id}/invitations", json=MARIA)
    by = world.lumen.token if path == "/mails" else None
    mails = (await asked(world, "GET", path, by=by)).json()["mails"]
    assert [mail["kind"] for mail in mails] == ([] if path == "/mails" else ["invitation"])
    assert (await asked(world, "GET", path, by=None if path == "/mails" else world.lumen.token)).status_code == 403
