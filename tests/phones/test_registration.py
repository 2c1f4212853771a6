"""A telephone registers, stays registered, and calls with its password."""

from collections.abc import AsyncIterator

import pytest

from offhook.phones.phone import Phone
from offhook.phones.registration import Account, RegistrationRefused
from offhook.phones.waiting import News, NotInTime
from offhook.sip.addresses import Address
from tests.phones.conftest import Makes
from tests.phones.registrar import REALM, Registrar


@pytest.fixture
async def registrar() -> AsyncIterator[Registrar]:
    made = Registrar("anna", "secret")
    await made.start()
    yield made
    await made.wire.close()


def account(edge: Address, password: str = "secret") -> Account:
    return Account("anna", REALM, edge, password, "Anna")


async def eventually(holds: object, what: str) -> None:
    assert callable(holds)
    news = News()
    for _ in range(100):
        try:
            await news.until(holds, what, 0.1, lambda: "")
            return
        except NotInTime:
            continue
    raise AssertionError(what)


async def test_a_phone_registers_with_its_password_and_leaves(registrar: Registrar, phone: Makes) -> None:
    anna = await phone("anna", account=account(registrar.wire.local))
    await anna.register(expires=300)
    await anna.unregister()
    assert registrar.registrations == ["300", "0"]
    assert registrar.contacts[0] == f"{anna.contact};expires=300"


async def test_a_wrong_password_is_refused_and_not_tried_again(registrar: Registrar, phone: Makes) -> None:
    anna = await phone("anna", account=account(registrar.wire.local, "wrong"))
    with pytest.raises(RegistrationRefused, match=r"anna cannot register: 401.*SIP messages seen") as refused:
        await anna.register()
    assert refused.value.status == 401
    assert registrar.challenges == 2
    assert registrar.registrations == []


async def test_a_stale_nonce_is_replaced_without_asking_anybody(registrar: Registrar, phone: Makes) -> None:
    anna = await phone("anna", account=account(registrar.wire.local))
    await anna.register()
    registrar.stale_once = True
    await anna.register()
    assert len(registrar.registrations) == 2


async def test_a_phone_registers_again_before_its_time_is_over(registrar: Registrar, phone: Makes) -> None:
    registrar.granted = 1
    anna = await phone("anna", account=account(registrar.wire.local))
    await anna.register(expires=300)
    await eventually(lambda: len(registrar.registrations) >= 3, "two more registrations")
    assert set(registrar.registrations) == {"300"}


async def test_a_phone_comes_back_after_the_edge_was_away(registrar: Registrar, phone: Makes) -> None:
    registrar.granted = 1
    anna = await phone("anna", account=account(registrar.wire.local))
    await anna.register()
    registrar.refuse_with = 503
    before = len(registrar.registrations)
    await eventually(lambda: anna.registration is not None and (anna.registration.until or 0) < anna.now(), "the registration running out")
    registrar.refuse_with = None
    await eventually(lambda: len(registrar.registrations) > before, "another registration")


async def test_a_lost_connection_is_made_anew_and_registered_on(phone: Makes) -> None:
    registrar = Registrar("anna", "secret")
    edge = await registrar.start("tcp")
    anna = await phone("anna", account=account(edge), transport="tcp")
    await anna.register()
    assert not isinstance(registrar.wire, type(None))
    registrar.wire.drop()  # type: ignore[union-attr]
    await eventually(lambda: len(registrar.registrations) == 2, "a registration over a new connection")
    await anna.stop()
    await registrar.wire.close()


async def test_no_registrar_is_told_with_the_messages_seen(registrar: Registrar, phone: Makes) -> None:
    registrar.deaf = True
    anna = await phone("anna", account=account(registrar.wire.local))
    with pytest.raises(NotInTime, match=r"(?s)the answer to REGISTER did not happen in 0.5 s.*-> REGISTER sip:lumen.test"):
        await anna.register(patience=0.5)


async def test_a_call_is_made_with_the_password(registrar: Registrar, phone: Makes) -> None:
    anna = await phone("anna", account=account(registrar.wire.local))
    call = await anna.dials("102")
    assert (await call.ended()).status == 486
    assert call.uri == f"sip:102@{REALM}"
    guest: Phone = await phone("guest", account=account(registrar.wire.local, "wrong"))
    assert (await (await guest.dials("102")).ended()).status == 407
