"""A report is true, bounded in time, and asks nobody twice at once."""

import asyncio
import time

from offhook.services.health import Check, Health, Unwell


async def well() -> str:
    return "answers"


async def ill() -> str:
    raise Unwell("it is away")


async def broken() -> str:
    raise ZeroDivisionError("a mistake")


async def test_each_part_tells_how_it_fares_and_mistakes_count_as_unwell() -> None:
    report = await Health({"a": Check(well, needed_for_calls=True), "b": Check(ill), "c": Check(broken)}).report()
    assert [(part.name, part.ok, part.words) for part in report.parts] == [
        ("a", True, "answers"),
        ("b", False, "it is away"),
        ("c", False, "ZeroDivisionError: a mistake"),
    ]
    assert report.ready and not report.healthy
    assert not (await Health({"a": Check(ill, needed_for_calls=True)}).report()).ready


async def test_a_part_that_hangs_is_told_in_time_asked_once_and_well_again_when_it_answers() -> None:
    answers, asked = asyncio.Event(), 0

    async def hangs() -> str:
        nonlocal asked
        asked += 1
        await answers.wait()
        return "at last"

    health = Health({"a": Check(hangs), "b": Check(well)}, patience=0.05, fresh=0.0)
    for _ in range(3):
        report = await asyncio.wait_for(health.report(), 5)
        assert [part.ok for part in report.parts] == [False, True]
    assert asked == 1
    answers.set()
    assert [part.words for part in (await health.report()).parts] == ["at last", "answers"]
    await health.report()
    assert asked == 2


async def test_many_who_ask_at_once_get_one_report() -> None:
    asked = 0

    async def counts() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return "ok"

    health = Health({"a": Check(counts)}, fresh=60.0)
    reports = await asyncio.gather(*(health.report() for _ in range(50)))
    assert asked == 1 and len({id(report) for report in reports}) == 1
    assert abs(reports[0].at - time.time()) < 60
