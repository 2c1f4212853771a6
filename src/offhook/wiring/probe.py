"""The process that plays the self-test: a row of JSON on standard output for each scenario."""

import json

from offhook.carriers.sandbox.desk import CarrierDesk
from offhook.plan import SystemPlan
from offhook.probes.selftest import play_all
from offhook.probes.stage import CallIn, Stage, stage_from
from offhook.sip.addresses import Address
from offhook.wiring.process import run_process


def stage_of(plan: SystemPlan) -> Stage:
    """The stage that a running system offers."""
    through: CallIn | None = CarrierDesk(plan.carrier_desk).call if plan.sandbox else None
    return stage_from(plan.probe, Address(plan.address, plan.sip_port), through)


async def run_probe(plan: SystemPlan) -> None:
    """Play every scenario."""
    async for row in play_all(stage_of(plan)):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    run_process(run_probe)
