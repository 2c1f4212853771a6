"""More calls than can be served: the limit the edge is told."""

import asyncio

from offhook.switch.relief import BEHIND_SECONDS, CALM_SECONDS, FEWEST, Limit, Relief


def test_the_limit_falls_below_what_came_through_and_rises_when_it_is_calm() -> None:
    limit = Limit(400)
    assert limit.judge(250, crowded=False) is None
    assert limit.judge(300, crowded=True) == 255
    assert limit.judge(300, crowded=True) == 255, "what queues was let in before"
    assert limit.judge(20, crowded=True) == 216, "while few come through the limit counts"
    assert [limit.judge(190, crowded=False) for _ in range(CALM_SECONDS)] == [216] * CALM_SECONDS
    assert limit.judge(210, crowded=False) == 248
    assert limit.judge(210, crowded=False) == 252, "where it was too much before it rises a little only"
    for _ in range(30):
        limit.judge(20, crowded=False)
    assert limit.now is None, "at the usual rate there is no limit of ours"


def test_who_is_far_behind_lets_in_less_to_catch_up() -> None:
    assert Limit(400).judge(200, crowded=True, behind=BEHIND_SECONDS) == 170
    assert Limit(400).judge(200, crowded=True, behind=BEHIND_SECONDS + 0.4) in (129, 130)
    assert Limit(400).judge(200, crowded=True, behind=10.0) == 120
    assert Limit(400).judge(200, crowded=False, behind=10.0) is None
    assert Limit(400).judge(900, crowded=True) == 340, "no more than what is usual"


async def test_answers_that_wait_to_be_heard_are_a_queue() -> None:
    told: list[int | None] = []
    heard, calls = [0, 0.0], [0]

    def late() -> tuple[int, float]:
        heard[0] += 10
        heard[1] += 10 * (BEHIND_SECONDS + 0.01)
        return int(heard[0]), heard[1]

    def begun() -> int:
        calls[0] += 100
        return calls[0]

    async def tell(limit: int | None) -> None:
        told.append(limit)

    looking = asyncio.create_task(Relief(400, lambda: 0.0, begun, tell, late, seconds=0.01).look())
    try:
        async with asyncio.timeout(60):
            while not told:
                await asyncio.sleep(0.02)
    finally:
        looking.cancel()
    assert told[0] == 84


def test_some_are_always_let_in() -> None:
    limit = Limit(400)
    for _ in range(100):
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


def test_what_was_too_much_once_and_is_borne_now_was_not_the_calls() -> None:
    limit = Limit(600)
    limit.judge(300, crowded=True)
    rates = [limit.judge(300, crowded=False) for _ in range(CALM_SECONDS + 9)][CALM_SECONDS:]
    assert rates == [293, 298, 303, 309, 355, 408, 469, 539, None]
