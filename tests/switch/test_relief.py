"""More calls than can be served: the limit the edge is told."""

import asyncio

from offhook.switch.relief import CALM_SECONDS, FEWEST, Limit, Relief


def test_the_limit_falls_below_what_came_through_and_rises_when_it_is_calm() -> None:
    limit = Limit(400)
    assert limit.judge(250, crowded=False) is None
    assert limit.judge(300, crowded=True) == 240
    assert limit.judge(300, crowded=True) == 192, "what came through late counts no more than the limit"
    assert [limit.judge(190, crowded=False) for _ in range(CALM_SECONDS)] == [192] * CALM_SECONDS
    assert limit.judge(190, crowded=False) == 201
    for _ in range(30):
        limit.judge(200, crowded=False)
    assert limit.now is None, "at the usual rate there is no limit of ours"


def test_some_are_always_let_in() -> None:
    limit = Limit(400)
    for _ in range(50):
        limit.judge(1, crowded=True)
    assert limit.now == FEWEST


async def test_the_edge_is_told_and_told_again_and_let_alone_at_last() -> None:
    told: list[int | None] = []
    filled, calls = [0.9], [0]

    def begun() -> int:
        calls[0] += 50
        return calls[0]

    async def tell(limit: int | None) -> None:
        told.append(limit)
        if len(told) == 2:
            raise OSError("the edge is being started")
        if len(told) == 4:
            filled[0] = 0.0

    relief = Relief(30, lambda: filled[0], begun, tell, seconds=0.01)
    looking = asyncio.create_task(relief.look())
    try:
        async with asyncio.timeout(60):
            while not told or told[-1] is not None:
                await asyncio.sleep(0.05)
    finally:
        looking.cancel()
    assert told[0] is not None and told[0] >= FEWEST and len(told) >= 5
