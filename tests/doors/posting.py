"""Webhooks as a test drives them: what is due is posted when it says so, at the time it says."""

import time
from typing import Any

from offhook.engines.post.client import Poster
from offhook.services.deliveries import Deliverer
from tests.doors.rooms import World


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Post:
    """The deliverer of a world, driven by hand; what it posts is really posted."""

    def __init__(self, world: World, clock: Clock, *, to_private: bool = True) -> None:
        self.deliverer = Deliverer(world.database, world.switch, Poster(to_private=to_private), world.app.state.house.sealing, clock)
        self.clock = clock

    async def goes_out(self) -> None:
        """All that is due is tried once."""
        await self.deliverer.look()
        await self.deliverer.settled()

    async def later(self, seconds: float) -> None:
        self.clock.ahead += seconds
        await self.goes_out()


async def made(world: World, url: str, *events: str, token: str | None = None) -> dict[str, Any]:
    async with world.client(token or world.lumen.token) as client:
        answer = await client.post("/api/v1/webhooks", json={"url": url, "events": list(events) or ["*"]})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    return dict(told["webhook"]) | {"secret": told["secret"]}


async def asked(world: World, method: str, path: str, **more: Any) -> Any:
    async with world.client(world.lumen.token) as client:
        answer = await client.request(method, f"/api/v1/webhooks{path}", **more)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def listed(world: World, webhook: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return list((await asked(world, "GET", f"/{webhook['id']}/deliveries", params=more))["deliveries"])
