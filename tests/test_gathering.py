"""A queue that is read on a beat: in order, many at a time, nothing lost."""

import threading

from offhook.gathering import Gathering


def test_what_comes_within_a_beat_is_taken_together() -> None:
    lines: Gathering[int] = Gathering(1.0)
    taken: list[list[int]] = []
    reader = threading.Thread(target=lambda: taken.append(list(lines.taken())))
    reader.start()
    for number in range(100):
        lines.put(number)
    reader.join(10)
    assert taken == [list(range(100))] and len(lines) == 0


def test_nothing_is_lost_between_two_looks() -> None:
    lines: Gathering[int] = Gathering(0.001)
    taken: list[int] = []

    def reads() -> None:
        while len(taken) < 20_000:
            taken.extend(lines.taken(10))

    reader = threading.Thread(target=reads, daemon=True)
    reader.start()
    for number in range(20_000):
        lines.put(number)
    reader.join(10)
    assert taken == list(range(20_000))


def test_where_nothing_comes_the_reader_is_back_after_its_patience() -> None:
    lines: Gathering[int] = Gathering(0.001)
    assert list(lines.taken(0.01)) == []
    lines.put(1)
    assert list(lines.taken(10)) == [1]
    assert list(lines.taken(0.01)) == [], "the look after something came waits for nobody"
    assert list(lines.taken(0.01)) == []


def test_each_leaves_the_queue_as_it_is_asked_for() -> None:
    lines: Gathering[int] = Gathering(0.001)
    for number in range(5):
        lines.put(number)
    taking = lines.taken()
    assert [next(taking), next(taking), len(lines)] == [0, 1, 3]
