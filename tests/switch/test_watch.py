"""What the switch counts of its calls is what happened, no more and no less."""

import asyncio
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.calls.findings import kind_of, one_way
from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, StreamFigures
from offhook.domain.organizations import OrganizationId
from offhook.metrics import Figures
from offhook.switch.exchange import Exchange
from offhook.switch.executor import ASKED, TOLD
from offhook.switch.watch import ENGINE, Watch, calls_up, legs_up
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


def test_every_order_is_counted_with_the_engine_that_carries_it_out() -> None:
    for command, order in {**ASKED, **TOLD}.items():
        text = inspect.getsource(order)
        engine = "rtpengine" if "self.media." in text else "kamailio" if "self.registrar." in text else None
        assert engine is None or ENGINE.get(command) == engine, f"{command.__name__}: name its engine in switch/watch.py"


def test_what_telephones_reported_of_the_sound_is_sorted_in_and_what_nobody_reported_is_not_zero() -> None:
    figures = Figures()
    heard = StreamFigures(LegId("a.0"), "PCMU", None, "192.0.2.1:4000", 500, 80_000, 0.0, mos=4.25, jitter_ms=12.0, loss_percent=2.0)
    unheard = StreamFigures(LegId("a.1"), "PCMU", None, "192.0.2.1:4002", 500, 80_000, 0.0)
    ending = ENDINGS["completed.by_caller"]
    cdr = Cdr(
        CallId("a"), OrganizationId(1), 1, 100.0, 102.0, 130.0, "101", "102", "ben", "inside", ending, MediaFigures((heard, unheard)),
        ("ben sent no audio: and its SDP named no address",),
    )  # fmt: skip
    watch = Watch(figures)
    watch.recorded(cdr)
    watch.recorded(replace(cdr, answered_at=None, findings=()))  # of a call that nobody answered no sound is told
    told = {each["name"]: {tuple(row[0]): row[1:] for row in each["rows"]} for each in figures.told()}
    assert told["offhook_stream_mos"][()] == [[0] * 10 + [1, 0, 0, 0], 4.25]
    assert told["offhook_stream_jitter_seconds"][()][1] == 0.012 and told["offhook_stream_loss_ratio"][()][1] == 0.02
    assert told["offhook_streams_total"] == {("yes",): [1], ("no",): [1]}
    assert told["offhook_findings_total"] == {("never_heard",): [1]}
    assert told["offhook_call_talked_seconds_total"][("inside",)] == [28.0]
