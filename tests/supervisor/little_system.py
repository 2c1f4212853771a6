"""A system of three children, started by tests as a process of its own: `python -m tests.supervisor.little_system FOLDER`.

"edge" forks two workers that ignore SIGTERM (Kamailio's shape); "switch" does not stop until FOLDER/calls-over exists; "plain" is plain.
"""

import asyncio
import sys
from pathlib import Path

from offhook.supervisor.children import Child
from offhook.supervisor.datafolder import prepare
from offhook.supervisor.ports import claim_rtp_block
from offhook.supervisor.supervisor import Supervisor

_EDGE = "echo $$ >{folder}/edge.group; for worker in 1 2; do (trap '' TERM; while :; do sleep 0.2; done) & done; wait"
_SWITCH = "echo $$ >{folder}/switch.group; trap 'echo draining' TERM; while [ ! -e {folder}/calls-over ]; do sleep 0.1; done"
_PLAIN = "echo $$ >{folder}/plain.group; exec sleep 600"


def _child(name: str, script: str, folder: Path, stop_seconds: float) -> Child:
    async def ready() -> bool:
        return (folder / f"{name}.group").exists()

    arguments = ("/bin/sh", "-c", script.format(folder=folder))
    return Child(name=name, arguments=arguments, log=folder / f"{name}.log", ready=ready, stop_seconds=stop_seconds)


async def _main(folder: Path) -> None:
    data = prepare(folder / "data")
    block = claim_rtp_block()
    children = [_child("edge", _EDGE, folder, 1.0), _child("plain", _PLAIN, folder, 1.0), _child("switch", _SWITCH, folder, 60.0)]
    supervisor = Supervisor(children, lambda line: print(line, flush=True), hold=(data.lock, *block.descriptors))

    async def say() -> None:
        print(f"rtp {block.first}\nready", flush=True)

    await supervisor.run(say)
    print("stopped", flush=True)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
