"""PJSUA2, the library under many softphones: a small telephone on it, in a process of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from re import findall
from typing import ClassVar

from tests.interop.softphone import Missing, Softphone, free_pair

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / ".setup" / "interop"
_WANTED = Path(__file__).with_name("requirements.txt")
_NAME = "pjsua2_python"


class Pjsua(Softphone):
    """A PJSUA2 telephone without a sound card."""

    name: ClassVar[str] = "PJSUA2"
    lacks: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def version(cls) -> str:
        for folder in _FOLDER.glob(f"{_NAME}-*.dist-info"):
            return "PJSUA2 " + folder.name.removeprefix(f"{_NAME}-").partition(".post")[0].removesuffix(".dist-info")
        command = f"{sys.executable} -m pip install --require-hashes --no-deps --only-binary :all: --target {_FOLDER} -r {_WANTED}"
        raise Missing(f"PJSUA2 is not installed: {command}")

    async def start(self) -> None:
        program = str(Path(__file__).with_name("pjsua_program.py"))
        await self.run(sys.executable, "-u", program, environment={"PYTHONPATH": str(_FOLDER)})
        line = self.line
        await self.types(
            json.dumps(
                asdict(self.wish)
                | {"username": line.username, "password": line.password, "domain": line.domain, "outbound": line.outbound}
                | {"transport": line.edge.transport, "authority": str(line.authority or ""), "media_port": free_pair()}
            )
        )

    async def registered(self) -> None:
        await self.prints('"registration", "status": 200', "that it is registered")

    async def dials(self, number: str) -> None:
        await self._orders("dial", number)

    async def answers(self) -> None:
        await self.prints('"incoming"', "a call that comes")
        await self._orders("answer")

    async def hangs_up(self) -> None:
        await self._orders("hang_up")

    async def holds(self) -> None:
        await self._orders("hold")

    async def resumes(self) -> None:
        await self._orders("resume")

    async def presses(self, digits: str) -> None:
        # Given all at once it sends every INFO in the same millisecond: they must arrive in their order.
        await self._orders("press_by_info" if self.wish.keys_by_info else "press", digits)

    async def transfers(self, number: str) -> None:
        await self._orders("transfer", number)

    async def consults(self, number: str) -> None:
        await self._orders("hold")
        await self._orders("dial", number)

    async def joins(self) -> None:
        await self._orders("join")

    def digits(self) -> str:
        return "".join(findall('"digit", "digit": "(.)"', self.printed))

    async def _orders(self, order: str, what: str = "") -> None:
        await self.types(json.dumps({"do": order, "what": what}))
