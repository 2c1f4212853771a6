"""Every figure that the example alerts and the page of metrics name exists, and the page lists every figure there is."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from offhook.domain.calls.endings import ENDINGS
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.metrics import Figures
from offhook.switch.carriers import CarrierWatch
from offhook.switch.watch import Watch
from offhook.wiring.figures import SystemFigures, switch_gauges

ROOT = Path(__file__).parents[1]
RULES = (ROOT / "deploy" / "prometheus" / "offhook.rules.yaml").read_text()
PAGE = (ROOT / "docs" / "operate" / "metrics.md").read_text()
NAME = re.compile(r"\boffhook_[a-z_]+\b")
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def families() -> dict[str, dict[str, Any]]:
    """Every family of a running system, by name."""
    switch = Watch(Figures())
    nothing: Any = SimpleNamespace(living=list, waiting=lambda: 0, lost=0)
    switch_gauges(switch.figures, nothing, nothing, RtpEngine(nothing), CarrierWatch(list, nothing, 0))
    plan = cast(Any, SimpleNamespace(folder=ROOT))
    system = SystemFigures(plan, "1", nothing, nothing, nothing, nothing)
    return {each["name"]: each for each in [*switch.figures.told(), *system.families()]}


def named(text: str) -> set[str]:
    return {SUFFIX.sub("", name) for name in NAME.findall(text)}


def test_every_figure_of_the_alerts_exists() -> None:
    assert named(RULES) <= families().keys() and len(named(RULES)) > 12


def test_the_page_lists_every_figure_and_no_other() -> None:
    assert named(PAGE) - {"offhook_"} == families().keys()


def test_what_the_alerts_ask_of_labels_is_there() -> None:
    known = families()
    for name, inside in re.findall(r"(offhook_[a-z_]+){([^}]*)}", RULES):
        labels = set(re.findall(r"(\w+)=~?\"", inside))
        assert labels <= set(known[SUFFIX.sub("", name)]["labels"]), f"{name}{{{inside}}}"
    for pattern in re.findall(r'ending=~"([^"]+)"', RULES):
        for part in pattern.replace("\\\\", "\\").split("|"):
            assert any(re.fullmatch(part, ending) for ending in ENDINGS), part
