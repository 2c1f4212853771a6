"""What the switch counts of its calls is what happened, no more and no less."""

import asyncio
from pathlib import Path
from typing import Any

from offhook.domain.calls.endings import ENDINGS
from offhook.domain.calls.findings import kind_of, one_way
from offhook.domain.calls.ids import LegId
from offhook.domain.media import StreamFigures
from offhook.metrics import Figures
from offhook.switch.exchange import Exchange
from offhook.switch.watch import Watch, calls_up, legs_up
from tests.switch.office import Office, eventually


class WatchedOffice(Office):
    """The switch of Lumen Works, whose figures are kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.watch = Watch(Figures())
        self.exchange = Exchange(lambda: self.executor, self.records, self.watch)
        self.signalling.deliver = self.exchange.deliver

    def rows(self, name: str) -> dict[tuple[str, ...], Any]:
        """Counted values of a family by labels, without zeros; of a histogram how many were sorted in."""
        (family,) = [each for each in self.watch.figures.told() if each["name"] == name]
        counted = {tuple(row[0]): sum(row[1]) if isinstance(row[1], list) else row[1] for row in family["rows"]}
        return {labels: value for labels, value in counted.items() if value}


async def test_a_call_that_was_talked_and_one_given_up_are_counted_by_ending(tmp_path: Path) -> None:
    office = WatchedOffice(tmp_path)
    call = await office.talking("102")
    assert calls_up(office.exchange.living())["inside", "answered"] == 1
    assert legs_up(office.exchange.living())["up",] >= 1
    office.hangs_up(LegId(f"{call}.0"))
    await office.ended(call)
    given_up = office.dials("102")
    office.rings(await office.called(given_up))
    await office.stands(given_up, "ringing")
    office.cancels(LegId(f"{given_up}.0"))
    await office.ended(given_up)
    assert office.rows("offhook_calls_ended_total") == {("completed.by_caller", "inside"): 1, ("caller.cancelled", "inside"): 1}
    assert office.rows("offhook_call_setup_seconds") == {("inside",): 1}
    assert office.rows("offhook_call_post_dial_delay_seconds") == {("inside",): 2}
    assert not any(calls_up(office.exchange.living()).values())
    orders = office.rows("offhook_commands_total")
    assert orders["evaluator", "Route", "done"] == 2 and orders["rtpengine", "CloseMedia", "done"] == 2
    assert {engine for engine, _, _ in orders} == {"evaluator", "kamailio", "rtpengine", "signalling"}
    assert sum(office.rows("offhook_command_seconds").values()) == sum(orders.values())


async def test_every_ending_is_told_from_the_start_so_that_its_first_call_is_a_rise(tmp_path: Path) -> None:
    (family,) = [each for each in WatchedOffice(tmp_path).watch.figures.told() if each["name"] == "offhook_calls_ended_total"]
    assert {labels[0] for labels, _ in family["rows"]} == set(ENDINGS)
    assert not any(value for _, value in family["rows"])


async def test_an_event_that_waited_counts_with_its_wait(tmp_path: Path) -> None:
    office = WatchedOffice(tmp_path)
    await office.talking("102")
    (family,) = [each for each in office.watch.figures.told() if each["name"] == "offhook_switch_inbox_lag_seconds"]
    (row,) = family["rows"]
    assert sum(row[1]) == office.rows("offhook_switch_inbox_lag_seconds")[()] >= 5 and row[2] > 0


async def test_a_loop_that_is_held_up_is_seen_late() -> None:
    figures = Figures()
    watching = asyncio.create_task(Watch(figures).watch_loop())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.4
    while loop.time() < until:  # hold the loop up, as a computation would
        pass

    def rows() -> Any:
        return next(each["rows"] for each in figures.told() if each["name"] == "offhook_switch_loop_lag_seconds")

    await eventually(lambda: rows()[0][2] >= 0.1, "the delay")
    watching.cancel()


def test_a_finding_is_counted_by_its_kind() -> None:
    stream = StreamFigures(LegId("a.0"), "PCMU", "192.0.2.1:4000", None, 0, 0, None)
    assert kind_of(one_way("anna", stream) or "") == "never_heard"
    stopped = StreamFigures(LegId("a.0"), "PCMU", "192.0.2.1:4000", "192.0.2.1:4000", 50, 8000, 7.0)
    assert kind_of(one_way("anna", stopped) or "") == "stopped"
    assert kind_of("the attendant could not speak") == "other"
