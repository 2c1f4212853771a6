"""SIPp scenarios of our own, put together from their steps. What stands in brackets is SIPp's to fill in."""

import re
from collections.abc import Iterable

OFFER = """v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
"""
KEYS = OFFER.replace("101", "96")  # the payload type in which SIPp presses keys
HOLD = OFFER + "a=sendonly\n"
RESUME = OFFER + "a=sendrecv\n"

_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
_CONTACT = "Contact: <sip:ben@[local_ip]:[local_port];transport=[transport]>"
_SDP = "application/sdp"


def scenario(steps: Iterable[str]) -> str:
    """The whole file. SIPp refuses variables that nobody reads, so all are named at the end."""
    text = "\n".join(steps)
    kept = ",".join(sorted(set(re.findall(r'assign_to="(\w+)"', text))))
    read = f'<Reference variables="{kept}"/>\n' if kept else ""
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="interop">\n{text}\n{read}</scenario>\n'


def pause(milliseconds: int) -> str:
    """Do nothing for so long."""
    return f'<pause milliseconds="{milliseconds}"/>'


def keys(digits: str) -> str:
    """Press keys by RFC 4733."""
    return f'<nop><action><exec play_dtmf="{digits}"/></action></nop>'


def _send(lines: Iterable[str], body: str, kind: str, retransmitted: bool) -> str:
    typed = [f"Content-Type: {kind}"] if body else []
    text = "\n".join([*(line for line in lines if line), *typed, "Content-Length: [len]", "", body])
    retry = ' retrans="500"' if retransmitted else ""
    return f"<send{retry}><![CDATA[\n{text}\n]]></send>"


def receive(status: int, action: str = "", **options: str) -> str:
    """Wait for a response."""
    given = "".join(f' {name}="{value}"' for name, value in options.items())
    return f'<recv response="{status}"{given}>{f"<action>{action}</action>" if action else ""}</recv>'


def asked(method: str, action: str = "", **options: str) -> str:
    """Wait for a request."""
    given = "".join(f' {name}="{value}"' for name, value in options.items())
    return f'<recv request="{method}"{given}>{f"<action>{action}</action>" if action else ""}</recv>'


def keep(header: str, name: str) -> str:
    """Keep a header's value, which must be there."""
    return f'<ereg regexp="[^ ].*" search_in="hdr" header="{header}:" check_it="true" assign_to="{name}"/>'


def registration(domain: str, expires: int = 600) -> list[str]:
    """Register with digest for so many seconds, 0 to be registered no more."""

    def attempt(number: int, credentials: str) -> str:
        lines = [f"REGISTER sip:{domain} SIP/2.0", _VIA, f"From: <sip:ben@{domain}>;tag=r[call_number]", f"To: <sip:ben@{domain}>"]
        lines += ["Call-ID: [call_id]", f"CSeq: {number} REGISTER", _CONTACT, credentials, f"Expires: {expires}", "Max-Forwards: 70"]
        return _send(lines, "", "", True)

    return [attempt(1, ""), receive(401, auth="true"), attempt(2, "[authentication]"), receive(200)]


class Call:
    """The steps of one call from SIPp; each method adds its own. CSeq numbers and the far side's tag are kept here and by SIPp."""

    def __init__(self, domain: str, number: str) -> None:
        self.domain, self.number, self.steps, self._cseq = domain, number, list[str](), 0

    def _ours(self) -> list[str]:
        return [_VIA, f"From: <sip:ben@{self.domain}>;tag=c[call_number]", "Call-ID: [call_id]"]

    def invites(self, *headers: str, body: str = OFFER) -> "Call":
        """INVITE, 407, ACK, INVITE with credentials."""
        target = f"sip:{self.number}@{self.domain}"
        for credentials in ("", "[authentication]"):
            self._cseq += 1
            lines = [f"INVITE {target} SIP/2.0", *self._ours(), f"To: <{target}>", f"CSeq: {self._cseq} INVITE"]
            self.steps.append(_send([*lines, _CONTACT, credentials, "Max-Forwards: 70", *headers], body, _SDP, True))
            if not credentials:
                self.steps.append(receive(407, auth="true"))
                refused = [
                    f"ACK {target} SIP/2.0",
                    "[last_Via:]",
                    *self._ours()[1:],
                    "[last_To:]",
                    f"CSeq: {self._cseq} ACK",
                    "Max-Forwards: 70",
                ]
                self.steps.append(_send(refused, "", "", False))
        self._invited = self._cseq
        self.steps.append(receive(100, optional="true"))
        return self

    def answered(self, *kept: str, body: str = "", ringing: bool = True) -> "Call":
        """180 (or not), 200, ACK; `kept` are actions on the 200, `body` the ACK's."""
        if ringing:
            self.steps += [receive(180, optional="true"), receive(183, optional="true")]
        self.steps += [receive(200, keep("To", "to") + "".join(kept), rrs="true"), self._in_dialog("ACK", self._invited, (), body, _SDP)]
        return self

    def acknowledges(self) -> "Call":
        """A reliable 180, and its PRACK (RFC 3262)."""
        self.steps.append(receive(180, keep("RSeq", "rseq") + keep("To", "to"), rrs="true"))
        self._cseq += 1
        self.steps += [self._in_dialog("PRACK", self._cseq, [f"RAck: [$rseq] {self._invited} INVITE"], "", ""), receive(200)]
        return self

    def asks(self, method: str, *headers: str, body: str = "", kind: str = _SDP, status: int = 200, kept: str = "") -> "Call":
        """A request within the call and its answer; a re-INVITE is acknowledged."""
        self._cseq += 1
        self.steps.append(self._in_dialog(method, self._cseq, headers, body, kind))
        if method == "INVITE":
            self.steps.append(receive(100, optional="true"))
        self.steps.append(receive(status, kept))
        if method == "INVITE":
            self.steps.append(self._in_dialog("ACK", self._cseq, (), "", ""))
        return self

    def waits(self, milliseconds: int) -> "Call":
        """Do nothing for so long."""
        self.steps.append(pause(milliseconds))
        return self

    def presses(self, digits: str) -> "Call":
        """Press keys by RFC 4733; the next step comes at once."""
        self.steps.append(keys(digits))
        return self

    def hears_of_transfer(self) -> "Call":
        """NOTIFYs, each answered, until the other side hangs up."""
        self.steps += [
            '<label id="1"/>',
            asked("NOTIFY", optional="true", next="2"),
            asked("BYE", next="3"),
            '<label id="2"/>',
            ok().replace("<send>", '<send next="1">'),
            '<label id="3"/>',
            ok(),
        ]
        return self

    def is_hung_up(self) -> "Call":
        """The other side hangs up."""
        self.steps += [asked("BYE"), ok()]
        return self

    def _in_dialog(self, method: str, cseq: int, headers: Iterable[str], body: str, kind: str) -> str:
        lines = [
            f"{method} [next_url] SIP/2.0",
            *self._ours(),
            "[routes]",
            "To: [$to]",
            f"CSeq: {cseq} {method}",
            _CONTACT,
            "Max-Forwards: 70",
        ]
        return _send([*lines, *headers], body, kind, method != "ACK")


def ok(body: str = "", status: str = "200 OK", tag: str = "") -> str:
    """The answer to the request that came last."""
    to = f"[last_To:];tag={tag}" if tag else "[last_To:]"
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_Record-Route:]" if tag else "",
        "[last_From:]",
        to,
        "[last_Call-ID:]",
        "[last_CSeq:]",
    ]
    return _send([*lines, _CONTACT], body, _SDP, False)


def taken() -> list[str]:
    """A call that comes: it rings, is answered, and is hung up by the other side."""
    return [
        asked("INVITE", rrs="true"),
        ok(status="180 Ringing", tag="u[call_number]"),
        ok(OFFER, tag="u[call_number]").replace("<send>", '<send retrans="500">'),
        asked("ACK"),
        asked("BYE"),
        ok(),
    ]
