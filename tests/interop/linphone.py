"""linphone's console client from Debian: configured by a file of its own, driven by typing."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import ClassVar

from tests.interop.softphone import Missing, Softphone, free_pair

_PROGRAM = "/usr/bin/linphonec"


class Linphone(Softphone):
    """linphonec with files instead of a sound card."""

    name: ClassVar[str] = "linphone"
    lacks: ClassVar[Mapping[str, str]] = {}
    _calls = 0

    @classmethod
    def version(cls) -> str:
        if shutil.which(_PROGRAM) is None:
            raise Missing("linphone is not installed: apt-get install --no-install-recommends linphone-cli")
        asked = ["dpkg-query", "-W", "-f", "${Version}", "linphone-cli"]
        printed = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
        return f"linphonec {printed.stdout.partition('-')[0] or 'of unknown version'}"

    async def start(self) -> None:
        (self.folder / ".local" / "share" / "linphone").mkdir(parents=True)  # without it linphonec never registers, and says nothing
        (self.folder / "linphonerc").write_text(self._configuration())
        await self.run(_PROGRAM, "-c", "linphonerc", "-S", "-d", "6", "-l", "linphone.log", environment={"HOME": str(self.folder)})
        for line in ("soundcard use files", f"play {self.folder}/says.wav"):
            await self.types(line)
        await self._records()

    async def _records(self) -> None:
        """A file for each call, named before it rings: the order hangs the client while it does."""
        self._calls += 1
        await self.types(f"record {self.folder}/heard-{self._calls}.wav")

    def _configuration(self) -> str:
        line, wish, transport = self.line, self.wish, self.line.edge.transport
        # Its TLS looks for a name in the certificate, never for an address.
        outbound = line.outbound.replace(line.edge.host, "localhost") if transport == "tls" else line.outbound
        port, media = free_pair(), free_pair()
        ports = {"udp": -2, "tcp": -2, "tls": -2} | {transport: port}  # -2: a random one, 0: not at all
        sip = [f"sip_{'tls_' if kind == 'tls' else 'tcp_' if kind == 'tcp' else ''}port={number}" for kind, number in ports.items()]
        sip += ["register_only_when_network_is_up=0", "default_proxy=0", "use_rfc2833=" + str(int(not wish.keys_by_info))]
        sip += ["use_info=" + str(int(wish.keys_by_info)), "sdp_200_ack=" + str(int(wish.late_offer))]
        sip += [f"root_ca={line.authority}"] if line.authority else []
        sip += ["media_encryption=srtp", "media_encryption_mandatory=1"] if wish.srtp else ["media_encryption=none"]
        if wish.session_seconds:
            sip += ["session_expires_enabled=1", f"session_expires_value={wish.session_seconds}", "session_expires_min_value=90"]
            sip += ["session_expires_refresher_value=1"]
        if wish.reliable:
            sip += ["100rel_support_level=2"]
        proxy = [f"reg_proxy=<{outbound}>", f"reg_route=<{outbound};lr>", "reg_expires=600"]
        proxy += [f"reg_identity=sip:{line.username}@{line.domain}", "reg_sendregister=1", "publish=0", "quality_reporting_enabled=0"]
        account = [f"username={line.username}", f"passwd={line.password}", f"realm={line.domain}", f"domain={line.domain}", "algorithm=MD5"]
        parts = {"sip": sip, "proxy_0": proxy, "auth_info_0": account, "rtp": [f"audio_rtp_port={media}", "video_rtp_port=-1"]}
        parts |= {"audio_codec_0": ["mime=PCMU", "rate=8000", "enabled=1"], "audio_codec_1": ["mime=PCMA", "rate=8000", "enabled=1"]}
        parts |= {"audio_codec_2": ["mime=opus", "rate=48000", "channels=2", "enabled=0"], "misc": ["log_collection_upload_server_url="]}
        return "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in parts.items())

    @property
    def printed(self) -> str:
        """Its log: it says more, and at once."""
        file = self.folder / "linphone.log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def registered(self) -> None:
        await self.prints(r"to \[LinphoneRegistrationOk\]", "that it is registered")

    async def dials(self, number: str) -> None:
        await self.types(f"call sip:{number}@{self.line.domain}")

    async def answers(self) -> None:
        await self.prints("CallIncomingReceived", "a call that comes")
        await self.types("answer")

    async def hangs_up(self) -> None:
        await self.types("terminate all")
        await self._records()

    async def holds(self) -> None:
        await self.types("pause")

    async def resumes(self) -> None:
        await self.types("resume")

    async def presses(self, digits: str) -> None:
        for digit in digits:
            await self.types(digit)
            await asyncio.sleep(0.4)  # a person's pace

    async def transfers(self, number: str) -> None:
        await self.types(f"transfer sip:{number}@{self.line.domain}")

    async def consults(self, number: str) -> None:
        await self.types("pause")
        await self.types(f"call sip:{number}@{self.line.domain}")

    async def joins(self) -> None:
        await self.types("transfer 1 --to-call 2")

    def digits(self) -> str:
        return "".join(re.findall(r"Receiving dtmf (.)\.", self.printed))
