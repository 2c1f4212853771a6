"""Who guesses waits longer and longer, nobody for ever, and what is remembered has an end."""

import pytest

from offhook.services.throttle import Throttle, source_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_the_free_ones_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    clock = Clock()
    throttle = Throttle(free=3, longest_seconds=10, clock=clock)
    waits = []
    for _ in range(9):
        throttle.failed("anna")
        waits.append(throttle.wait("anna"))
    assert waits == [0, 0, 0, 1, 2, 4, 8, 10, 10]
    clock.now += 9.5
    assert throttle.wait("anna") == pytest.approx(0.5)
    clock.now += 0.5
    assert throttle.wait("anna") == 0
    assert throttle.wait("ben") == 0


def test_a_thousand_failures_do_not_wait_longer_than_the_longest() -> None:
    throttle = Throttle(free=0, longest_seconds=60, clock=Clock())
    for _ in range(5000):
        throttle.failed("anna")
    assert throttle.wait("anna") == 60


def test_what_was_forgiven_or_forgotten_does_not_count() -> None:
    throttle = Throttle(free=1, longest_seconds=60, clock=Clock())
    throttle.failed("anna")
    throttle.failed("anna")
    throttle.forgive("anna")
    assert throttle.wait("anna") == 0
    throttle.failed("anna")
    assert throttle.wait("anna") == 1
    throttle.forget("anna")
    assert throttle.wait("anna") == 0 and len(throttle) == 0


def test_only_so_many_are_remembered_and_none_for_longer_than_told() -> None:
    clock = Clock()
    throttle = Throttle(free=0, longest_seconds=60, forget_seconds=100, most=50, clock=clock)
    for number in range(500):
        throttle.failed(f"guess {number}")
    assert len(throttle) == 50
    clock.now += 101
    throttle.failed("anna")
    assert len(throttle) == 1


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 500, "x" * 60),
    ],
)
def test_a_source_is_what_one_subscriber_has(address: str, source: str) -> None:
    assert source_of(address) == source
