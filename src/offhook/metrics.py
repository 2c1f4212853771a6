"""The figures a process keeps of itself: counters, histograms and gauges, at a fraction of a microsecond each.

A leaf: knows no room. They are kept where things happen, told as plain JSON values over the process's desk, and written down for
Prometheus by the web process (docs/decisions/0023). Names follow Prometheus' naming page: a prefix, base units, `_total` for what only
grows.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

Labels = tuple[str, ...]
Reading = float | Mapping[Labels, float]
"""What a gauge reads: one number, or one for each combination of its labels' values."""


class Counter:
    """Counts up for ever, one number for each combination of label values."""

    kind = "counter"

    def __init__(self) -> None:
        self._rows: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count. Values stand in the order in which the labels were named."""
        self._rows[labels] = self._rows.get(labels, 0) + by

    def told(self) -> list[list[Any]]:
        """Label values and number of each."""
        return [[list(labels), value] for labels, value in self._rows.items()]


class Histogram:
    """Sorts values into buckets by upper bounds; the last bucket takes what is beyond them."""

    kind = "histogram"

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._rows: dict[Labels, tuple[list[int], list[float]]] = {}

    def prepare(self, *labels: str) -> tuple[list[int], list[float]]:
        """Tell these label values from now on, though nothing was sorted in yet."""
        row = self._rows[labels] = ([0] * (len(self.bounds) + 1), [0.0])
        return row

    def observe(self, value: float, *labels: str) -> None:
        """Sort a value in. Its bucket is the first whose bound it does not exceed."""
        row = self._rows.get(labels) or self.prepare(*labels)
        row[0][bisect_left(self.bounds, value)] += 1
        row[1][0] += value

    def told(self) -> list[list[Any]]:
        """Label values, the count of each bucket by itself, and the sum of all values."""
        return [[list(labels), list(counts), total[0]] for labels, (counts, total) in self._rows.items()]


class Gauge:
    """Reads a number when somebody asks."""

    def __init__(self, read: Callable[[], Reading], kind: str) -> None:
        self.kind = kind
        self._read = read

    def told(self) -> list[list[Any]]:
        """Label values and number of each."""
        reading = self._read()
        return [[list(labels), value] for labels, value in (reading if isinstance(reading, Mapping) else {(): reading}).items()]


class Figures:
    """All figures of one process. Each is named once; a second one of the same name is our mistake, and raises ValueError."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, tuple[str, ...], Counter | Histogram | Gauge]] = {}

    def counter(self, name: str, words: str, *labels: str) -> Counter:
        """A counter; its name ends in `_total`."""
        if not name.endswith("_total"):
            raise ValueError(f"{name}: what only grows is named ..._total")
        counter = Counter()
        if not labels:  # from zero: a rate cannot see the first of what was not there before
            counter.add(by=0)
        self._add(name, words, labels, counter)
        return counter

    def histogram(self, name: str, words: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
        """A histogram with these upper bounds, ascending."""
        histogram = Histogram(bounds)
        if not labels:
            histogram.prepare()
        self._add(name, words, labels, histogram)
        return histogram

    def gauge(self, name: str, words: str, read: Callable[[], Reading], *labels: str) -> None:
        """A number that `read` gives whenever somebody asks. Named `..._total`, it is taken for a counter that is kept elsewhere."""
        self._add(name, words, labels, Gauge(read, "counter" if name.endswith("_total") else "gauge"))

    def _add(self, name: str, words: str, labels: tuple[str, ...], family: Counter | Histogram | Gauge) -> None:
        if name in self._families:
            raise ValueError(f"the figure {name} is kept already")
        self._families[name] = (words, labels, family)

    def told(self) -> list[dict[str, Any]]:
        """Every family as JSON values: name, words, kind, labels, bounds and rows."""
        return [
            {
                "name": name,
                "words": words,
                "kind": family.kind,
                "labels": list(labels),
                "bounds": list(family.bounds) if isinstance(family, Histogram) else [],
                "rows": family.told(),
            }
            for name, (words, labels, family) in self._families.items()
        ]
