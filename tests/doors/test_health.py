"""Health and metrics at the door: what everybody is told, what only a token opens, and from where figures are read."""

import pytest
from httpx import ASGITransport, AsyncClient

from offhook.doors.api.metrics import is_among
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_system_that_is_well_says_so_to_everybody_without_details(world: World, path: str) -> None:
    async with world.client(None) as client:
        answer = await client.get(path)
    assert answer.status_code == 200 and answer.json()["status"] == "ok"
    assert set(answer.json()["parts"].values()) == {"ok"} and "10.1.2.3" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_part_that_every_call_needs_makes_both_fail_and_only_a_token_sees_why(world: World) -> None:
    world.body.ill = {"kamailio": "it hangs at 10.1.2.3"}
    async with world.client(None) as client:
        answers = [await client.get(path) for path in ("/healthz", "/readyz")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(answer.json()["parts"]["kamailio"] == "failing" and "10.1.2.3" not in answer.text for answer in answers)
    async with world.client(world.lumen.token) as client:
        told = (await client.get("/healthz")).json()
    assert told["parts"]["kamailio"]["detail"] == "it hangs at 10.1.2.3"
    async with world.client("no-such-token") as client:
        assert (await client.get("/healthz")).status_code == 401


async def test_a_full_disk_is_unwell_and_yet_calls_can_be_made(world: World) -> None:
    world.body.ill = {"disk": "full"}
    async with world.client(None) as client:
        assert (await client.get("/healthz")).status_code == 503
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/livez")).status_code == 200
        english = (await client.get("/health")).text
        french = (await client.get("/health", headers={"Accept-Language": "fr"})).text
    assert "Calls can be made, but something is wrong." in english and english.count("does not work") == 1
    assert "Les appels passent" in french and french.count("ne fonctionne pas") == 1
    assert "full" not in english


async def test_figures_are_read_from_trusted_addresses_or_with_the_providers_token(world: World) -> None:
    world.figures.gauge("offhook_calls", "Calls.", lambda: 3)
    token = provider_token(world.database, KEY)

    async def asked(host: str, token: str | None = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = ASGITransport(app=world.app, client=(host, 4711))
        async with AsyncClient(transport=transport, base_url="http://offhook.test", headers=headers) as client:
            answer = await client.get("/metrics")
            return answer.status_code, answer.text

    status, text = await asked("127.0.0.1")
    assert status == 200 and "offhook_calls 3.0" in text
    assert (await asked("192.0.2.9"))[0] == 401
    assert (await asked("192.0.2.9", token))[0] == 200
    assert (await asked("192.0.2.9", world.lumen.token))[0] == 403
    assert (await asked("127.0.0.1", "no-such-token"))[0] == 401


def test_an_address_is_looked_for_in_every_network() -> None:
    assert is_among("192.0.2.7", ["2001:db8::/32", "192.0.2.0/24"]) and is_among("2001:db8::1", ["2001:db8::/32"])
    assert not is_among("192.0.3.7", ["192.0.2.0/24"]) and not is_among("", ["0.0.0.0/0"]) and not is_among("127.0.0.1", [])
