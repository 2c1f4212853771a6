"""The sandbox carrier's process: the public network on this machine."""

from offhook.carriers.sandbox.serving import serving
from offhook.engines.speech.prompts import Prompts
from offhook.plan import SystemPlan
from offhook.wiring.process import asked_to_stop, run_process


async def run_carrier(plan: SystemPlan) -> None:
    """Be the public network until SIGTERM."""
    prompts = Prompts(plan.folder / "prompts")
    try:
        async with serving((plan.carrier_host, plan.carrier_port), (plan.address, plan.edge_carrier_port), prompts, plan.carrier_desk):
            await asked_to_stop()
    finally:
        await prompts.close()


if __name__ == "__main__":
    run_process(run_carrier)
