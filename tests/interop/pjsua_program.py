"""A PJSUA2 telephone as a process of its own: orders come as JSON lines, what happens goes out as JSON lines.

PJSUA2 is under the GPL; nothing of Offhook imports it. Run by `pjsua.py` with the folder that holds PJSUA2 on its path.
"""

import json
import os
import select
import signal
import sys
from typing import Any

import pjsua2 as pj  # type: ignore[import-not-found, unused-ignore]


def tell(**news: Any) -> None:
    """Say that something happened."""
    print(json.dumps(news), flush=True)


class Call(pj.Call):  # type: ignore[misc, unused-ignore]
    """One call; its sound is the line's file, and is recorded."""

    def __init__(self, line: "Line", call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(line, call_id)
        self.line = line
        self._recorder: Any = None

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - PJSUA2's name
        info = self.getInfo()
        tell(event="state", call=info.id, state=info.stateText, status=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.line.calls.remove(self)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                sound = self.getAudioMedia(index)
                self.line.player.startTransmit(sound)
                if self._recorder is None:
                    self._recorder = pj.AudioMediaRecorder()
                    self._recorder.createRecorder(f"heard-{info.id}.wav")
                sound.startTransmit(self._recorder)
        tell(event="media", call=info.id)

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        tell(event="digit", digit=prm.digit)

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        tell(event="transfer", status=prm.statusCode, final=prm.finalNotify)

    def onCallReplaced(self, prm: Any) -> None:  # noqa: N802
        tell(event="replaced", call=prm.newCallId)


class Line(pj.Account):  # type: ignore[misc, unused-ignore]
    """The account."""

    def __init__(self, player: Any, domain: str, flag: int) -> None:
        super().__init__()
        self.player, self.domain, self.flag = player, domain, flag
        self.calls: list[Call] = []

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        tell(event="registration", status=prm.code)

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        call = Call(self, prm.callId)
        self.calls.append(call)
        ringing = pj.CallOpParam()
        ringing.statusCode = 180
        call.answer(ringing)
        tell(event="incoming", call=prm.callId)

    def obey(self, order: dict[str, str]) -> None:
        """Do what a line of JSON says; a refusal of PJSUA2 is told."""
        try:
            getattr(self, "do_" + order["do"])(order.get("what", ""))
        except pj.Error as reason:
            tell(event="refused", order=order, reason=reason.info())

    def _uri(self, number: str) -> str:
        return f"sip:{number}@{self.domain}"

    def do_dial(self, number: str) -> None:
        how = pj.CallOpParam(True)
        how.opt.videoCount = 0
        how.opt.flag |= self.flag
        call = Call(self)
        self.calls.append(call)
        call.makeCall(self._uri(number), how)

    def do_answer(self, _: str) -> None:
        how = pj.CallOpParam()
        how.statusCode = 200
        self.calls[-1].answer(how)

    def do_hang_up(self, _: str) -> None:
        for call in list(self.calls):
            call.hangup(pj.CallOpParam())

    def do_hold(self, _: str) -> None:
        self.calls[-1].setHold(pj.CallOpParam())

    def do_resume(self, _: str) -> None:
        how = pj.CallOpParam(True)
        how.opt.flag, how.opt.videoCount = pj.PJSUA_CALL_UNHOLD, 0
        self.calls[-1].reinvite(how)

    def do_press(self, digits: str) -> None:
        self.calls[-1].dialDtmf(digits)

    def do_press_by_info(self, digits: str) -> None:
        how = pj.CallSendDtmfParam()
        how.method, how.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, digits
        self.calls[-1].sendDtmf(how)

    def do_transfer(self, number: str) -> None:
        self.calls[-1].xfer(self._uri(number), pj.CallOpParam())

    def do_join(self, _: str) -> None:
        first, second = self.calls[-2:]
        first.xferReplaces(second, pj.CallOpParam())


def account(wish: dict[str, Any]) -> Any:
    """The account's settings of PJSUA2."""
    settings = pj.AccountConfig()
    settings.idUri = f"sip:{wish['username']}@{wish['domain']}"
    settings.regConfig.registrarUri = f"sip:{wish['domain']};transport={wish['transport']}"
    settings.regConfig.timeoutSec = 600
    settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", wish["username"], 0, wish["password"]))
    settings.sipConfig.proxies.append(f"{wish['outbound']};lr")
    settings.natConfig.sipOutboundUse = 0  # or two telephones on one machine are taken for one
    settings.natConfig.contactRewriteUse = 0
    settings.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS if wish["session_seconds"] else pj.PJSUA_SIP_TIMER_OPTIONAL
    if wish["session_seconds"]:
        settings.callConfig.timerMinSESec, settings.callConfig.timerSessExpiresSec = 90, wish["session_seconds"]
    settings.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY if wish["reliable"] else pj.PJSUA_100REL_NOT_USED
    settings.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY if wish["srtp"] else pj.PJMEDIA_SRTP_DISABLED
    settings.mediaConfig.srtpSecureSignaling = 0
    settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    settings.mediaConfig.transportConfig.port = wish["media_port"]  # its own choice, 4000, is that of every program for tests
    return settings


def main() -> None:
    """Register, and obey until the input ends."""
    wish = json.loads(sys.stdin.readline())
    end = pj.Endpoint()
    end.libCreate()
    settings = pj.EpConfig()
    settings.uaConfig.threadCnt, settings.uaConfig.mainThreadOnly = 0, True
    settings.logConfig.level, settings.logConfig.consoleLevel, settings.logConfig.filename = 5, 0, "pjsua.log"
    settings.medConfig.noVad = True
    end.libInit(settings)
    kind = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}[wish["transport"]]
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    if wish["authority"]:
        transport.tlsConfig.CaListFile, transport.tlsConfig.verifyServer = wish["authority"], True
    end.transportCreate(kind, transport)
    end.audDevManager().setNullDev()
    end.libStart()
    player = pj.AudioMediaPlayer()
    player.createPlayer("says.wav")
    line = Line(player, wish["domain"], pj.PJSUA_CALL_NO_SDP_OFFER if wish["late_offer"] else 0)
    line.create(account(wish))
    waiting = b""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    while not stopping:
        end.libHandleEvents(10)
        if select.select([0], [], [], 0)[0]:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for each in lines:
                line.obey(json.loads(each))
    line.setRegistration(False)
    for _ in range(50):
        end.libHandleEvents(10)
    os._exit(0)  # PJSUA2's objects are not taken apart in the right order by Python's end


if __name__ == "__main__":
    main()
