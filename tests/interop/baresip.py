"""baresip from Debian: configured by files, driven by its console (ctrl_tcp: netstrings of JSON)."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.calls.system import free_port
from tests.interop.softphone import PATIENCE_SECONDS, Missing, Softphone, free_pair

_PROGRAM = "/usr/bin/baresip"
_MODULES = ("g711", "aufile", "aubridge", "sndfile", "srtp")
_APPLICATIONS = ("account", "menu", "ctrl_tcp")


class Baresip(Softphone):
    """baresip with a tone as its microphone and a recorder as its speaker."""

    name: ClassVar[str] = "baresip"
    lacks: ClassVar[Mapping[str, str]] = {
        "attended transfer": "no order for it: REFER without Replaces only",
        "DTMF by INFO": "receives INFO, but sends keys by RFC 4733 only",
        "late offer": "always offers in its INVITE",
        "session timer": "no RFC 4028",
        "PRACK": "no RFC 3262",
    }
    remarks: ClassVar[Mapping[str, str]] = {
        "TLS": "it does not check the certificate: it registered with another authority to trust, too",
        "hold and resume": "what it hears after resume is read from its decoder's counter: its recorder ends at hold",
    }
    _console: int

    @classmethod
    def version(cls) -> str:
        if shutil.which(_PROGRAM) is None:
            raise Missing("baresip is not installed: apt-get install --no-install-recommends baresip-core")
        printed = subprocess.run([_PROGRAM, "-h"], capture_output=True, text=True, timeout=10, check=False)
        found = re.search(r"baresip v?([\d.]+)", printed.stdout + printed.stderr)
        return f"baresip {found[1]}" if found else "baresip of unknown version"

    async def start(self) -> None:
        self._console = free_port(socket.SOCK_STREAM)
        modules = "".join(f"module {name}.so\n" for name in _MODULES)
        applications = "".join(f"module_app {name}.so\n" for name in _APPLICATIONS)
        trust = f"sip_cafile {self.line.authority}\n" if self.line.authority else ""
        (self.folder / "config").write_text(
            f"sip_listen 127.0.0.1:{free_pair()}\nmodule_path /usr/lib/baresip/modules\n{modules}{applications}{trust}"
            f"ctrl_tcp_listen 127.0.0.1:{self._console}\naudio_source aufile,{self.folder}/says.wav\naudio_player aubridge,ear\n"
            f"net_interface 127.0.0.1\nsnd_path {self.folder}\n"
        )
        secure = ";mediaenc=srtp-mand" if self.wish.srtp else ""
        (self.folder / "accounts").write_text(
            f'<sip:{self.line.username}@{self.line.domain}>;auth_pass={self.line.password};outbound="{self.line.outbound}"'
            f";answermode=manual;regint=600;audio_codecs=PCMU,PCMA{secure}\n"
        )
        (self.folder / "contacts").touch()
        await self.run(_PROGRAM, "-f", str(self.folder), "-v")

    async def registered(self) -> None:
        await self.prints("200 OK", "that it is registered")

    async def dials(self, number: str) -> None:
        await self._orders("dial", f"sip:{number}@{self.line.domain}")

    async def answers(self) -> None:
        await self.prints("Incoming call", "a call that comes")
        await self._orders("accept")

    async def hangs_up(self) -> None:
        await self._orders("hangup")

    async def holds(self) -> None:
        await self._orders("hold")

    async def resumes(self) -> None:
        await self._orders("resume")

    async def presses(self, digits: str) -> None:
        for digit in digits:
            await self._orders("sndcode", digit)
            await asyncio.sleep(0.3)  # a person's pace

    async def transfers(self, number: str) -> None:
        await self._orders("transfer", f"sip:{number}@{self.line.domain}")

    def digits(self) -> str:
        return "".join(re.findall(r"received event: '(.)' \(end=0", self.printed))  # the ends it does not always print

    def recordings(self) -> list[Path]:
        return sorted(self.folder.glob("dump-*-dec.wav"))

    async def hears_after_hold(self, frequency: float) -> None:
        """Its recorder does not come back after a hold; what its decoder has put out for a speaker that nobody empties is counted."""

        async def put_out() -> int:
            found = re.search(r"max 160.00ms, or (\d+)", await self._asks("audio_debug"))
            assert found is not None, "audio_debug tells of no buffer"
            return int(found[1])

        before = await put_out()
        await asyncio.sleep(1.0)
        assert await put_out() > before + 20, f"baresip decodes nothing, so no {frequency:g} Hz"

    async def _asks(self, command: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._console)
        order = json.dumps({"command": command}).encode()
        writer.write(b"%d:%s," % (len(order), order))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                length = int((await reader.readuntil(b":"))[:-1])
                return str(json.loads(await reader.readexactly(length))["data"])
        finally:
            writer.close()

    async def _orders(self, command: str, parameters: str = "") -> None:
        order = json.dumps({"command": command, "params": parameters}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", self._console)
        writer.write(b"%d:%s," % (len(order), order))
        await writer.drain()
        writer.close()
