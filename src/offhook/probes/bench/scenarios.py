"""What the bench plays: its scenarios, the steps of each, and which parts of a phone system each needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

MOST_CALLS = 50_000
MOST_SECONDS = 900
"""Of one run: the bench shares its machine with what it measures, and perhaps with others."""

CALLERS = tuple(range(1001, 1501))
CALLEES = tuple(range(2001, 2401))


class Step(NamedTuple):
    """Offer `rate` calls a second, `calls` in all, each `hold` seconds long."""

    rate: float
    calls: int
    hold: float

    def __str__(self) -> str:
        return f"{self.rate:g}:{self.calls}:{self.hold:g}"


def read_step(text: str) -> Step:
    """A step as `RATE:CALLS:HOLD`. Raises ValueError with what is wrong."""
    words = text.split(":")
    try:
        step = Step(float(words[0]), int(words[1]), float(words[2]))
    except (ValueError, IndexError):
        raise ValueError(f"{text!r} is no step; write RATE:CALLS:HOLD, such as 50:500:1.") from None
    if len(words) != 3 or step.rate <= 0 or step.calls <= 0 or step.hold < 0:
        raise ValueError(f"{text!r} is no step; write RATE:CALLS:HOLD with numbers above 0, such as 50:500:1.")
    if step.calls > MOST_CALLS or step.calls / step.rate + step.hold > MOST_SECONDS:
        raise ValueError(f"{text!r} is too much: at most {MOST_CALLS} calls and {MOST_SECONDS} s a run.")
    return step


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. `script` is SIPp's, for the caller; `mode` what rtpbench sends for a caller: s(tamped), q(uiet), r(eceive) only."""

    words: str
    script: str = "uac.xml"
    needs: str = ""
    """A part of the system that is not built yet; the scenario is skipped by name."""
    number: str = ""
    """What everybody dials; empty: each caller a user of his own."""
    sound: bool = True
    callees: bool = False
    mode: str = "q"
    plan: tuple[tuple[Step, int], ...] = ()
    """The steps of a whole bench, and how often each is repeated."""


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "call": Scenario(
            "calls between users, sound both ways through the system",
            callees=True,
            mode="s",
            plan=((Step(20, 100, 20), 3), (Step(20, 200, 20), 3), (Step(25, 500, 20), 1)),
        ),
        "signal": Scenario(
            "calls between users without sound: set-up and tear-down alone",
            sound=False,
            callees=True,
            mode="r",
            plan=(
                (Step(50, 500, 1), 3),
                (Step(100, 2000, 1), 1),
                (Step(200, 6000, 1), 1),
                (Step(300, 18000, 1), 1),
                (Step(600, 12000, 1), 1),
            ),
        ),
        "ivr": Scenario(
            "callers of an auto attendant, who listen for ten seconds and press a key",
            script="ivr.xml",
            number="7000",
            plan=((Step(20, 100, 10.3), 3),),
        ),
        "queue": Scenario("callers who wait in a queue and hear music", needs="queues", number="7100"),
        "agents": Scenario("callers of a queue whose agents answer at once", needs="queues", number="7200", callees=True, mode="s"),
        "conf": Scenario("participants of a conference", needs="conferences", number="7300"),
        "register": Scenario(
            "telephones that register, each from an address of its own",
            script="register.xml",
            sound=False,
            mode="r",
            plan=((Step(500, 5000, 0), 3), (Step(2000, 16000, 0), 1), (Step(4000, 24000, 0), 1)),
        ),
    }
)
"""By name, in the order in which they are played: what looks for limits comes last within each."""
