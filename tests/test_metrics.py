"""Figures are kept exactly, told as plain values, and written as Prometheus reads them."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from offhook.doors.api.metrics import written
from offhook.metrics import Figures


def samples(figures: Figures) -> dict[tuple[str, ...], float]:
    """What Prometheus' own reader makes of figures that went over a desk as JSON."""
    text = written(json.loads(json.dumps(figures.told()))).decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted_is_read_by_prometheus() -> None:
    figures = Figures()
    calls = figures.counter("offhook_calls_ended_total", 'Calls that "ended".', "ending")
    calls.add("busy", by=0)
    calls.add("done")
    calls.add("done")
    figures.gauge("offhook_waiting", "Waits.", lambda: 7)
    figures.gauge("offhook_legs", "Legs.", lambda: {("up",): 2, ("ringing",): 1}, "state")
    assert samples(figures) == {
        ("offhook_calls_ended_total", "busy"): 0,
        ("offhook_calls_ended_total", "done"): 2,
        ("offhook_waiting",): 7,
        ("offhook_legs", "up"): 2,
        ("offhook_legs", "ringing"): 1,
    }


def test_a_value_on_a_bound_lies_in_its_bucket_and_buckets_add_up() -> None:
    figures = Figures()
    spread = figures.histogram("offhook_seconds", "Seconds.", (0.1, 1.0), "engine")
    for value in (0.1, 0.5, 1.0, 30.0):
        spread.observe(value, "kamailio")
    assert samples(figures) == {
        ("offhook_seconds_bucket", "0.1", "kamailio"): 1,
        ("offhook_seconds_bucket", "1.0", "kamailio"): 3,
        ("offhook_seconds_bucket", "+Inf", "kamailio"): 4,
        ("offhook_seconds_count", "kamailio"): 4,
        ("offhook_seconds_sum", "kamailio"): pytest.approx(31.6),
    }


def test_a_gauge_that_only_grows_is_told_as_a_counter() -> None:
    figures = Figures()
    figures.gauge("offhook_restarts_total", "Restarts.", lambda: 3)
    assert "# TYPE offhook_restarts_total counter" in written(figures.told()).decode()


def test_two_figures_of_one_name_and_a_counter_of_the_wrong_name_are_our_mistakes() -> None:
    figures = Figures()
    figures.counter("offhook_calls_total", "Calls.")
    with pytest.raises(ValueError, match="kept already"):
        figures.gauge("offhook_calls_total", "Calls.", lambda: 1)
    with pytest.raises(ValueError, match="_total"):
        figures.counter("offhook_calls", "Calls.")
